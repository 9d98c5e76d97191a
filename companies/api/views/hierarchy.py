"""Endpoints about the place of a company: what is above and below it."""

from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from companies.api.past import AS_OF, PAST_COMPANY, day_asked, in_sight, past_tree
from companies.api.serializers import (
    CompanyNodeSerializer,
    CompanySerializer,
    QualitySerializer,
)
from companies.api.tree import MOST_NODES, nested_tree
from companies.models.company import DEPTH
from companies.past import Past
from companies.quality import findings_of, quality_of
from config.api.errors import invalid_parameter
from config.api.pagination import KeysetPagination

IS_AS_OF = OpenApiParameter(
    AS_OF,
    OpenApiTypes.DATE,
    description="As it was at the end of that day, by the history. Who is shown is "
    "who the caller sees today; a company that was not there yet is 404.",
)
PAGED = [*KeysetPagination.parameters, "fields", "expand"]
MOST_LEVELS = 1_000


class HierarchyMixin:
    """What is above and below a company, today or on another day."""

    def known_parameters(self) -> set[str]:
        known = super().known_parameters()
        return known | {AS_OF} if self.action in ("retrieve", "by_code") else known

    @extend_schema(parameters=[IS_AS_OF])
    def retrieve(self, request: Request, pk: str) -> Response:
        day = day_asked(request, beside=("fields",))
        if day is None:
            return super().retrieve(request, pk)
        self.check_visible()
        rows = [row for row in self._path(day, pk) if row[0] == int(pk)]
        if not rows:
            raise Http404
        return Response(rows[0][1])

    def _path(self, day: date, pk: str) -> list[tuple[int, Any]]:
        """The company and those above it that day, by their ids."""
        plan = PAST_COMPANY.plan(
            only=self._names("fields", PAST_COMPANY.fields), also=("id",)
        )
        found = list(plan.select(Past(day).path(int(pk))))
        ids = [plan.beside(row)[0] for row in found]
        return list(zip(ids, plan.build(found, self.client), strict=True))

    @extend_schema(
        summary="Companies above a company",
        description="From the head company down, without the company itself.",
        responses=CompanySerializer(many=True),
        filters=False,
        parameters=[IS_AS_OF],
    )
    @action(detail=True, parameters=[*PAGED, AS_OF])
    def ancestors(self, request: Request, pk: str) -> Response:
        if day := day_asked(request, beside=("fields",)):
            self.check_visible()
            path = self._path(day, pk)
            if not path:
                raise Http404
            shown = in_sight(self.get_queryset())([one for one, _told in path])
            above = [told for one, told in path[:-1] if one in shown]
            return Response({"results": above, "next": None, "previous": None})
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
            OpenApiParameter("depth", OpenApiTypes.INT, description="Levels below."),
            IS_AS_OF,
        ],
    )
    @action(detail=True, parameters=["depth", AS_OF])
    def tree(self, request: Request, pk: str) -> Response:
        if day := day_asked(request, beside=("depth",)):
            return Response(self._past_tree(day, int(pk)))
        node = nested_tree(
            self.get_queryset(), int(pk), levels=self._levels(), next_url=self._children
        )
        if node is None:
            raise Http404
        return Response(node)

    @extend_schema(
        summary="What is missing or doubtful",
        description="In the company and all below it: how many companies lack what. "
        "`companies/?under=…&quality=…` lists them.",
        responses=QualitySerializer,
    )
    @action(detail=True)
    def quality(self, request: Request, pk: str) -> Response:
        rows = self.get_queryset()
        own = findings_of(rows.filter(pk=pk))
        if not own:
            raise Http404
        found = quality_of(rows.under(int(pk)))
        told = [
            {
                "code": one.finding.code,
                "label": str(one.finding.label),
                "companies": one.companies,
                "percent": one.percent,
            }
            for one in found.counts
        ]
        return Response(
            {
                "companies": found.companies,
                "complete": found.complete,
                "percent": found.percent,
                "own": [one.code for one in own[0][1]],
                "findings": told,
            }
        )

    def _past_tree(self, day: date, pk: int) -> dict[str, Any]:
        levels = self._levels()
        self.check_visible()

        def further(pk: int) -> str:
            url = reverse("api:company-tree", [pk], request=self.request)
            return f"{url}?as_of={day}&depth=1"

        visible = in_sight(self.get_queryset())
        everything = self.client.sees_all_hierarchies  # also what was deleted since
        node = past_tree(
            Past(day),
            pk,
            levels=levels,
            visible=None if everything else visible,
            next_url=further,
        )
        if node is None:
            raise Http404
        return node

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
