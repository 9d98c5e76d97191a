"""Endpoints of imports: a file in, its plan, and what became of it."""

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from companies.api.import_serializers import (
    ApplySerializer,
    ImportSerializer,
    MappingSerializer,
    RecordsSerializer,
    UploadSerializer,
)
from companies.api.shapes import IMPORT
from companies.imports import Action, FileRefused, Kind, all_kinds, jobs, kind_of
from companies.models import Import
from config.api.errors import BodyTooLarge, invalid_parameter
from config.api.parsers import NotAcceptedJSON, parse_object
from config.api.serializers import EmptySerializer
from integrations.api.permissions import InsufficientScope
from integrations.api.viewsets import ClientViewSet, ListMixin, RetrieveMixin

ROOM = 64 * 1024  # for the form around the file
MOST_ON_PAGE = 200


class FileParser(MultiPartParser):
    """A form with a file; refused by its length before it is read."""

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        length = int(stream.META.get("CONTENT_LENGTH") or 0)
        if length > settings.IMPORT_MAX_BYTES + ROOM:
            raise BodyTooLarge("The file is too large.")
        return super().parse(stream, *args, **kwargs)


class ImportViewSet(ListMixin, RetrieveMixin, ClientViewSet):
    """Files to import. Small ones are planned at once, others by a worker."""

    queryset = Import.objects.all()
    shape = IMPORT
    serializer_class = ImportSerializer
    read_scope = jobs.SCOPE
    write_scope = jobs.SCOPE
    default_ordering = ("-id",)
    http_method_names = ["get", "post", "head"]

    def get_parsers(self) -> list[Any]:
        if getattr(self, "action_map", {}).get("post") == "create":
            return [FileParser()]
        return super().get_parsers()

    def get_queryset(self, plan: Any = None) -> models.QuerySet:
        """Own ones, of kinds for which the token has the scope: they hold such data."""
        rows = super().get_queryset(plan)
        if getattr(self, "swagger_fake_view", False):
            return rows
        kinds = [kind.name for kind in all_kinds() if self.has_scope(kind.scope)]
        return rows.filter(kind__in=kinds)

    @extend_schema(
        summary="Send a file",
        description="201 with the import: planned, or `PLANNING` if it waits for a "
        "worker. `apply=true` applies the plan at once if no record is bad, or with "
        "`partial=true` what is good. The kind's own write scope is needed, too.",
        request={"multipart/form-data": UploadSerializer},
        responses={201: ImportSerializer},
    )
    def create(self, request: Request) -> Response:
        sent = UploadSerializer(data=_form_of(request))
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        kind, file = self._kind(values["kind"]), values["file"]
        try:
            job = jobs.receive_import(
                kind,
                file.chunks(),
                name=file.name,
                client=self.client,
                may_move=bool(kind.moving and self.has_scope(kind.moving[0])),
                mapping=values.get("mapping"),
                encoding=values["encoding"],
                partial=values["partial"],
                confirmed=values["confirm"],
                apply_at_once=values["apply"],
            )
        except FileRefused as error:
            raise BodyTooLarge(str(error.faults[0].message)) from error
        return self.answer(job.pk, 201)

    @extend_schema(
        summary="Plan again",
        description="After what is stored has changed, or with another mapping.",
        request=MappingSerializer,
        responses=ImportSerializer,
    )
    @action(detail=True, methods=["post"], url_path="plan")
    def plan_again(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        jobs.plan_again(job, self.read_action(MappingSerializer).get("mapping"))
        return self.answer(job.pk)

    @extend_schema(
        summary="Apply the plan",
        description="All of it, or with `partial` what is good. 409 `wrong_state` if "
        "it is not `PLANNED`. A plan that is no longer true becomes `OUTDATED`.",
        request=ApplySerializer,
        responses=ImportSerializer,
    )
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        wanted = self.read_action(ApplySerializer)
        jobs.apply_planned(job, partial=wanted["partial"], confirm=wanted["confirm"])
        return self.answer(job.pk)

    @extend_schema(
        summary="Cancel an import",
        description="One that is being worked on stops soon, with nothing stored.",
        request=None,
        responses=ImportSerializer,
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        self.read_action(EmptySerializer)
        jobs.cancel_import(job)
        return self.answer(job.pk)

    @extend_schema(
        summary="Records of an import",
        description="What becomes of each record, in the order of the file.",
        parameters=[
            OpenApiParameter("action", enum=[*map(str, Action), "noted"]),
            OpenApiParameter("after", OpenApiTypes.INT),
            OpenApiParameter("page_size", OpenApiTypes.INT),
        ],
        responses=RecordsSerializer,
        filters=False,
    )
    @action(detail=True, parameters=["action", "after", "page_size"])
    def records(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        asked = request.query_params.get("action")
        if asked is not None and asked not in (*map(str, Action), "noted"):
            raise invalid_parameter("action", "Not such an action.", "invalid_choice")
        after = self.number("after", 0, most=10**9)
        size = self.number("page_size", 50, least=1, most=MOST_ON_PAGE)
        found, rest = job.results(after=after, action=asked or "", most=size)
        url = request.build_absolute_uri()
        more = None if rest is None else replace_query_param(url, "after", rest)
        return Response({"results": found, "next": more})

    def afterwards(self, response: Response) -> Response:
        """Small ones are worked on at once; the answer has how the import stands now.

        An import has transactions of its own, and may stop halfway: only that it was
        asked for is one with the Idempotency-Key.
        """
        job = Import.objects.get(pk=response.data["id"])
        if job.is_busy and jobs.is_small(job):
            jobs.work_on(job.pk)
        return self.answer(job.pk, response.status_code)

    def _kind(self, name: str) -> Kind:
        kind = kind_of(name)
        if not self.has_scope(kind.scope):
            raise InsufficientScope(kind.scope)
        return kind

    def get_object(self) -> Import:
        found = super().get_object()
        if found.kind not in {kind.name for kind in all_kinds()}:
            raise Http404
        return found


def _form_of(request: Request) -> dict[str, Any]:
    """The fields of the form, each there once, as JSON would have them."""
    fields: dict[str, Any] = {}
    for name, values in request.data.lists():
        if len(values) != 1:
            detail = exceptions.ErrorDetail("The field is there twice.", "duplicate")
            raise exceptions.ValidationError({name[:100]: [detail]})
        fields[name] = values[0]
    for name in ("apply", "partial", "confirm"):
        if name in fields:
            fields[name] = {"true": True, "false": False}.get(fields[name], "")
    if isinstance(fields.get("mapping"), str):
        try:
            fields["mapping"] = parse_object(fields["mapping"].encode())
        except (NotAcceptedJSON, UnicodeEncodeError, json.JSONDecodeError) as error:
            detail = exceptions.ErrorDetail("Give a JSON object.", "not_an_object")
            raise exceptions.ValidationError({"mapping": [detail]}) from error
    return fields
