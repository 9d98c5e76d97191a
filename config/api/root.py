"""GET /api/v1/: what there is."""

from typing import Any

from django.urls import NoReverseMatch
from drf_spectacular.utils import extend_schema
from rest_framework import views
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from .filters import check_parameters


class RootView(views.APIView):
    """The resources and their addresses; public, since it says nothing of anybody."""

    router: Any = None
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    http_method_names = ["get", "head"]

    @extend_schema(
        operation_id="resources",
        responses={(200, "application/json"): {"type": "object"}},
    )
    def get(self, request: Request) -> Response:
        check_parameters(request, set())
        addresses = {}
        for prefix, _view, basename in self.router.registry:
            try:
                url = reverse(f"api:{basename}-list", request=request)
            except NoReverseMatch:  # has no list of its own
                continue
            addresses[prefix] = url
        return Response(addresses)
