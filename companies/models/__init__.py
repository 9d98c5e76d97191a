"""Who our customers are: companies in hierarchies, their places and their people."""

from .assignment import ContactAssignment, ContactAssignmentQuerySet
from .company import Company, CompanyQuerySet
from .contact import Contact, ContactQuerySet
from .link import CompanyLink, CompanyLinkQuerySet
from .location import Location, LocationQuerySet

__all__ = [
    "Company",
    "CompanyLink",
    "CompanyLinkQuerySet",
    "CompanyQuerySet",
    "Contact",
    "ContactAssignment",
    "ContactAssignmentQuerySet",
    "ContactQuerySet",
    "Location",
    "LocationQuerySet",
]
