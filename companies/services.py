"""Changes of companies and people that are more than saving one row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.utils import timezone

from config.actors import SYSTEM, Actor
from config.db import in_transaction, locked
from config.errors import StaleVersion
from integrations.models import IdempotencyRecord

from .errors import CompanyInUse, ContactErased, MergedCompany, ParentGone
from .models import Company, Contact, ContactAssignment, Import
from .models.company import Status
from .models.contact import PERSONAL_FIELDS
from .models.merge import merged_into
from .preview import Preview, as_previewed, preview_change
from .signals import contact_erased, rights_changing
from .tree.guard import lock_companies


@in_transaction
def create_company(*, actor: Actor, **fields: Any) -> Company:
    """A new company, with its automatic groups; below `parent` or as a head company.

    Raises ValidationError, ParentClosed, TooDeep.
    """
    company = Company(**fields)
    company.by(actor).full_clean(exclude=["parent"])  # the guard reads it again
    company.save()
    return company


@in_transaction
def move_company(
    company: Company,
    parent: Company | None,
    *,
    actor: Actor,
    expected_version: int | None = None,
    reason: str = "",
    previewed: str = "",
) -> Company:
    """Place a company and everything below it under `parent`; None: to the top.

    Ledger, history, requests, groups and people keep their company. `previewed`: the
    token of a preview, of which nothing may have changed since. Raises WouldCloseCycle,
    TooDeep, ParentClosed, ParentGone, StaleVersion, PreviewOutdated.
    """
    target = parent.pk if parent else None
    try:
        found = lock_companies(Company, [company, parent])
    except Company.DoesNotExist:
        if parent is None or Company.objects.filter(pk=parent.pk).exists():
            raise
        raise ParentGone(parent=parent.pk) from None
    company, parent = found[company.pk], found.get(target)
    check_version(company, expected_version)
    if company.parent_id != target:
        with as_previewed(company, _to(parent), previewed):
            company.by(actor, reason).move(parent)
    return company


def preview_move(
    company: Company, parent: Company | None, *, actor: Actor = SYSTEM
) -> Preview:
    """What the move would change, in all apps. Raises what the move would raise."""
    return preview_change(
        company, _to(parent), lambda: move_company(company, parent, actor=actor)
    )


def _to(parent: Company | None) -> str:
    return f"move to {parent.pk if parent else 'the top'}"


@in_transaction
def set_status(
    company: Company,
    status: Status,
    *,
    actor: Actor,
    reason: str,
    expected_version: int | None = None,
    previewed: str = "",
    confirm: bool = True,
) -> Company:
    """Activate, hold or close a company. All below it feel it with their next call.

    Waits for purchases in the hierarchy that are being submitted or decided.
    `previewed`: the token of a preview, of which nothing may have changed since.
    Without `confirm` closing is refused if others would be left stranded: the app that
    knows them says so. Raises PreviewOutdated, StaleVersion, MergedCompany.
    """
    company = lock_companies(Company, [company])[company.pk]
    check_version(company, expected_version)
    if company.status == status:
        return company
    if company.status == Status.CLOSED and merged_into(company.pk) is not None:
        raise MergedCompany(company=company.pk)  # first the merge is taken back
    confirm = confirm or status != Status.CLOSED
    with (
        watching_rights(company=company.pk, closing=True, confirm=confirm),
        as_previewed(company, status, previewed),
    ):
        company.status = status
        company.by(actor, reason).save(update_fields=["status"])
    return company


def preview_status(
    company: Company, status: Status, *, actor: Actor = SYSTEM
) -> Preview:
    """What activating, holding or closing the company would change, in all apps."""
    return preview_change(
        company,
        status,
        lambda: set_status(company, status, actor=actor, reason="preview"),
    )


@contextmanager
def watching_rights(
    *,
    contact: int | None = None,
    company: int | None = None,
    closing: bool = False,
    confirm: bool = False,
) -> Iterator[None]:
    """Make a change in here that may end rights of a person, or of people at a company.

    `closing`: the company is closed. Afterwards the apps that rely on these rights may
    refuse the change, if it is not confirmed: raise NeedsConfirmation inside the
    change's transaction, which is then rolled back.
    """
    answers = []
    if not confirm:
        asked = {"contact": contact, "company": company, "closing": closing}
        answers = rights_changing.send(Company, **asked)
    yield
    for _receiver, refuse in answers:
        refuse()


@in_transaction
def delete_company(
    company: Company, *, actor: Actor, expected_version: int | None = None
) -> None:
    """Delete a company that was never used; one that was is closed instead.

    Its locations and automatic groups go with it. Raises CompanyInUse.
    """
    company = lock_companies(Company, [company])[company.pk]
    check_version(company, expected_version)
    if company.was_ever_used():
        raise CompanyInUse(company=company.pk)
    try:
        company.by(actor).delete()
    except ProtectedError as error:
        raise CompanyInUse(company=company.pk) from error


@in_transaction
def erase_contact(
    contact: Contact, *, actor: Actor, expected_version: int | None = None
) -> Contact:
    """Replace a person's data by a pseudonym, in the history too; for good.

    The person stays assigned and inactive, so that decisions still name somebody.
    Raises ContactErased if it was done before.
    """
    contact = locked(Contact.objects.filter(pk=contact.pk)).get()
    check_version(contact, expected_version)
    if contact.erased_at is not None:
        raise ContactErased(contact=contact.pk)
    IdempotencyRecord.objects.forget_answers(
        [contact.email, contact.first_name, contact.last_name, contact.phone]
    )
    pseudonym = dict.fromkeys(PERSONAL_FIELDS, "") | {
        "email": f"erased-{contact.pk}@invalid.example",
        "external_id": "",
        "is_active": False,
    }
    for name, value in pseudonym.items():
        setattr(contact, name, value)
    contact.erased_at = timezone.now()
    contact.by(actor, "erasure").save()
    Contact.history.filter(id=contact.pk).update(**pseudonym)
    Import.objects.forget_people()
    contact_erased.send(Contact, contact=contact)
    return contact


ASSIGNED = ("type", "role", "covers_subsidiaries", "valid_from", "valid_until")


def invite_person(
    company: int, *, actor: Actor, email: str, **fields: Any
) -> ContactAssignment:
    """Assign a person to the company, by e-mail; somebody new if nobody has it.

    Who is known keeps the data they have. For the transaction of the caller. Raises
    ValidationError (`already_assigned`), at the e-mail for what the person is about.
    """
    contact = Contact.objects.with_email(email).first()
    if contact is None:
        personal = {name: fields[name] for name in PERSONAL_FIELDS if name in fields}
        contact = Contact(email=email, registered_by_id=actor.client_id, **personal)
        contact.by(actor).full_clean()
        contact.save()
    assigned = {name: fields[name] for name in ASSIGNED if name in fields}
    assignment = ContactAssignment(contact=contact, company_id=company, **assigned)
    try:
        assignment.by(actor).full_clean()
    except ValidationError as error:
        raise _at_email(error) from error
    assignment.save()
    return assignment


def _at_email(error: ValidationError) -> ValidationError:
    """What is wrong with the choice of the person is wrong with the e-mail sent."""
    found = dict(error.error_dict)
    about_person = [*found.pop("contact", ()), *found.pop("__all__", ())]
    if about_person:
        found["email"] = [*about_person, *found.get("email", ())]
    return ValidationError(found)


def check_version(row: Any, expected_version: int | None) -> None:
    """Raise StaleVersion if the caller decided on another version of the row."""
    if expected_version is not None and row.version != expected_version:
        raise StaleVersion(version=row.version)
