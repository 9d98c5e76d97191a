"""Records that may be companies which are stored already: noted, never refused."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from companies.duplicates import STORED, Facts, possible_duplicates
from companies.models import Company

from .kinds import Caller
from .plans import Outcome


def note_possible_duplicates(
    new: Iterable[tuple[Outcome, dict[str, Any]]], caller: Caller
) -> None:
    """Note at the outcomes of new companies which stored ones they may be, and why.

    `new` has the fields of each. The one place where an import asks for duplicates.
    """
    outcomes, facts = [], []
    for outcome, values in new:
        outcomes.append(outcome)
        facts.append(Facts.given(**{name: values.get(name) or "" for name in STORED}))
    seen = caller.sees(Company.objects.order_by())
    found = possible_duplicates(facts, among=seen)
    for outcome, duplicates in zip(outcomes, found, strict=True):
        for duplicate in duplicates:
            message = _("It may be %(name)s (%(code)s). %(reasons)s") % {
                "name": duplicate.name,
                "code": duplicate.code,
                "reasons": " ".join(str(r.message) for r in duplicate.reasons),
            }
            outcome.note("possible_duplicate", message, "code")
