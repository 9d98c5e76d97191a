"""Who gets which prices: customer groups, their members, and how far they reach."""

from .group import AUTOMATIC, CustomerGroup, CustomerGroupQuerySet, Kind
from .member import GroupMember, GroupMemberQuerySet
from .propagation import GroupPropagation, GroupPropagationQuerySet, Mode

__all__ = [
    "AUTOMATIC",
    "CustomerGroup",
    "CustomerGroupQuerySet",
    "GroupMember",
    "GroupMemberQuerySet",
    "GroupPropagation",
    "GroupPropagationQuerySet",
    "Kind",
    "Mode",
]
