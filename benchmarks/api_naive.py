"""What most would write: an ordinary DRF ModelViewSet on the same models.

Nested serializers, pages by number, filters, and the token check of
django-oauth-toolkit as it comes. Saving is that of the models themselves, so its
writes lock, keep history and tell events as Konzern's do; nothing is validated but
what DRF validates by itself.
"""

import os
import sys
from pathlib import Path

from django.core.wsgi import get_wsgi_application

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["DJANGO_SETTINGS_MODULE"] = "api_naive_settings"
application = get_wsgi_application()

from django.urls import include, path  # noqa: E402
from oauth2_provider.contrib.rest_framework import TokenHasScope  # noqa: E402
from rest_framework import serializers, viewsets  # noqa: E402
from rest_framework.decorators import action  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.routers import DefaultRouter  # noqa: E402

from companies.models import Company, Contact, ContactAssignment  # noqa: E402

STATUSES = ["ACTIVE", "DRAFT", "ON_HOLD", "CLOSED"]


class LegalInfoSerializer(serializers.ModelSerializer):
    class Meta:
        model = Company
        fields = [
            "legal_name",
            "legal_form",
            "registration_id",
            "registration_agency",
            "registered_on",
            "country",
            "tax_id",
            "lei",
            "duns",
        ]


class CompanySerializer(serializers.ModelSerializer):
    type = serializers.SerializerMethodField()
    head = serializers.IntegerField(source="tree_id", read_only=True)
    depth = serializers.IntegerField(source="level", read_only=True)
    effective_status = serializers.SerializerMethodField()
    legal_info = LegalInfoSerializer(source="*", required=False)

    class Meta:
        model = Company
        fields = [
            "id",
            "code",
            "name",
            "type",
            "parent",
            "head",
            "depth",
            "status",
            "effective_status",
            "legal_info",
            "website",
            "email",
            "phone",
            "language",
            "currency",
            "attributes",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version"]

    def get_type(self, company):
        return "COMPANY" if company.parent is None else "SUBSIDIARY"

    def get_effective_status(self, company):
        path = company.get_ancestors(include_self=True)
        return max((one.status for one in path), key=STATUSES.index)


class BriefCompanySerializer(serializers.ModelSerializer):
    class Meta:
        model = Company
        fields = ["id", "code", "name"]


class ContactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Contact
        fields = ["id", "external_id", "email", "first_name", "last_name", "is_active"]


class AssignmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = ContactAssignment
        fields = [
            "id",
            "contact",
            "company",
            "type",
            "role",
            "covers_subsidiaries",
            "valid_from",
            "valid_until",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version"]


class PersonSerializer(AssignmentSerializer):
    contact = ContactSerializer()
    company = BriefCompanySerializer()


class CompanyViewSet(viewsets.ModelViewSet):
    queryset = Company.objects.order_by("id")
    serializer_class = CompanySerializer
    permission_classes = [TokenHasScope]
    required_scopes = ["companies:read"]
    filterset_fields = ["code", "status", "parent", "country"]
    search_fields = ["name", "legal_name", "code", "registration_id", "tax_id", "lei"]
    ordering_fields = ["name", "code", "created_at"]

    @action(detail=True)
    def descendants(self, request, pk):
        companies = self.get_object().get_descendants().order_by("id")
        page = self.paginate_queryset(companies)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @action(detail=True)
    def people(self, request, pk):
        company = self.get_object()
        rows = ContactAssignment.objects.filter(company=company)
        for parent in company.get_ancestors():
            rows |= ContactAssignment.objects.filter(
                company=parent, covers_subsidiaries=True
            )
        return Response(PersonSerializer(rows, many=True).data)


class AssignmentViewSet(viewsets.ModelViewSet):
    queryset = ContactAssignment.objects.order_by("id")
    serializer_class = AssignmentSerializer
    permission_classes = [TokenHasScope]
    required_scopes = ["contacts:write"]


router = DefaultRouter()
router.register("companies", CompanyViewSet)
router.register("contact-assignments", AssignmentViewSet)
urlpatterns = [path("api/", include(router.urls))]
