"""Endpoints about the place of a company: what is above and below it."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from companies.api.serializers import (
    CompanyNodeSerializer,
    CompanySerializer,
)
from companies.api.tree import MOST_NODES, nested_tree
from companies.models.company import DEPTH
from config.api.errors import invalid_parameter
from config.api.pagination import KeysetPagination

PAGED = [*KeysetPagination.parameters, "fields", "expand"]
MOST_LEVELS = 1_000


class HierarchyMixin:
    """What is above and below a company."""

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
