"""Endpoints of limits and approval groups."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from approvals import membership
from approvals.answers import effective
from approvals.api.filters import ApprovalGroupFilterSet, PurchaseLimitFilterSet
from approvals.api.serializers import (
    ApprovalGroupSerializer,
    EffectiveLimitsSerializer,
    PurchaseLimitSerializer,
)
from approvals.api.shapes import APPROVAL_GROUP, PURCHASE_LIMIT
from approvals.models import ApprovalGroup, PurchaseLimit
from approvals.situation import limits_of
from companies.models import Company
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class PurchaseLimitViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """How much may be bought, per purchase or period."""

    queryset = PurchaseLimit.objects.all()
    shape = PURCHASE_LIMIT
    serializer_class = PurchaseLimitSerializer
    filterset_class = PurchaseLimitFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    ordering_fields = {"created_at": "created_at", "updated_at": "updated_at"}

    def perform_destroy(self, instance: PurchaseLimit) -> None:
        instance.by(self.actor).delete()


class EffectiveLimitViewSet(ClientViewSet):
    """The limits of a company, wherever they come from."""

    queryset = Company.objects.order_by()
    read_scope = "limits:read"

    @extend_schema(
        operation_id="companies_limits_list",
        summary="Effective limits of a company",
        description="Its own, and those of companies above that reach down: from the "
        "head company down, each with the company it comes from, and what is used and "
        "reserved of it in the current period.",
        responses=EffectiveLimitsSerializer,
        filters=False,
    )
    @action(detail=True)
    def limits(self, request: Request, pk: str) -> Response:
        self.check_visible()
        return Response({"results": [effective(one) for one in limits_of(int(pk))]})


class ApprovalGroupViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Contacts who may approve purchases."""

    queryset = ApprovalGroup.objects.all()
    shape = APPROVAL_GROUP
    serializer_class = ApprovalGroupSerializer
    filterset_class = ApprovalGroupFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    confirm_on = ("update", "partial_update", "destroy")
    ordering_fields = {
        "name": "name",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    def perform_create(self, serializer: BaseSerializer) -> ApprovalGroup:
        return membership.create_approval_group(
            actor=self.actor, **serializer.validated_data
        )

    def perform_update(self, serializer: BaseSerializer) -> ApprovalGroup:
        return membership.update_approval_group(
            serializer.instance,
            actor=self.actor,
            expected_version=self.expected_version,
            confirm=self.confirmed,
            **serializer.validated_data,
        )

    def perform_destroy(self, instance: ApprovalGroup) -> None:
        membership.delete_approval_group(
            instance,
            actor=self.actor,
            expected_version=self.expected_version,
            confirm=self.confirmed,
        )
