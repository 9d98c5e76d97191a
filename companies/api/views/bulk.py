"""The endpoint that creates, changes and moves many companies at once."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies.api.bulk import (
    BulkAnswerSerializer,
    BulkSerializer,
    answer_of,
    errors_of,
    read_records,
)
from companies.imports import Caller
from companies.imports.upserts import plan_upserts, upsert_companies
from integrations.api.permissions import InsufficientScope

MOVING = "companies:move"


class BulkMixin:
    """Brings up to 1,000 companies into the state that a caller knows, in one call."""

    @extend_schema(
        operation_id="companies_bulk",
        summary="Create, change and move many companies",
        description="Up to 1,000 by their codes, all of them or none: 400 names every "
        "record that is refused. What a record leaves out stays as it is. A record "
        "with another `parent_code` than the company's moves it, with everything below "
        "it, and needs the scope `companies:move`. Records may name each other as "
        "parents, in any order. The same call again changes nothing.",
        request=BulkSerializer,
        responses=BulkAnswerSerializer,
        parameters=[
            OpenApiParameter(
                "dry_run", OpenApiTypes.BOOL, description="Only say what would be done."
            )
        ],
    )
    @action(detail=False, methods=["post"], parameters=["dry_run"])
    def bulk(self, request: Request) -> Response:
        dry_run = self.flag("dry_run")
        sent = self.read_action(BulkSerializer)["companies"]
        records, wrong = read_records(sent)
        caller = Caller(
            actor=self.actor,
            reason="",
            client=self.client,
            may_move=self.has_scope(MOVING),
        )
        work = plan_upserts if dry_run else upsert_companies
        plan = work(records, caller)
        if any(p.code == "forbidden" for one in plan.refused for p in one.problems):
            raise InsufficientScope(MOVING)
        if plan.refused:
            raise serializers.ValidationError(errors_of(plan, wrong))
        return Response(answer_of(plan, dry_run=dry_run))
