"""Endpoints about the place of a company: what is around it, and moving it."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from companies import services
from companies.api.serializers import (
    CompanyNodeSerializer,
    CompanySerializer,
    MovePreviewSerializer,
    MoveSerializer,
    MoveTargetSerializer,
)
from companies.api.tree import MOST_NODES, nested_tree
from companies.models import Company
from companies.models.company import DEPTH
from config.api.errors import invalid_parameter
from config.api.pagination import KeysetPagination
from integrations.api.viewsets import OutOfSight

PAGED = [*KeysetPagination.parameters, "fields", "expand"]
MOST_LEVELS = 1_000


class HierarchyMixin:
    """What is above and below a company; moving it with all that is below."""

    @extend_schema(
        summary="Companies above a company",
        description="From the head company down, without the company itself.",
        responses=CompanySerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=PAGED)
    def ancestors(self, request: Request, pk: str) -> Response:
        rows = self._around(lambda rows: rows.above(int(pk)).exclude(pk=pk))
        allowed = {"depth": DEPTH, **self.ordering_fields}
        return self.page(rows, default=["depth"], allowed=allowed)

    @extend_schema(
        summary="Companies directly below a company",
        responses=CompanySerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=PAGED)
    def children(self, request: Request, pk: str) -> Response:
        return self.page(self._around(lambda rows: rows.filter(parent=pk)))

    @extend_schema(
        summary="All companies below a company",
        responses=CompanySerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=PAGED)
    def descendants(self, request: Request, pk: str) -> Response:
        return self.page(self._around(lambda rows: rows.below(int(pk))))

    def _around(self, related: Any) -> QuerySet:
        self.check_visible()
        return related(self.get_queryset())

    @extend_schema(
        summary="The tree below a company",
        description=f"Nested, at most {MOST_NODES:,} companies, the upper ones first. "
        "Where children are left out, `next` says where they are.",
        responses=CompanyNodeSerializer,
        parameters=[
            OpenApiParameter("depth", OpenApiTypes.INT, description="Levels below.")
        ],
    )
    @action(detail=True, parameters=["depth"])
    def tree(self, request: Request, pk: str) -> Response:
        node = nested_tree(
            self.get_queryset(), int(pk), levels=self._levels(), next_url=self._children
        )
        if node is None:
            raise Http404
        return Response(node)

    def _children(self, pk: int) -> str:
        return reverse("api:company-children", [pk], request=self.request)

    def _levels(self) -> int | None:
        asked = self.request.query_params.get("depth")
        if asked is None:
            return None
        if not (asked.isascii() and asked.isdecimal() and int(asked) < MOST_LEVELS):
            text = f"A number from 0 to {MOST_LEVELS - 1}."
            raise invalid_parameter("depth", text, "invalid")
        return int(asked)

    @extend_schema(
        summary="Move a company",
        description="Places the company and all below it under `parent`. Ledger, "
        "history, requests, groups and people keep their company. If-Match counts.",
        request=MoveSerializer,
        responses=CompanySerializer,
    )
    @action(detail=True, methods=["post"], write_scope="companies:move")
    def move(self, request: Request, pk: str) -> Response:
        company = self._movable()
        wanted = self.read_action(MoveSerializer)
        with transaction.atomic():
            services.move_company(
                company,
                wanted["parent"],
                actor=self.actor,
                expected_version=self.version_if_given,
                reason=wanted["reason"],
            )
            return self.answer(company.pk)

    @extend_schema(
        summary="Preview a move",
        description="What moving the company would change, without any effect. Refuses "
        "what the move itself would refuse.",
        request=MoveTargetSerializer,
        responses=MovePreviewSerializer,
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="move/preview",
        write_scope="companies:move",
    )
    def preview(self, request: Request, pk: str) -> Response:
        company = self._movable()
        parent = self.read_action(MoveTargetSerializer)["parent"]
        with transaction.atomic():
            changes = services.preview_move(company, parent)
            services.move_company(company, parent, actor=self.actor)
            self.answer(company.pk)  # refused where it would leave the client's sight
            transaction.set_rollback(True)
        self.headers.pop("ETag", None)
        return Response({"changes": changes})

    def _movable(self) -> Company:
        """The company, if both it and the place where it is are the client's."""
        company = self.get_object()
        parent = company.parent_id
        if parent is not None and not self.get_queryset().filter(pk=parent).exists():
            raise OutOfSight
        return company
