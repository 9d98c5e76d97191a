"""Emporix' JSON comes in field by field; the same files once more change nothing."""

import csv
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from approvals.emporix.companies import COMPANY, LIMIT, PLACE
from approvals.emporix.people import COPY, CUSTOMER
from approvals.models import ApprovalGroup, PurchaseLimit
from companies.models import Company, Contact, ContactAssignment, Location
from config.actors import SYSTEM
from groups.check import find_group_faults
from groups.models import CustomerGroup
from integrations.models import Event
from tests.factories import make_company

from .makers import DATA, FILES, assignment, below, entity, load, stored, write

pytestmark = pytest.mark.django_db


def test_legal_entities_become_companies_in_their_tree():
    load()

    fields = (
        "code",
        "name",
        "parent__code",
        "legal_name",
        "registered_on",
        "registration_agency",
        "registration_id",
        "country",
        "tax_id",
    )
    found = {row[0]: row[1:] for row in Company.objects.values_list(*fields)}
    agency = "Amtsgericht Musterstadt"
    assert found == {
        "le-muster": (
            "Muster Anlagen",
            None,
            "Muster Anlagen Holding AG",
            date(1999, 11, 24),
            agency,
            "HRB 000001",
            "DE",
            "DE999000009",
        ),
        "le-muster-nord": (
            "Muster Anlagen Nord",
            "le-muster",
            "Muster Anlagen Nord GmbH",
            date(2011, 5, 2),
            agency,
            "HRB 000002",
            "DE",
            "",
        ),
        "le-solo": ("Einzelwerkstatt Beispiel", None, "", None, "", "", "AT", ""),
    }
    kept = dict(Company.objects.values_list("code", "attributes"))
    assert kept == {
        "le-muster": {
            "emporix": {"mixins": {"erp": {"debtor": "0001000", "discount": 2.5}}}
        },
        "le-muster-nord": {},
        "le-solo": {"emporix": {"restrictions": ["AT"]}},
    }


def test_locations_come_from_their_own_list_for_each_entity_that_names_them():
    load()

    fields = ("company__code", "code", "name", "type", "is_billing", "is_shipping")
    assert sorted(Location.objects.values_list(*fields)) == [
        ("le-muster", "loc-depot", "Lager", "WAREHOUSE", False, True),
        ("le-muster", "loc-hq", "Hauptverwaltung", "HEADQUARTERS", True, False),
        ("le-muster-nord", "loc-depot", "Lager", "WAREHOUSE", False, True),
    ]
    hq = Location.objects.get(code="loc-hq")
    assert (hq.address_line1, hq.address_line2) == ("Beispielweg 1", "Haus B")
    assert (hq.postcode, hq.city) == ("00001", "Musterstadt")
    assert (hq.region, hq.country) == ("Berlin", "DE")
    assert (hq.email, hq.phone) == ("zentrale@muster.example", "+49 30 0000000")


def test_people_come_with_their_types_and_the_roles_of_their_groups():
    load()

    rows = ContactAssignment.objects.values_list(
        "company__code", "contact__external_id", "type", "role"
    )
    assert sorted(rows) == [
        ("le-muster", "cu-ada", "PRIMARY", "ADMIN"),
        ("le-muster-nord", "cu-ada", "CONTACT", ""),
        ("le-muster-nord", "cu-bo", "LOGISTICS", "BUYER"),
        ("le-solo", "cu-cy", "CONTACT", ""),
    ]
    fields = ("first_name", "last_name", "phone", "language", "is_active")
    assert sorted(Contact.objects.values_list("email", *fields)) == [
        ("ada@muster.example", "Ada", "Beispiel", "+49 30 0000002", "de", True),
        ("bo@muster.example", "Bo", "Muster", "+49 30 0000001", "", True),
        ("cy@probe.example", "Cy", "Probe", "", "", False),
    ]


def test_a_role_that_came_up_from_a_subsidiary_gives_no_right_above():
    report = load()

    roles = ContactAssignment.objects.filter(company__code="le-muster")
    assert not roles.filter(contact__external_id="cu-bo").exists()
    where = "come up from a subsidiary: computed here"
    assert report.left_out["group user", where] == 1


