"""What exports write can be imported again, and changes nothing."""

import io
from pathlib import Path

import pytest

from approvals.exports import LIMITS
from approvals.models import PurchaseLimit
from companies.exports import ASSIGNMENTS, COMPANIES, CONTACTS, LOCATIONS
from companies.models import Company, Contact, ContactAssignment, Location
from config.spreadsheets import csv_pieces, rows_of, write_xlsx
from tests.approvals.makers import make_limit
from tests.factories import make_assignment, make_chain, make_contact, make_location
from tests.imports import counts, load

pytestmark = pytest.mark.django_db

KINDS = {
    "companies": (Company, COMPANIES, 3),
    "locations": (Location, LOCATIONS, 2),
    "contacts": (Contact, CONTACTS, 3),
    "assignments": (ContactAssignment, ASSIGNMENTS, 2),
    "limits": (PurchaseLimit, LIMITS, 3),
}


def make_everything() -> None:
    head, sub, low = make_chain(3)
    for company, name in ((head, "=cmd"), (sub, "'=cmd"), (low, "'s-Hertogenbosch")):
        company.name = name
        company.attributes = {"a": [1, {"b": 0.5}], "kind": "x", "t": "ä"}
        company.registered_on = "2020-02-29"
        company.save()
    make_location(company=head, code="hq", is_shipping=True, phone="+49 30 1234")
    make_location(company=sub, code="2", city="@Ort", is_shared=True)
    first = make_assignment(company=head, role="ADMIN", covers_subsidiaries=True)
    make_assignment(company=low, type="PRIMARY", valid_until="2030-01-01")
    make_contact(first_name="-1", phone="+1 555 0100", external_id="007")
    make_limit(company=head, amount="1250.50", period="MONTH", alert_percents=[80, 95])
    make_limit(company=sub, amount=0, binds="ROLES", roles=["BUYER", "REQUESTER"])
    PurchaseLimit.objects.create(
        company=head,
        unlimited=True,
        currency="JPY",
        binds="CONTACT",
        contact=first.contact,
        note="=note",
    )


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_is_imported_changes_nothing(
    tmp_path: Path, kind: str, suffix: str
):
    # given
    make_everything()
    model, columns, count = KINDS[kind]
    path, content = tmp_path / f"x.{suffix}", io.BytesIO()
    rows = rows_of(model.objects.order_by("pk"), columns)
    if suffix == "csv":
        content.write(b"".join(csv_pieces(rows)))
    else:
        write_xlsx(rows, content)
    path.write_bytes(content.getvalue())
    # when
    plan = load(path, kind="contacts" if kind == "assignments" else kind)
    # then
    assert counts(plan) == (0, 0, 0, count, 0), [o.changes for o in plan.outcomes]
