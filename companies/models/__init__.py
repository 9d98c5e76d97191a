"""Who our customers are: companies in hierarchies, their places and their people."""

from .assignment import ContactAssignment, ContactAssignmentQuerySet
from .company import Company, CompanyQuerySet
from .contact import Contact, ContactQuerySet
from .imports import Import, ImportMapping, ImportPart
from .link import CompanyLink, CompanyLinkQuerySet
from .location import Location, LocationQuerySet
from .merge import CompanyMerge
from .portfolio import KeyAccount, StaffSight

__all__ = [
    "Company",
    "CompanyLink",
    "CompanyLinkQuerySet",
    "CompanyMerge",
    "CompanyQuerySet",
    "Contact",
    "ContactAssignment",
    "ContactAssignmentQuerySet",
    "ContactQuerySet",
    "Import",
    "ImportMapping",
    "ImportPart",
    "KeyAccount",
    "Location",
    "LocationQuerySet",
    "StaffSight",
]
