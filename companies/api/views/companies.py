"""Endpoints of companies: the resource itself, its places and people."""

from typing import Any

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies import services
from companies.api.filters import CompanyFilterSet
from companies.api.history import HISTORY
from companies.api.serializers import (
    CompanySerializer,
    HistoryEntrySerializer,
    LocationSerializer,
    PersonSerializer,
)
from companies.api.shapes import COMPANY, LOCATION, PERSON
from companies.errors import MergedCompany
from companies.models import Company, ContactAssignment, Location
from companies.models.company import CODE
from companies.models.merge import answering_to, merged_into
from config.api.etags import MAY_MATCH
from config.api.pagination import KeysetPagination
from config.db import locked
from config.errors import StaleVersion
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)

from .bulk import BulkMixin
from .changes import ChangesMixin
from .duplicates import DuplicatesMixin
from .hierarchy import HierarchyMixin
from .merging import MergingMixin

CODE_IN_PATH = r"by-code/(?P<code>[^/]+)"
PATH_CODE = OpenApiParameter(
    "code", location=OpenApiParameter.PATH, description="In any case."
)


class CompanyViewSet(
    BulkMixin,
    ChangesMixin,
    DuplicatesMixin,
    HierarchyMixin,
    MergingMixin,
    ListMixin,
    RetrieveMixin,
    CreateMixin,
    UpdateMixin,
    DestroyMixin,
    ClientViewSet,
):
    """Business customers, in hierarchies below their head companies."""

    queryset = Company.objects.order_by()
    shape = COMPANY
    serializer_class = CompanySerializer
    filterset_class = CompanyFilterSet
    read_scope = "companies:read"
    write_scope = "companies:write"
    ordering_fields = {
        "name": "name",
        "code": "code",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    def perform_create(self, serializer: Any) -> Company:
        return services.create_company(actor=self.actor, **serializer.validated_data)

    def perform_destroy(self, instance: Company) -> None:
        services.delete_company(
            instance, actor=self.actor, expected_version=self.expected_version
        )

    @extend_schema(
        operation_id="companies_by_code_retrieve",
        summary="A company by its code",
        description="The code of a company that was merged into another one answers "
        "with that one.",
        responses=CompanySerializer,
        parameters=[PATH_CODE],
    )
    @action(detail=False, url_path=CODE_IN_PATH, parameters=["fields", "expand"])
    def by_code(self, request: Request, code: str) -> Response:
        self._find_code(self.get_queryset(), code, merged=True)
        return self.retrieve(request, self.kwargs["pk"])

    @extend_schema(
        operation_id="companies_by_code_upsert",
        summary="Create or replace a company by its code",
        description="201 if the code is new, 200 if it replaced what the caller may "
        "write. If-Match is not needed: the last one wins. With it a stale write is "
        "refused, and so is a creation.",
        request=CompanySerializer,
        responses={
            200: CompanySerializer,
            201: OpenApiResponse(CompanySerializer, description="Created."),
        },
        parameters=[PATH_CODE, MAY_MATCH],
    )
    @by_code.mapping.put
    def upsert(self, request: Request, code: str) -> Response:
        version = self.version_if_given
        self._check_code_in_body(code)
        with transaction.atomic():
            try:
                company = self._find_code(locked(self.get_queryset()), code)
            except Http404:
                if version is not None:
                    raise StaleVersion(version=None) from None
                _check_form(code)
                request.data["code"] = code
                return self.create(request)
            services.check_version(company, version)
            self._refuse_merged(company)
            request.data.pop("code", None)
            serializer = self.read_input(company)
            with serializer.placing_errors():
                return self.answer(self.perform_update(serializer).pk)

    def _find_code(self, rows: Any, code: str, *, merged: bool = False) -> Company:
        """The company of that code; `merged`: or the one into which it was merged."""
        # PostgreSQL would fail on NUL; and no company has what is no code.
        found = rows.with_code(code).first() if CODE.fullmatch(code) else None
        gone = found is None or found.status == Company.Status.CLOSED
        if merged and gone and CODE.fullmatch(code):
            found = answering_to(code, rows).first()
        if found is None:
            raise Http404
        self.kwargs["pk"] = str(found.pk)
        return found

    def _refuse_merged(self, company: Company) -> None:
        """Two records elsewhere would overwrite each other in the one that stays."""
        if company.status == Company.Status.CLOSED:
            stays = merged_into(company.pk)
            if stays is not None:
                seen = self.get_queryset().filter(pk=stays).exists()
                raise MergedCompany(company=company.pk, into=stays if seen else None)

    def _check_code_in_body(self, code: str) -> None:
        sent = self.request.data.get("code", code)
        if not isinstance(sent, str) or sent.lower() != code.lower():
            error = serializers.ErrorDetail("Not the code of the path.", "read_only")
            raise serializers.ValidationError({"code": [error]})

    @extend_schema(
        summary="Locations of a company",
        description="Its own, and those that companies above it share.",
        responses=LocationSerializer(many=True),
        filters=False,
        parameters=[
            OpenApiParameter(
                "own", OpenApiTypes.BOOL, description="Only the company's own."
            )
        ],
    )
    @action(detail=True, parameters=[*KeysetPagination.parameters, "own"])
    def locations(self, request: Request, pk: str) -> Response:
        own = self.flag("own")
        self.check_visible()
        rows = Location.objects.visible_to(self.client)
        rows = rows.filter(company=pk) if own else rows.usable_by(int(pk))
        return self.page(rows, LOCATION, allowed={"name": "name"})

    @extend_schema(
        summary="People of a company",
        description="Who is assigned to it, and to a company above that covers "
        "subsidiaries.",
        responses=PersonSerializer(many=True),
        filters=False,
    )
    @action(
        detail=True, parameters=KeysetPagination.parameters, read_scope="contacts:read"
    )
    def people(self, request: Request, pk: str) -> Response:
        self.check_visible()
        above = ExpressionWrapper(~Q(company=pk), output_field=BooleanField())
        rows = ContactAssignment.objects.visible_to(self.client).reaching(int(pk))
        return self.page(rows.annotate(inherited=above), PERSON, allowed={})

    @extend_schema(
        summary="History of a company",
        description="Who changed what, when, before and after; the newest first.",
        responses=HistoryEntrySerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=["cursor", "page_size", "count"])
    def history(self, request: Request, pk: str) -> Response:
        self.check_visible()
        rows = Company.history.filter(id=pk)
        newest_first = {"default": ["-entry"], "allowed": {"entry": "history_id"}}
        return self.page(rows, HISTORY, **newest_first)


def _check_form(code: str) -> None:
    """Blanks around a code in a path are no typing error: nothing is trimmed here."""
    if not CODE.fullmatch(code):
        text = "1 to 64 of the characters A-Z a-z 0-9 . _ -"
        detail = serializers.ErrorDetail(text, "code")
        raise serializers.ValidationError({"code": [detail]})
