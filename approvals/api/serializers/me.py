"""Describes what a person is and may do where a shop acts for them."""

from rest_framework import serializers

from companies.api.acting import ActingContactSerializer
from companies.models import Company, ContactAssignment
from companies.models.assignment import Role

from .limits import EffectiveLimitSerializer


class MyPriceListSerializer(serializers.Serializer):
    code = serializers.CharField()
    group = serializers.IntegerField(help_text="The customer group that has it.")


class MyCompanySerializer(serializers.ModelSerializer):
    effective_status = serializers.ChoiceField(
        Company.Status.choices, help_text="Unless it is ACTIVE nothing can be bought."
    )

    class Meta:
        model = Company
        fields = ["id", "code", "name", "currency", "effective_status"]


class MyAssignmentSerializer(serializers.ModelSerializer):
    """One that gives rights here: at the company, or from one above."""

    class Meta:
        model = ContactAssignment
        fields = [
            "id",
            "company",
            "type",
            "role",
            "covers_subsidiaries",
            "valid_from",
            "valid_until",
        ]


class MeSerializer(serializers.Serializer):
    contact = ActingContactSerializer()
    company = MyCompanySerializer()
    role = serializers.ChoiceField(Role.choices, allow_blank=True)
    assignments = MyAssignmentSerializer(many=True)
    may = serializers.ListField(child=serializers.CharField())
    limits = EffectiveLimitSerializer(many=True)
    price_lists = MyPriceListSerializer(many=True)
