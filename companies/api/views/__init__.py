"""The endpoints of companies and people."""

from .companies import CompanyViewSet
from .people import AssignmentViewSet, ContactViewSet
from .places import LinkViewSet, LocationViewSet

__all__ = [
    "AssignmentViewSet",
    "CompanyViewSet",
    "ContactViewSet",
    "LinkViewSet",
    "LocationViewSet",
]
