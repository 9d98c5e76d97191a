"""What happened to a company itself, its places, people, links, and by merges."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import (
    Company,
    CompanyLink,
    CompanyMerge,
    Contact,
    ContactAssignment,
    Location,
)
from config.admin import (
    Entry,
    Ref,
    Source,
    add_sources,
    history_source,
    joined,
    name_actors,
    rows_of,
)

MERGES = ("merges", gettext_lazy("merges"), Company)


def contact_names(request: HttpRequest, pks: set[int]) -> dict[int, str]:
    people = rows_of(request, Contact)
    return {pk: str(person) for pk, person in people.in_bulk(pks).items()}


def place_name(entry: Any) -> str:
    kind = Location.Type(entry.type).label
    return entry.name or joined(kind, entry.city, entry.code)


def merges_of(request: HttpRequest, company: Company) -> QuerySet:
    return CompanyMerge.objects.filter(Q(company=company) | Q(into=company))


def undone_of(request: HttpRequest, company: Company) -> QuerySet:
    return merges_of(request, company).exclude(undone_at=None)


def tell_merges(rows: QuerySet) -> dict[int, Entry]:
    return {
        merge.pk: Entry(
            at=merge.created_at,
            actor=merge.actor,
            verb="",
            subject=(
                Ref(Company, merge.company_id),
                _("merged into"),
                Ref(Company, merge.into_id),
            ),
            reason=merge.reason,
        )
        for merge in rows.defer("steps")
    }


def tell_undone(rows: QuerySet) -> dict[int, Entry]:
    return {
        merge.pk: Entry(
            at=merge.undone_at,
            actor=merge.undone_by,
            verb=_("taken back"),
            subject=(
                Ref(Company, merge.company_id),
                _("merged into"),
                Ref(Company, merge.into_id),
            ),
        )
        for merge in rows.defer("steps")
    }


name_actors("contact", contact_names)
add_sources(
    "companies.Company",
    history_source(
        Company,
        kind="company",
        label=gettext_lazy("company"),
        rows=lambda company: Company.history.filter(id=company.pk),
        subject=lambda entry: (entry.name,),
        about=lambda entry: None,
        hidden=(),
    ),
    history_source(
        Location,
        kind="locations",
        label=gettext_lazy("locations"),
        rows=lambda company: Location.history.filter(company_id=company.pk),
        subject=lambda entry: (place_name(entry),),
    ),
    history_source(
        ContactAssignment,
        kind="people",
        label=gettext_lazy("people"),
        rows=lambda company: ContactAssignment.history.filter(company_id=company.pk),
        subject=lambda entry: (Ref(Contact, entry.contact_id),),
        hidden=("company", "contact"),
    ),
    history_source(
        CompanyLink,
        kind="links",
        label=gettext_lazy("links"),
        rows=lambda company: CompanyLink.history.filter(
            Q(company_id=company.pk) | Q(other_id=company.pk)
        ),
        subject=lambda entry: (
            Ref(Company, entry.company_id),
            CompanyLink.Kind(entry.kind).label,
            Ref(Company, entry.other_id),
        ),
        hidden=("company", "kind", "other"),
    ),
    Source(*MERGES, merges_of, tell_merges, at="created_at"),
    Source(*MERGES, undone_of, tell_undone, at="undone_at"),
)
