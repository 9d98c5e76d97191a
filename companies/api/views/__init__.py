"""The endpoints of companies and people."""

from .acting import ActingLocationViewSet, ActingPeopleViewSet
from .companies import CompanyViewSet
from .imports import ImportViewSet
from .people import AssignmentViewSet, ContactViewSet
from .places import LinkViewSet, LocationViewSet

__all__ = [
    "ActingLocationViewSet",
    "ActingPeopleViewSet",
    "AssignmentViewSet",
    "CompanyViewSet",
    "ContactViewSet",
    "ImportViewSet",
    "LinkViewSet",
    "LocationViewSet",
]
