"""Who decides for whom, and until when: named, changed and ended."""

from typing import Any

from django.db import transaction

from companies.models import Company, Contact
from config.actors import Actor
from config.clean import clean_changes
from config.db import locked

from .locks import at_version
from .models import StandIn


@transaction.atomic
def name_stand_in(
    *,
    company: Company,
    contact: Contact,
    stand_in: Contact,
    actor: Actor,
    **fields: Any,
) -> StandIn:
    """Let somebody decide for a person, for a time. Raises ValidationError."""
    named = StandIn(company=company, contact=contact, stand_in=stand_in, **fields)
    _lock_both(named)
    named.by(actor).full_clean()
    named.save()
    return named


@transaction.atomic
def change_stand_in(
    named: StandIn, *, actor: Actor, expected_version: int, **fields: Any
) -> StandIn:
    """Change the dates or the amount; for other people there is another stand-in.

    Counts from the next decision on. Raises ValidationError, StaleVersion.
    """
    found = _read_again(named, expected_version)
    changed = {name for name, value in fields.items() if getattr(found, name) != value}
    for name in changed:
        setattr(found, name, fields[name])
    clean_changes(found, changed)
    if changed:
        found.by(actor).save()
    return found


@transaction.atomic
def end_stand_in(named: StandIn, *, actor: Actor, expected_version: int) -> None:
    """From now on they do not stand in any more; what they decided stands.

    No request is left without somebody by it: for whom they stood in still decides.
    Raises StaleVersion.
    """
    _read_again(named, expected_version).by(actor).delete()


def _read_again(named: StandIn, expected_version: int) -> StandIn:
    _lock_both(named)
    return at_version(StandIn.objects.filter(pk=named.pk).first(), expected_version)


def _lock_both(named: StandIn) -> None:
    """Nobody decides by a right that ends at this moment: deciders lock their own row.

    So of two changes of one stand-in, too, the second reads what the first wrote.
    """
    people = [named.contact_id, named.stand_in_id]
    list(locked(Contact.objects.filter(pk__in=people)).values_list("pk"))
