"""Customer groups: the automatic ones, members, and how far prices reach."""

from collections.abc import Collection

from django.db import connection, transaction
from django.utils import timezone

from companies.models import Company, Contact
from config.actors import Actor
from config.bulk import copy_rows
from config.db import locked
from config.errors import StaleVersion

from .errors import AutomaticGroup, NotAHeadCompany, NotAMember
from .models import (
    AUTOMATIC,
    CustomerGroup,
    GroupMember,
    GroupPropagation,
    Mode,
)

# Each new company needs them: to have Django write it costs five times as much.
MAKE = (
    f"INSERT INTO {CustomerGroup._meta.db_table} (version, created_at, updated_at, "
    "company_id, kind, name, code, price_list, search_text) VALUES"
)
GROUP = "(1, %s, %s, %s, %s, '', '', '', '')"


def create_automatic_groups(company_ids: Collection[int]) -> None:
    """Give each company its four automatic groups; keep those that it has.

    They are part of the company's creation: told by its event and its history entry,
    they have none of their own until somebody changes them.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    places = [(company, kind) for company in company_ids for kind in AUTOMATIC]
    values = [value for company, kind in places for value in (now, now, company, kind)]
    if places:
        rows = ", ".join([GROUP] * len(places))
        with connection.cursor() as cursor:
            cursor.execute(f"{MAKE} {rows} ON CONFLICT DO NOTHING", values)


@transaction.atomic
def load_automatic_groups(company_ids: Collection[int]) -> None:
    """The same for new companies of a bulk load, of which none has a group yet."""
    now = timezone.now()
    made = {
        "kind": "",
        "name": "",
        "code": "",
        "price_list": "",
        "search_text": "",
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    rest = tuple(made.values())[1:]
    copy_rows(
        CustomerGroup,
        ["company_id", *made],
        (
            (company_id, str(kind), *rest)
            for company_id in company_ids
            for kind in AUTOMATIC
        ),
    )


@transaction.atomic
def add_member(group: CustomerGroup, contact: Contact, *, actor: Actor) -> GroupMember:
    """Put a contact into a custom group.

    Raises AutomaticGroup, and ValidationError for a contact who is in it already or
    works nowhere in the group's hierarchy.
    """
    group = _locked_custom(group)
    member = GroupMember(group=group, contact=contact)
    member.by(actor).full_clean()
    member.save()
    return member


@transaction.atomic
def remove_member(group: CustomerGroup, contact: Contact, *, actor: Actor) -> None:
    """Take a contact out of a custom group. Raises AutomaticGroup, NotAMember."""
    group = _locked_custom(group)
    member = group.memberships.filter(contact=contact).first()
    if member is None:
        raise NotAMember(group=group.pk, contact=contact.pk)
    member.by(actor).delete()


def _locked_custom(group: CustomerGroup) -> CustomerGroup:
    group = locked(CustomerGroup.objects.filter(pk=group.pk)).get()
    if group.is_automatic:
        raise AutomaticGroup(group=group.pk)
    return group


def propagation_of(company: Company) -> GroupPropagation:
    """What holds in the company's hierarchy; not saved where nobody has set it."""
    stored = GroupPropagation.objects.filter(company=company.head_id).first()
    return stored or GroupPropagation(company_id=company.head_id, version=0)


@transaction.atomic
def set_propagation(
    head: Company, mode: Mode, *, actor: Actor, expected_version: int | None = None
) -> GroupPropagation:
    """Choose the direction in which prices reach in a hierarchy.

    Version 0 is that of a hierarchy for which nobody has chosen yet. Raises
    NotAHeadCompany, StaleVersion.
    """
    head = locked(Company.objects.filter(pk=head.pk)).get()
    if not head.is_head:
        raise NotAHeadCompany(company=head.pk, head=head.head_id)
    propagation = propagation_of(head)
    if expected_version is not None and propagation.version != expected_version:
        raise StaleVersion(version=propagation.version)
    if propagation.mode != mode or propagation._state.adding:
        propagation.mode = mode
        propagation.by(actor).full_clean()
        propagation.save()
    return propagation
