"""The base of all endpoints that an API client calls with its own rights."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db import models
from django.http import Http404
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.actors import Actor
from config.api.errors import invalid_parameter
from config.api.etags import etag, expected_version
from config.api.filters import check_parameters
from config.api.parsers import NotAcceptedJSON
from config.api.rows import Plan, Shape
from config.compiled import ByKey, compiled
from config.db import as_a_whole, repeated
from config.errors import Forbidden, StaleVersion
from integrations.models import ApiClient

from .idempotency import once
from .permissions import has_scope
from .rates import count_call


class OutOfSight(Forbidden):
    """The change would take the object out of the hierarchies that the client sees."""

    code = "out_of_sight"
    default_message = "The change would take this out of your sight."


class ClientViewSet(viewsets.GenericViewSet):
    """Sees only what the client may see: no other way leads to an object.

    Add the mixins below that make sense. Answers are built by `shape`; the serializer
    reads input and describes the shape.
    """

    shape: Shape
    read_scope = ""
    write_scope = ""
    filterset_class: Any = None
    # Query parameters of an action: @action(..., parameters=["depth"]).
    parameters: Sequence[str] = ()
    confirm_on: Sequence[str] = ()  # actions that a warning holds up: ?confirm=true
    key_required_for: Sequence[str] = ()  # actions that need an Idempotency-Key
    without_effect: Sequence[str] = ()  # POSTs that change nothing, so need no key
    for_readers: Sequence[str] = ()  # POSTs for which the scope to read will do, too
    ordering_fields: Mapping[str, str] = {}  # name in ?ordering= → column
    default_ordering: Sequence[str] = ("id",)
    lookup_value_regex = "[1-9][0-9]{0,17}"  # fits into a bigint; ASCII only
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    @property
    def client(self) -> ApiClient:
        return self.request.auth.application

    @property
    def actor(self) -> Actor:
        return Actor.client(self.request.auth.application_id)

    @property
    def expected_version(self) -> int:
        """The version in If-Match; 428 without."""
        return expected_version(self.request)

    @property
    def version_if_given(self) -> int | None:
        """The version in If-Match, for actions that do not insist on one."""
        return self.expected_version if "If-Match" in self.request.headers else None

    @property
    def confirmed(self) -> bool:
        """Whether the caller knows what the change brings with it."""
        return self.flag("confirm")

    def flag(self, parameter: str) -> bool:
        """What the query string says of it: true, false, or nothing."""
        asked = self.request.query_params.get(parameter, "false")
        if asked not in ("true", "false"):
            raise invalid_parameter(parameter, "true or false.", "invalid")
        return asked == "true"

    def has_scope(self, scope: str) -> bool:
        """Of the token, and still of the client."""
        return has_scope(self.request, scope)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # Each call is one transaction that begins with reading: it can be repeated.
        name = request.method.lower()
        if handler := getattr(self, name, None):
            if name == "post":
                handler = once(self, handler)
            setattr(self, name, repeated(handler))
        return super().dispatch(request, *args, **kwargs)

    def afterwards(self, response: Response) -> Response:
        """What a POST still does and answers when its transaction is over.

        Also after an answer that was given again.
        """
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        count_call(self.client)
        check_parameters(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        known = set(self.parameters)
        if self.action in self.confirm_on:
            known.add("confirm")
        if self.action in ("list", "retrieve"):
            known |= {"fields", "expand"}
        if self.action == "list":
            known.update(self.paginator.parameters)
            if self.filterset_class is not None:
                known.update(self.filterset_class.base_filters)
        return known

    def get_queryset(self, plan: Plan | None = None) -> models.QuerySet:
        """What the client may see; with a plan only its columns."""
        rows = plan.select_all(self.queryset) if plan else super().get_queryset()
        if getattr(self, "swagger_fake_view", False):  # drf-spectacular has no client
            return rows.none()
        return self.seen(rows)

    def seen(self, rows: models.QuerySet) -> models.QuerySet:
        """Of these, what the caller may see: in paths, and in the ids that it names."""
        return rows.visible_to(self.client)

    def get_object(self) -> models.Model:
        """The object named in the path, to be changed; 404 if the client sees none."""
        key = self.kwargs["pk"]
        if self._sees_all:
            found = by_key(type(self)).get(int(key))
        else:
            found = self.get_queryset().filter(pk=key).first()
        if found is None:
            raise Http404
        return found

    def check_visible(self) -> None:
        """404 if the client sees no object of the id in the path; reads no object."""
        key = self.kwargs["pk"]
        if self._sees_all:
            found = bool(ids_of(type(self))(int(key)))
        else:
            found = self.get_queryset().order_by().filter(pk=key).exists()
        if not found:
            raise Http404

    def plan(self, shape: Shape, *, also: tuple[str, ...] = ()) -> Plan:
        """How to read what `?fields=` and `?expand=` ask of the shape."""
        return shape.plan(
            only=self._names("fields", shape.fields),
            expand=self._names("expand", shape.expandable),
            also=also,
        )

    def page(
        self,
        rows: models.QuerySet | None = None,
        shape: Shape | None = None,
        **options: Any,
    ) -> Response:
        """One page, in the order that was asked for; of all rows if none are given."""
        shape = shape or self.shape
        options.setdefault("default", self.default_ordering)
        options.setdefault("allowed", self.ordering_fields)
        keys = self.paginator.keys(
            self.queryset.model if rows is None else rows.model,
            self.request.query_params.get("ordering"),
            options["default"],
            options["allowed"],
        )
        plan = self.plan(shape, also=tuple(key.column for key in keys))
        if rows is None:
            rows = self.filter_queryset(self.get_queryset(plan))
        else:
            rows = plan.select(rows)
        return Response(
            self.paginator.page(rows, self.request, plan, client=self.client, **options)
        )

    def read(self, pk: int | str, plan: Plan) -> dict[str, Any]:
        """The object as this client sees it, and the ETag's version; Http404 if not."""
        if self._sees_all:
            found = plan.fetch_one(self.queryset, int(pk))
        else:
            found = list(self.get_queryset(plan).filter(pk=pk))
        if not found:
            raise Http404
        (value,) = plan.build(found, self.client)
        for version in plan.beside(found[0]):
            self.headers["ETag"] = etag(version)
        return value

    def answer(self, pk: int, status: int = 200) -> Response:
        """The object after a write, read again: all of it, as this client sees it now.

        Inside the transaction of the write: a change that leaves the client's sight is
        refused and rolled back.
        """
        try:
            value = self.read(pk, self.shape.plan(also=self._version))
        except Http404:
            raise OutOfSight from None
        return Response(value, status)

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | {"current": self._current}

    def read_input(self, *args: Any, **kwargs: Any) -> BaseSerializer:
        """The serializer of the action with the body in it; 400 if it is not valid."""
        if not int(self.request.META.get("CONTENT_LENGTH") or 0):
            # DRF would take {}, and a PUT of nothing would empty the object.
            raise NotAcceptedJSON("The body is empty, or of unknown length.")
        serializer = self.get_serializer(*args, data=self.request.data, **kwargs)
        serializer.is_valid(raise_exception=True)
        return serializer

    def read_action(self, serializer_class: type[BaseSerializer]) -> dict[str, Any]:
        """What an action was sent; 400 if it is not what the serializer reads."""
        serializer = serializer_class(
            data=self.request.data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def check_version(self, instance: models.Model) -> None:
        """428 or 412, before the body is looked at."""
        if self.expected_version != instance.version:
            raise StaleVersion(version=instance.version)

    def _current(self) -> dict[str, Any]:
        rows = self.get_queryset().filter(pk=self.kwargs["pk"])
        (value,) = self.shape.rows(rows, self.client) or ({},)
        return value

    def number(self, name: str, default: int, *, most: int, least: int = 0) -> int:
        """A whole number in the query string."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise invalid_parameter(name, "Give a whole number.", "invalid")
        if not least <= int(text) <= most:
            raise invalid_parameter(name, f"From {least} to {most}.", "invalid")
        return int(text)

    @property
    def _sees_all(self) -> bool:
        """Whether the caller sees every object: then SQL that is kept will do."""
        rows = self.queryset.all()
        whole = type(self).get_queryset is ClientViewSet.get_queryset
        return whole and self.seen(rows) is rows

    @property
    def _version(self) -> tuple[str, ...]:
        return ("version",) if "version" in self.shape.fields else ()

    def _names(self, parameter: str, known: Mapping[str, Any]) -> Sequence[str]:
        asked = self.request.query_params.get(parameter)
        if asked is None:
            return ()
        names = asked.split(",")
        if set(names) - known.keys():
            text = f"Names out of: {', '.join(known) or 'none'}."
            raise invalid_parameter(parameter, text, "unknown_field")
        return names


@cache
def by_key(view: type[ClientViewSet]) -> ByKey:
    """The objects of an endpoint, for clients that see all of them."""
    return ByKey(view.queryset.all())


@cache
def ids_of(view: type[ClientViewSet]) -> Callable[[int], list[Any]]:
    """The same, of which only the id is read."""
    rows = view.queryset.order_by().values_list("pk")
    return compiled(lambda pk: rows.filter(pk=pk))


class ListMixin:
    def list(self, request: Request) -> Response:
        return self.page()


class RetrieveMixin:
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.read(pk, self.plan(self.shape, also=self._version)))


class CreateMixin:
    """POST. A write scope contains seeing what one has just written: 201 has it all."""

    def create(self, request: Request) -> Response:
        serializer = self.read_input()
        with as_a_whole(), serializer.placing_errors():
            return self.answer(self.perform_create(serializer).pk, 201)

    def perform_create(self, serializer: BaseSerializer) -> models.Model:
        """Call the service; the default is for models that need none."""
        return serializer.save(actor=self.actor)


class UpdateMixin:
    """PUT replaces what the caller may write; PATCH is a merge patch (RFC 7396)."""

    def update(self, request: Request, pk: str, *, partial: bool = False) -> Response:
        instance = self.get_object()
        self.check_version(instance)
        serializer = self.read_input(instance, partial=partial)
        with as_a_whole(), serializer.placing_errors():
            return self.answer(self.perform_update(serializer).pk)

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.update(request, pk, partial=True)

    def perform_update(self, serializer: BaseSerializer) -> models.Model:
        """Call the service, which compares the version again under its lock."""
        return serializer.save(actor=self.actor)


class DestroyMixin:
    def destroy(self, request: Request, pk: str) -> Response:
        instance = self.get_object()
        self.check_version(instance)
        with as_a_whole():
            self.perform_destroy(instance)
        return Response(status=204)

    def perform_destroy(self, instance: models.Model) -> None:
        """Call the service; the default is for models that need none."""
        instance.by(self.actor).delete()
