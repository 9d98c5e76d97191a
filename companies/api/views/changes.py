"""Endpoints that move a company or change its status, with their previews."""

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies import services
from companies.api.serializers import (
    CompanySerializer,
    MoveSerializer,
    MoveTargetSerializer,
    PreviewSerializer,
    StatusChangeSerializer,
    StatusTargetSerializer,
)
from companies.models import Company
from companies.models.company import Status
from companies.preview import Preview
from config.api.etags import MAY_MATCH
from integrations.api.viewsets import OutOfSight

STATUSES = {"activate": Status.ACTIVE, "hold": Status.ON_HOLD, "close": Status.CLOSED}


class ChangesMixin:
    """Moves, holds, closes and activates a company; previews say what would change."""

    confirm_on = ("close", "merge", "unmerge")
    without_effect = ("preview", "preview_status", "preview_merge")

    @extend_schema(
        summary="Move a company",
        description="Places the company and all below it under `parent`. Ledger, "
        "history, requests, groups and people keep their company. If-Match counts.",
        request=MoveSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
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
                previewed=wanted["preview"],
            )
            return self.answer(company.pk)

    @extend_schema(
        summary="Preview a move",
        description="What moving the company would change, without any effect. Refuses "
        "what the move itself would refuse.",
        request=MoveTargetSerializer,
        responses=PreviewSerializer,
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
            services.move_company(company, parent, actor=self.actor)
            self.answer(company.pk)  # refused where it would leave the client's sight
            transaction.set_rollback(True)
        self.headers.pop("ETag", None)
        return shown(services.preview_move(company, parent, actor=self.actor))

    def _movable(self) -> Company:
        """The company, if both it and the place where it is are the client's."""
        company = self.get_object()
        parent = company.parent_id
        if parent is not None and not self.get_queryset().filter(pk=parent).exists():
            raise OutOfSight
        return company

    @extend_schema(
        summary="Activate a company",
        request=StatusChangeSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        return self._set_status()

    @extend_schema(
        summary="Put a company on hold",
        description="Nobody buys for it or for any company below, from the next call.",
        request=StatusChangeSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, pk: str) -> Response:
        return self._set_status()

    @extend_schema(
        summary="Close a company",
        description="409 `would_strand_requests` if requests wait there.",
        request=StatusChangeSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        return self._set_status()

    def _set_status(self) -> Response:
        company = self.get_object()
        version = self.version_if_given
        sent = self.read_action(StatusChangeSerializer)
        with transaction.atomic():
            services.set_status(
                company,
                STATUSES[self.action],
                actor=self.actor,
                reason=sent["reason"],
                expected_version=version,
                previewed=sent["preview"],
                confirm=self.confirmed,
            )
            return self.answer(company.pk)

    @extend_schema(
        summary="Preview a change of the status",
        description="What it would change, without any effect.",
        request=StatusTargetSerializer,
        responses=PreviewSerializer,
    )
    @action(detail=True, methods=["post"], url_path="status/preview")
    def preview_status(self, request: Request, pk: str) -> Response:
        company = self.get_object()
        status = self.read_action(StatusTargetSerializer)["status"]
        return shown(services.preview_status(company, status, actor=self.actor))


def shown(preview: Preview) -> Response:
    """A preview, as the API answers with it."""
    topics = [
        {"topic": one.topic, "before": one.before, "after": one.after}
        for one in preview.changes
    ]
    return Response(
        {"changes": preview.sentences(), "topics": topics, "token": preview.token}
    )
