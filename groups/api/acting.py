"""What a shop asks for the prices of the person for whom it acts."""

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from companies.api.acting import ActingViewSet
from companies.models import Company
from groups.models import CustomerGroup
from groups.pricing import answer, pricing_context

from .serializers import PricingContextSerializer


class ActingPricingViewSet(ActingViewSet):
    """The groups and price lists of the person who buys for the company."""

    queryset = CustomerGroup.objects.all()
    serializer_class = PricingContextSerializer
    pagination_class = None
    http_method_names = ["get", "head"]

    def known_parameters(self) -> set[str]:
        return set()

    @extend_schema(
        operation_id="as_in_pricing_context_retrieve",
        summary="Groups and price lists that count for the person here",
        responses=forced_singular_serializer(PricingContextSerializer),
        filters=False,
    )
    def list(self, request: Request) -> Response:
        company = Company.objects.get(pk=self.standpoint.company)
        context = pricing_context(self.standpoint.contact, company, client=self.client)
        return Response(answer(context))