def test_account_limits_and_groups_come_too():
    load()

    limits = PurchaseLimit.objects.values_list(
        "company__code", "amount", "currency", "period", "scope", "binds", "on_exceed"
    )
    same = ("EUR", "PURCHASE", "COMPANY", "ALL", "APPROVE")
    assert sorted(limits) == [
        ("le-muster", Decimal(25000), *same),
        ("le-muster-nord", Decimal("1000.99"), *same),
    ]
    custom = {
        group.code: (
            group.name,
            group.company and group.company.code,
            [member.contact.external_id for member in group.memberships.all()],
        )
        for group in CustomerGroup.objects.custom()
    }
    assert custom == {
        "grp-workshop": ("Workshops", "le-muster-nord", ["cu-bo"]),
        "grp-fair": ("Trade fair", None, ["cu-ada"]),
    }
    (approvers,) = ApprovalGroup.objects.all()
    assert (approvers.company.code, approvers.code) == ("le-muster-nord", "emporix")
    assert [one.external_id for one in approvers.members.all()] == ["cu-ada"]


def test_automatic_groups_history_and_events_come_with_it():
    load(caller={"reason": "import from Emporix"})

    assert CustomerGroup.objects.automatic().count() == 4 * 3
    assert find_group_faults() == []
    company = Company.objects.get(code="le-muster-nord")
    entry = company.history.get()
    assert (entry.history_change_reason, entry.history_user) == (
        "import from Emporix",
        str(SYSTEM),
    )
    kinds = set(Event.objects.filter(stream=company.pk).values_list("type", flat=True))
    assert {"company.created", "location.created", "purchase_limit.created"} <= kinds


def test_the_same_files_in_another_order_change_nothing():
    # given
    load()
    before, versions = stored(), list(Company.objects.values_list("code", "version"))

    # when
    report = load(*reversed(FILES))

    # then
    assert stored() == before
    assert list(Company.objects.values_list("code", "version")) == versions
    for what, totals in report.totals.items():
        assert totals.get("created", 0) == totals.get("updated", 0) == 0, what
        assert totals["unchanged"] > 0, what


def test_a_dry_run_says_the_same_and_stores_nothing():
    before = stored()

    dry = load(dry_run=True)
    nothing = stored()
    wet = load()

    assert nothing == before
    assert (dry.totals, dry.left_out) == (wet.totals, wet.left_out)


def test_what_has_changed_there_is_changed_here(tmp_path):
    # given
    load()
    company = Company.objects.get(code="le-muster")
    company.attributes |= {"ours": 1}
    company.save()
    text = (DATA / "legal-entities.json").read_text()
    changed = json.loads(text)
    changed[0] |= {"accountLimit": {"currency": "EUR", "value": 2000}, "parentId": ""}
    changed[0] |= {"type": "COMPANY", "approvalGroup": [{"id": "ca-bo"}]}
    changed[1] |= {"name": "Muster neu", "mixins": {"erp": {"debtor": "2"}}}
    path = tmp_path / "legal-entities.json"
    path.write_text(json.dumps(changed))

    # when
    report = load(path, *(file for file in FILES if file.name != path.name))

    # then
    head, nord = (Company.objects.get(code=c) for c in ("le-muster", "le-muster-nord"))
    assert (head.name, nord.parent) == ("Muster neu", None)
    kept = {"ours": 1, "emporix": {"mixins": {"erp": {"debtor": "2"}}}}
    assert head.attributes == kept
    assert nord.purchase_limits.get().amount == 2000
    approvers = ApprovalGroup.objects.get(company=nord).members
    assert [one.external_id for one in approvers.all()] == ["cu-bo"]
    assert report.totals["companies"]["updated"] == 2
    assert report.totals["approval groups"] == {"updated": 1}


def test_what_has_no_place_here_is_counted_by_field():
    report = load()

    assert report.left_out == {
        ("contact assignment", "metadata.version"): 1,
        ("contact assignment", "type BILLING of a primary contact"): 1,
        ("customer", "businessModel"): 2,
        ("customer", "customerNumber"): 1,
        ("customer", "of no legal entity"): 1,
        ("customer", "preferredCurrency"): 1,
        ("customer", "title"): 1,
        ("group", "description.en"): 1,
        ("group", "name.de"): 1,
        ("group", "of all customers"): 1,
        ("group", "of employees"): 1,
        ("group user", "come up from a subsidiary: computed here"): 1,
        ("group user", "of employees"): 1,
        ("group user", "of no legal entity"): 1,
        ("legal entity", "metadata.createdAt"): 2,
        ("legal entity", "metadata.modifiedAt"): 2,
        ("legal entity", "metadata.version"): 3,
        ("location", "contactDetails.emails: all but the first"): 1,
        ("location", "contactDetails.tags: reception"): 1,
        ("location", "metadata.version"): 1,
        ("location", "of no legal entity"): 1,
        ("location", "shared by several legal entities: copied"): 1,
    }


def test_subsidiaries_may_come_later_and_below_companies_that_are_stored(tmp_path):
    make_company(code="le-top")
    path = write(tmp_path / "one.json", legalEntities=[below("le-low", "le-top")])

    load(path)

    assert Company.objects.get(code="le-low").parent.code == "le-top"


