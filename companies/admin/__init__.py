"""Staff pages of companies: the tree, one company with its tabs, people, places."""

from .company import CompanyAdmin
from .people import ContactAdmin, ContactAssignmentAdmin
from .places import CompanyLinkAdmin, LocationAdmin

__all__ = [
    "CompanyAdmin",
    "CompanyLinkAdmin",
    "ContactAdmin",
    "ContactAssignmentAdmin",
    "LocationAdmin",
]
