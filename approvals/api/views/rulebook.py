"""Endpoints of approval rules and stand-ins."""

from rest_framework.serializers import BaseSerializer

from approvals import rulebook, stand_ins
from approvals.api.filters import ApprovalRuleFilterSet, StandInFilterSet
from approvals.api.serializers import ApprovalRuleSerializer, StandInSerializer
from approvals.api.shapes import APPROVAL_RULE, STAND_IN
from approvals.models import ApprovalRule, StandIn
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class ApprovalRuleViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """When a purchase needs approval, and by whom, in which steps.

    What was submitted keeps the steps it has, whatever becomes of the rule. The scopes
    are those of limits.
    """

    queryset = ApprovalRule.objects.all()
    shape = APPROVAL_RULE
    serializer_class = ApprovalRuleSerializer
    filterset_class = ApprovalRuleFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    ordering_fields = {
        "name": "name",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    def perform_create(self, serializer: BaseSerializer) -> ApprovalRule:
        return rulebook.create_rule(actor=self.actor, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer) -> ApprovalRule:
        return rulebook.update_rule(
            serializer.instance,
            actor=self.actor,
            expected_version=self.expected_version,
            **serializer.validated_data,
        )

    def perform_destroy(self, instance: ApprovalRule) -> None:
        rulebook.delete_rule(
            instance, actor=self.actor, expected_version=self.expected_version
        )


class StandInViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Who decides for a person, for a time, up to an amount.

    Company and people stay: to name somebody else, end this one and name another. The
    scopes are those of limits.
    """

    http_method_names = ["get", "post", "patch", "delete", "head"]
    queryset = StandIn.objects.all()
    shape = STAND_IN
    serializer_class = StandInSerializer
    filterset_class = StandInFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    ordering_fields = {
        "valid_until": "valid_until",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    def perform_create(self, serializer: BaseSerializer) -> StandIn:
        return stand_ins.name_stand_in(actor=self.actor, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer) -> StandIn:
        return stand_ins.change_stand_in(
            serializer.instance,
            actor=self.actor,
            expected_version=self.expected_version,
            **serializer.validated_data,
        )

    def perform_destroy(self, instance: StandIn) -> None:
        stand_ins.end_stand_in(
            instance, actor=self.actor, expected_version=self.expected_version
        )