def test_one_object_and_pages_behind_each_other_are_read_as_well(tmp_path):
    path = tmp_path / "pages.json"
    pages = [[below("le-b", "le-a")], entity(), {"contact-assignments": [assignment()]}]
    path.write_text("\ufeff" + "\n".join(map(json.dumps, pages)))

    report = load(path)

    assert (report.read["legal entity"], report.read["contact assignment"]) == (2, 1)
    assert Company.objects.get(code="le-b").parent.code == "le-a"


def test_a_wrong_tax_number_is_kept_as_an_attribute_if_one_asks_for_it(tmp_path):
    info = {"countryOfRegistration": "DE", "taxRegistrationNumber": "1234"}
    path = write(tmp_path / "one.json", legalEntities=[entity(legalInfo=info)])

    load(path, keep_tax_ids=True)
    again = load(path, keep_tax_ids=True)

    company = Company.objects.get(code="le-a")
    assert company.tax_id == ""
    assert company.attributes == {"emporix": {"taxRegistrationNumber": "1234"}}
    assert again.totals["companies"]["unchanged"] == 1


def test_the_command_prints_a_report(capsys):
    call_command("import_emporix", *map(str, FILES), "--dry-run")

    printed = capsys.readouterr().out
    assert "companies: 3 created, 0 updated, 0 unchanged" in printed
    assert "       2 x legal entity, metadata.createdAt" in printed
    assert "Dry run: nothing was stored" in printed
    assert Company.objects.count() == 0


def test_the_document_shows_what_is_printed(capsys):
    document = (Path(settings.BASE_DIR) / "docs" / "coming-from-emporix.md").read_text()
    shown = document.partition("```text\n")[2].partition("```")[0]

    call_command("import_emporix", *map(str, FILES))

    printed = capsys.readouterr().out
    assert printed.rpartition(";")[0] == shown.rpartition(";")[0]


@pytest.mark.parametrize("fields", [COMPANY, LIMIT, PLACE, CUSTOMER, COPY])
def test_the_document_has_each_field_of_both(fields):
    document = (Path(settings.BASE_DIR) / "docs" / "coming-from-emporix.md").read_text()
    words = set(re.findall(r"\w+", document)) | {"company_code", "parent_code"}

    theirs = {path.rpartition(".")[2] for path in fields.values()}
    assert (theirs | fields.keys()) - words - {
        "address_line1",
        "address_line2",
    } == set()


def test_the_command_names_file_object_and_field(tmp_path):
    info = {"countryOfRegistration": "XX"}
    path = write(tmp_path / "bad.json", legalEntities=[entity(legalInfo=info)])

    with pytest.raises(CommandError) as refused:
        call_command("import_emporix", str(path))

    place = "bad.json, legal entity le-a, legalInfo.countryOfRegistration: "
    assert str(refused.value).startswith(place)
    assert str(refused.value).endswith("[invalid_choice]\nNothing was stored.")


def test_a_real_tree_comes_in_as_it_is(tmp_path):
    # given
    folder = Path(settings.BASE_DIR) / "approvals" / "demo" / "data"
    with (folder / "starter_companies.csv").open() as file:
        rows = list(csv.DictReader(file))
    entities = [
        {
            "id": row["code"],
            "name": row["name"],
            "type": "SUBSIDIARY" if row["parent_code"] else "COMPANY",
            **({"parentId": row["parent_code"]} if row["parent_code"] else {}),
            "legalInfo": {
                "legalName": row["legal_name"],
                "registrationId": row["registration_id"],
                "countryOfRegistration": row["country"],
            },
            "accountLimit": {"currency": "EUR", "value": number},
            "approvalGroup": [{"id": f"ca-{number}"}],
        }
        for number, row in enumerate(rows)
    ]
    people = [
        assignment(f"ca-{number}", row["code"], f"cu-{number}", primary=True)
        for number, row in enumerate(rows)
    ]
    path = write(
        tmp_path / "all.json", contactAssignments=people, legalEntities=entities[::-1]
    )

    # when
    report = load(path)
    again = load(path)

    # then
    assert len(rows) > 200
    parents = dict(Company.objects.values_list("code", "parent__code"))
    assert parents == {row["code"]: row["parent_code"] or None for row in rows}
    limits = dict(PurchaseLimit.objects.values_list("company__code", "amount"))
    assert limits == {row["code"]: number for number, row in enumerate(rows)}
    assert ContactAssignment.objects.filter(type="PRIMARY").count() == len(rows)
    assert report.totals["approval groups"] == {"created": len(rows)}
    for totals in again.totals.values():
        assert totals.get("created", 0) == totals.get("updated", 0) == 0
