"""A resource as any other, by which the bases of the API are tested."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from companies.models import Company, Location
from config.api.filters import StrictFilterSet, VisibleModelChoiceFilter
from config.api.rows import Shape, related
from config.api.serializers import CleanModelSerializer
from config.urls import urlpatterns as real_patterns
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)

PLACE = Shape(
    "id",
    "name",
    "type",
    company="company_id",
    address=Shape("city", "country", line="address_line1"),
    version="version",
    created_at="created_at",
    expandable={
        "company": related(
            lambda client: Company.objects.visible_to(client),
            Shape("id", "code"),
            "company_id",
        )
    },
)


class AddressSerializer(CleanModelSerializer):
    class Meta:
        model = Location
        fields = ["city", "country", "line"]
        extra_kwargs = {"line": {"source": "address_line1"}}


class PlaceSerializer(CleanModelSerializer):
    address = AddressSerializer(source="*", required=False)

    class Meta:
        model = Location
        fields = ["id", "name", "type", "company", "address", "version", "created_at"]
        read_only_fields = ["id", "version", "created_at"]
        create_only_fields = ["company"]


class PlaceFilterSet(StrictFilterSet):
    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)

    class Meta:
        model = Location
        fields = ["city", "is_shared", "version"]


class PlaceViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    queryset = Location.objects.all()
    shape = PLACE
    serializer_class = PlaceSerializer
    filterset_class = PlaceFilterSet
    read_scope = "companies:read"
    write_scope = "companies:write"
    ordering_fields = {"name": "name", "city": "city", "created_at": "created_at"}


class CrashViewSet(PlaceViewSet):
    def list(self, request):
        raise ZeroDivisionError


router = SimpleRouter()
router.register("places", PlaceViewSet, basename="place")
router.register("crashes", CrashViewSet, basename="crash")
urlpatterns = [
    path("api/v1/", include((router.urls, "places"))),
    *real_patterns,
]
