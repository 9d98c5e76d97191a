"""Endpoints that merge a company into another one, and take it back."""

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies import merging
from companies.api.serializers import (
    CompanySerializer,
    MergeSerializer,
    MergeTargetSerializer,
    PreviewSerializer,
    ReasonSerializer,
)
from companies.models import Company
from companies.models.merge import merged_into
from config.api.etags import MAY_MATCH
from integrations.api.viewsets import OutOfSight

from .changes import shown


class MergingMixin:
    """Merges a company that was entered twice into the one that stays."""

    @extend_schema(
        summary="Merge a company into another one",
        description="Subsidiaries, locations, people, groups, limits and links go over "
        "to `into`, the company is closed, and its code answers with the other one. "
        "The answer is the company that stays. 409 `merge_unfinished` if requests are "
        "open at the company that goes. Can be taken back for 30 days.",
        request=MergeSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="companies:move")
    def merge(self, request: Request, pk: str) -> Response:
        company = self._movable()
        wanted = self.read_action(MergeSerializer)
        with transaction.atomic():
            merge = merging.merge_companies(
                company,
                wanted["into"],
                actor=self.actor,
                reason=wanted["reason"],
                expected_version=self.version_if_given,
                previewed=wanted["preview"],
                confirm=self.confirmed,
            )
            return self.answer(merge.into_id)

    @extend_schema(
        summary="Preview a merge",
        description="What merging the company into `into` would change, without any "
        "effect. Refuses what the merge itself would refuse.",
        request=MergeTargetSerializer,
        responses=PreviewSerializer,
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="merge/preview",
        write_scope="companies:move",
    )
    def preview_merge(self, request: Request, pk: str) -> Response:
        company = self._movable()
        into = self.read_action(MergeTargetSerializer)["into"]
        return shown(merging.preview_merge(company, into, actor=self.actor))

    @extend_schema(
        summary="Take a merge back",
        description="Restores what the merge changed, where nobody has changed it "
        "since. 409 `unmerge_incomplete` says what could not be restored; with "
        "`?confirm=true` the rest is. The answer is the company that had gone.",
        request=ReasonSerializer,
        responses=CompanySerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="companies:move")
    def unmerge(self, request: Request, pk: str) -> Response:
        company = self._movable()
        sent = self.read_action(ReasonSerializer)
        self._check_other_visible(company)
        with transaction.atomic():
            merging.unmerge_company(
                company,
                actor=self.actor,
                reason=sent["reason"],
                expected_version=self.version_if_given,
                confirm=self.confirmed,
            )
            return self.answer(company.pk)

    def _check_other_visible(self, company: Company) -> None:
        """Only who sees both companies takes their merge back."""
        stays = merged_into(company.pk)
        if stays is not None and not self.get_queryset().filter(pk=stays).exists():
            raise OutOfSight
