"""Endpoints of locations, and of links between companies."""

from companies.api.filters import LinkFilterSet, LocationFilterSet
from companies.api.serializers import LinkSerializer, LocationSerializer
from companies.api.shapes import LINK, LOCATION
from companies.models import CompanyLink, Location
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class LocationViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Places where companies are; subsidiaries may use those that are shared."""

    queryset = Location.objects.all()
    shape = LOCATION
    serializer_class = LocationSerializer
    filterset_class = LocationFilterSet
    read_scope = "companies:read"
    write_scope = "companies:write"
    ordering_fields = {
        "name": "name",
        "city": "city",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }


class LinkViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Owners and other links beside the tree; they give no rights."""

    queryset = CompanyLink.objects.all()
    shape = LINK
    serializer_class = LinkSerializer
    filterset_class = LinkFilterSet
    read_scope = "companies:read"
    write_scope = "companies:write"
    ordering_fields = {
        "percent": "percent",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }
