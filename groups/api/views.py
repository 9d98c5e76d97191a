"""Endpoints of customer groups, their members, and the prices that they give."""

import re
from typing import Any

from django.db import models, transaction
from django.http import Http404
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from companies.models import Company, Contact
from companies.models.company import HEAD
from config.api.errors import invalid_parameter
from config.api.etags import IF_MATCH, etag
from config.api.pagination import KeysetPagination
from config.compiled import ByKey
from groups import services
from groups.membership import listed_in
from groups.models import CustomerGroup, GroupPropagation
from groups.pricing import answer, pricing_context
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)

from .filters import CustomerGroupFilterSet
from .serializers import (
    AutomaticGroupSerializer,
    CustomerGroupSerializer,
    GroupPropagationSerializer,
    MemberSerializer,
    NewMemberSerializer,
    PricingContextSerializer,
)
from .shapes import CUSTOMER_GROUP, MEMBER

ID = "[1-9][0-9]{0,17}"
CONTACTS = ByKey(Contact.objects.order_by().only("id", "is_active"))
COMPANIES = ByKey(Company.objects.order_by().only("id", HEAD))


class CustomerGroupViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Contacts who get the same prices. Each company has four groups of its own.

    Of these automatic groups only `price_list` can be written; all else is refused
    with 409 `automatic_group`. Without a company: a custom group across companies.
    """

    queryset = CustomerGroup.objects.all()
    shape = CUSTOMER_GROUP
    serializer_class = CustomerGroupSerializer
    filterset_class = CustomerGroupFilterSet
    read_scope = "groups:read"
    write_scope = "groups:write"
    ordering_fields = {"created_at": "created_at", "updated_at": "updated_at"}

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer:
        if args and args[0].is_automatic:
            context = self.get_serializer_context()
            return AutomaticGroupSerializer(*args, context=context, **kwargs)
        return super().get_serializer(*args, **kwargs)

    @extend_schema(
        summary="Members of a customer group",
        description="Of an automatic group: who is assigned today, in that role. Of a "
        "custom group: all who were added by hand; `in_force` says who counts today.",
        responses=MemberSerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=KeysetPagination.parameters)
    def members(self, request: Request, pk: str) -> Response:
        return self._page_of(self._listed())

    def _page_of(self, rows: models.QuerySet) -> Response:
        contact = {"contact": "contact_id"}
        return self.page(rows, MEMBER, default=["contact"], allowed=contact)

    @extend_schema(
        summary="Add a member by hand",
        request=NewMemberSerializer,
        responses={201: MemberSerializer},
    )
    @members.mapping.post
    def add_member(self, request: Request, pk: str) -> Response:
        group = self.get_object()
        contact = self.read_action(NewMemberSerializer)["contact"]
        with transaction.atomic():
            services.add_member(group, contact, actor=self.actor)
        (member,) = MEMBER.rows(self._listed().filter(contact=contact))
        return Response(member, 201)

    @extend_schema(
        summary="Take a member out",
        responses={204: OpenApiResponse(description="The contact is no member now.")},
        parameters=[
            OpenApiParameter("contact", OpenApiTypes.INT, OpenApiParameter.PATH)
        ],
    )
    @action(detail=True, methods=["delete"], url_path=f"members/(?P<contact>{ID})")
    def remove_member(self, request: Request, pk: str, contact: str) -> Response:
        group = self.get_object()
        seen = Contact.objects.visible_to(self.client).filter(pk=contact).first()
        if seen is None:
            raise Http404
        services.remove_member(group, seen, actor=self.actor)
        return Response(status=204)

    def _listed(self) -> models.QuerySet:
        """The members of the group in the path, of the people whom the client sees."""
        seen = Contact.objects.visible_to(self.client).order_by()
        return listed_in(self.get_object()).filter(contact__in=seen)


class GroupPropagationViewSet(ClientViewSet):
    """In which direction prices reach in the hierarchy of a company."""

    queryset = Company.objects.order_by()
    serializer_class = GroupPropagationSerializer
    read_scope = "groups:read"
    write_scope = "groups:write"

    @extend_schema(
        operation_id="companies_group_propagation_retrieve",
        summary="Reach of prices in a hierarchy",
        description="What holds for the company, whose head company it is set for.",
        responses=GroupPropagationSerializer,
        filters=False,
    )
    @action(detail=True, url_path="group-propagation")
    def propagation(self, request: Request, pk: str) -> Response:
        return self._answer(services.propagation_of(self.get_object()))

    @extend_schema(
        operation_id="companies_group_propagation_update",
        summary="Set the reach of prices in a hierarchy",
        description="At its head company only: 409 `not_a_head_company` elsewhere.",
        request=GroupPropagationSerializer,
        responses=GroupPropagationSerializer,
        parameters=[IF_MATCH],
    )
    @propagation.mapping.put
    def set_propagation(self, request: Request, pk: str) -> Response:
        company = self.get_object()
        propagation = services.propagation_of(company)
        self.check_version(propagation)
        mode = self.read_input(propagation).validated_data["mode"]
        return self._answer(
            services.set_propagation(
                company, mode, actor=self.actor, expected_version=self.expected_version
            )
        )

    def _answer(self, propagation: GroupPropagation) -> Response:
        self.headers["ETag"] = etag(propagation.version)
        return Response(_shown(propagation))

    def _current(self) -> dict[str, Any]:
        return _shown(services.propagation_of(self.get_object()))


def _shown(propagation: GroupPropagation) -> dict[str, Any]:
    return {
        "company": propagation.company_id,
        "mode": str(propagation.mode),
        "version": propagation.version,
    }


class PricingContextViewSet(ClientViewSet):
    """What a price engine asks."""

    queryset = CustomerGroup.objects.all()
    serializer_class = PricingContextSerializer
    pagination_class = None
    read_scope = "groups:read"
    write_scope = "groups:write"  # there is nothing to write: 405

    def known_parameters(self) -> set[str]:
        return {"contact", "company"}

    @extend_schema(
        operation_id="pricing_context_retrieve",
        summary="Groups and price lists for a person who buys for a company",
        description="In the order in which they count: the groups of the company, then "
        "those of each company above, then those across companies; at each company "
        "custom groups before Admins, Buyers, Requesters and Contacts. Empty, with a "
        "`reason`, for a contact who is deactivated or not assigned in the hierarchy.",
        responses=forced_singular_serializer(PricingContextSerializer),
        filters=False,
        parameters=[
            OpenApiParameter("contact", OpenApiTypes.INT, required=True),
            OpenApiParameter("company", OpenApiTypes.INT, required=True),
        ],
    )
    def list(self, request: Request) -> Response:
        contact_id, company_id = self._id("contact"), self._id("company")
        contact = self._named(CONTACTS, int(contact_id))
        company = self._named(COMPANIES, int(company_id))
        return Response(answer(pricing_context(contact, company, client=self.client)))

    def _id(self, name: str) -> str:
        value = self.request.query_params.get(name, "")
        if not value:
            raise invalid_parameter(name, "Name it by its id.", "required")
        if not re.fullmatch(ID, value, re.ASCII):
            raise invalid_parameter(name, "An id is a whole number.", "invalid")
        return value

    def _named(self, all_rows: ByKey, pk: int) -> Any:
        seen = all_rows.rows.visible_to(self.client)
        if seen is all_rows.rows:
            found = all_rows.get(pk)
        else:
            found = seen.filter(pk=pk).first()
        if found is None:
            raise Http404
        return found
