"""Staff pages of companies: the tree, one company with its tabs, people, places."""

from . import glance, home, search, timeline  # noqa: F401  (add to pages of config.admin)
from .company import CompanyAdmin
from .imports import ImportAdmin, ImportMappingAdmin
from .people import ContactAdmin, ContactAssignmentAdmin
from .places import CompanyLinkAdmin, LocationAdmin
from .portfolio import KeyAccountInline

__all__ = [
    "CompanyAdmin",
    "CompanyLinkAdmin",
    "ContactAdmin",
    "ContactAssignmentAdmin",
    "ImportAdmin",
    "ImportMappingAdmin",
    "KeyAccountInline",
    "LocationAdmin",
]
