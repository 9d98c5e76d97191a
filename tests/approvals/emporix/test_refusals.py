"""What is wrong with files of Emporix is said with file, object, field and code."""

import json
from typing import Any

import pytest

from approvals.emporix import EmporixRefused
from approvals.models import ApprovalGroup
from companies.models import Company
from config.tables import FileRefused
from tests.factories import make_company

from .makers import FILES, assignment, below, entity, load, stored, write

pytestmark = pytest.mark.django_db

ALONE = {"legalEntities": [entity()]}
BUYERS = {"id": "g-1", "userType": "CUSTOMER", "b2b": {"legalEntityId": "le-a"}}
ADMINS = BUYERS | {"id": "g-2", "code": "B2B_ADMIN"}


def info(**fields: Any) -> dict[str, Any]:
    return {"legalEntities": [entity(legalInfo=fields)]}


def limit(**fields: Any) -> dict[str, Any]:
    return {"legalEntities": [entity(accountLimit=fields)]}


def at(**fields: Any) -> dict[str, Any]:
    """A company with a location."""
    place = {"id": "loc-1", "type": "OFFICE", **fields}
    return {"legalEntities": [entity(entitiesAddresses=[place])]}


def staffed(*assignments: dict[str, Any], **lists: Any) -> dict[str, Any]:
    return {**ALONE, "contactAssignments": list(assignments), **lists}


def member(group: str = "g-1", user: str = "cu-1") -> dict[str, Any]:
    return {"id": f"{group}-{user}", "groupId": group, "userId": user}


CASES: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "unknown parent": (
        {"legalEntities": [below("le-b", "le-gone")]},
        ("le-b", "parentId", "unknown_parent"),
    ),
    "its own parent": (
        {"legalEntities": [below("le-a", "le-a")]},
        ("le-a", "parentId", "would_close_cycle"),
    ),
    "subsidiary of nobody": (
        {"legalEntities": [entity(type="SUBSIDIARY")]},
        ("le-a", "parentId", "required"),
    ),
    "no such type": (
        {"legalEntities": [entity(), entity("le-b", type="BRANCH")]},
        ("le-b", "type", "invalid_choice"),
    ),
    "twice the same id": (
        {"legalEntities": [entity(), entity(name="Another")]},
        ("le-a", "id", "duplicate_id"),
    ),
    "ids that differ in case only": (
        {"legalEntities": [entity(), entity("LE-A")]},
        ("LE-A", "id", "duplicate_code"),
    ),
    "no id": (
        {"legalEntities": [{"name": "Invented", "type": "COMPANY"}]},
        ("no. 1", "id", "required"),
    ),
    "id with a blank": (
        {"legalEntities": [entity("le a")]},
        ("le a", "id", "code"),
    ),
    "missing name": (
        {"legalEntities": [{"id": "le-a", "type": "COMPANY"}]},
        ("le-a", "name", "required"),
    ),
    "empty name": (
        {"legalEntities": [entity(name=None)]},
        ("le-a", "name", "blank"),
    ),
    "number for a name": (
        {"legalEntities": [entity(name=7)]},
        ("le-a", "name", "wrong_type"),
    ),
    "NUL in a name": (
        {"legalEntities": [entity(name="In\0vented")]},
        ("le-a", "name", "unstorable_text"),
    ),
    "NUL in a mixin": (
        {"legalEntities": [entity(mixins={"x": "\0"})]},
        ("le-a", "mixins", "unstorable_text"),
    ),
    "text for legalInfo": (
        {"legalEntities": [entity(legalInfo="GmbH")]},
        ("le-a", "legalInfo", "wrong_type"),
    ),
    "invalid country": (
        info(countryOfRegistration="Germany"),
        ("le-a", "legalInfo.countryOfRegistration", "invalid_choice"),
    ),
    "no day of the calendar": (
        info(registrationDate="2022-02-31T13:18:01.379Z"),
        ("le-a", "legalInfo.registrationDate", "invalid_date"),
    ),
    "no date": (
        info(registrationDate="soon"),
        ("le-a", "legalInfo.registrationDate", "invalid"),
    ),
    "wrong tax number": (
        info(countryOfRegistration="DE", taxRegistrationNumber="1234"),
        ("le-a", "legalInfo.taxRegistrationNumber", "tax_id_length"),
    ),
    "wrong currency": (
        limit(currency="EURO", value=1),
        ("le-a", "accountLimit.currency", "unknown_currency"),
    ),
    "limit without currency": (
        limit(value=1),
        ("le-a", "accountLimit.currency", "required"),
    ),
    "true for a limit": (
        limit(currency="EUR", value=True),
        ("le-a", "accountLimit.value", "wrong_type"),
    ),
    "text for a limit": (
        limit(currency="EUR", value="1"),
        ("le-a", "accountLimit.value", "wrong_type"),
    ),
    "limit below zero": (
        limit(currency="EUR", value=-1),
        ("le-a", "accountLimit.value", "invalid_amount"),
    ),
    "too many decimals": (
        limit(currency="EUR", value=1.001),
        ("le-a", "accountLimit.value", "too_many_decimals"),
    ),
    "limit beyond all sizes": (
        limit(currency="EUR", value=10**30),
        ("le-a", "accountLimit.value", "invalid_amount"),
    ),
    "location that is nowhere": (
        {"legalEntities": [entity(entitiesAddresses=[{"id": "loc-9"}])]},
        ("le-a", "entitiesAddresses[].id", "unknown_location"),
    ),
    "wrong e-mail of a location": (
        at(contactDetails={"emails": ["nobody"]}),
        ("loc-1", "contactDetails.emails", "invalid"),
    ),
    "no such type of location": (
        at(type="CAVE"),
        ("loc-1", "type", "invalid_choice"),
    ),
    "list of tags with a number": (
        at(contactDetails={"tags": [1]}),
        ("loc-1", "contactDetails.tags", "wrong_type"),
    ),
    "unknown entity": (
        staffed(assignment(entity="le-9")),
        ("ca-1", "legalEntity.id", "unknown_company"),
    ),
    "unknown customer": (
        staffed(assignment(customer="cu-9") | {"customer": {"id": "cu-9"}}),
        ("ca-1", "customer.id", "unknown_customer"),
    ),
    "nobody": (
        staffed({"id": "ca-1", "legalEntity": {"id": "le-a"}}),
        ("ca-1", "customer.id", "required"),
    ),
    "customer without e-mail": (
        staffed(
            assignment() | {"customer": {"id": "cu-1"}},
            customers=[{"id": "cu-1", "firstName": "Ada"}],
        ),
        ("cu-1", "contactEmail", "required"),
    ),
    "two primaries": (
        staffed(
            assignment(primary=True),
            assignment("ca-2", customer="cu-2", type="PRIMARY"),
        ),
        ("ca-2", "type", "second_primary"),
    ),
    "text for primary": (
        staffed(assignment(primary="yes")),
        ("ca-1", "primary", "wrong_type"),
    ),
    "assigned twice": (
        staffed(assignment(), assignment("ca-2", type="BILLING")),
        ("ca-2", "legalEntity.id", "already_assigned"),
    ),
    "one person, two names": (
        {
            "legalEntities": [entity(), entity("le-b")],
            "contactAssignments": [
                assignment(customer="cu-1")
                | {"customer": {"id": "cu-1", "name": "Ada", "email": "a@x.example"}},
                assignment("ca-2", "le-b")
                | {"customer": {"id": "cu-1", "name": "Eve", "email": "a@x.example"}},
            ],
        },
        ("ca-2", "customer.name", "duplicate_person"),
    ),
    "two people, one e-mail": (
        staffed(
            assignment() | {"customer": {"id": "cu-1", "email": "a@x.example"}},
            assignment("ca-2") | {"customer": {"id": "cu-2", "email": "A@x.example"}},
        ),
        ("ca-2", "", "duplicate_person"),
    ),
    "unknown group of an entity": (
        {"legalEntities": [entity(customerGroups=[{"id": "g-9"}])]},
        ("le-a", "customerGroups[].id", "unknown_group"),
    ),
    "unknown group of a user": (
        {**ALONE, "groups": [BUYERS], "groupUsers": [member("g-9")]},
        ("g-9-cu-1", "groupId", "unknown_group"),
    ),
    "two roles in one company": (
        staffed(
            assignment(),
            groups=[BUYERS | {"code": "B2B_BUYER"}, ADMINS],
            groupUsers=[member(), member("g-2")],
        ),
        ("g-2-cu-1", "", "second_role"),
    ),
    "group of an unknown entity": (
        {
            **ALONE,
            "groups": [BUYERS | {"name": "Own", "b2b": {"legalEntityId": "le-9"}}],
        },
        ("g-1", "b2b.legalEntityId", "unknown_company"),
    ),
    "group without a name": (
        {**ALONE, "groups": [BUYERS]},
        ("g-1", "name", "blank"),
    ),
    "member from another hierarchy": (
        {
            "legalEntities": [entity(), entity("le-b")],
            "contactAssignments": [assignment(entity="le-b")],
            "groups": [BUYERS | {"name": "Own"}],
            "groupUsers": [member()],
        },
        ("g-1-cu-1", "userId", "not_of_hierarchy"),
    ),
    "approver from another hierarchy": (
        {
            "legalEntities": [entity(approvalGroup=[{"id": "ca-1"}]), entity("le-b")],
            "contactAssignments": [assignment(entity="le-b")],
        },
        ("le-a", "approvalGroup", "not_in_hierarchy"),
    ),
    "unknown assignment of an approver": (
        {"legalEntities": [entity(approvalGroup=[{"id": "ca-9"}])]},
        ("le-a", "approvalGroup[].id", "unknown_assignment"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_named_and_nothing_is_stored(case, tmp_path):
    # given
    lists, expected = CASES[case]
    path = write(tmp_path / "all.json", **lists)
    before = stored()

    # when
    with pytest.raises(EmporixRefused) as refused:
        load(path)

    # then
    found = [(one.id, one.field, one.code) for one in refused.value.refusals]
    assert found == [expected]
    assert refused.value.refusals[0].file == "all.json"
    assert stored() == before


def test_all_faults_are_told_at_once_without_their_consequences(tmp_path):
    # given
    path = write(
        tmp_path / "all.json",
        legalEntities=[
            entity(
                "le-bad", name=7, entitiesAddresses=[{"id": "loc-1", "type": "OFFICE"}]
            ),
            below("le-low", "le-bad"),
            entity(accountLimit={"currency": "EUR", "value": -1}),
        ],
        contactAssignments=[assignment(entity="le-bad"), assignment("ca-2", type="X")],
    )

    # when
    with pytest.raises(EmporixRefused) as refused:
        load(path)

    # then
    found = {(one.id, one.field, one.code) for one in refused.value.refusals}
    assert found == {
        ("le-bad", "name", "wrong_type"),
        ("le-low", "parentId", "parent_refused"),
        ("le-a", "accountLimit.value", "invalid_amount"),
        ("ca-2", "type", "invalid_choice"),
    }
    assert Company.objects.count() == 0


def test_a_cycle_names_those_who_are_in_it(tmp_path):
    rows = [below("le-a", "le-c"), below("le-b", "le-a"), below("le-c", "le-b")]
    path = write(tmp_path / "all.json", legalEntities=rows)

    with pytest.raises(EmporixRefused) as refused:
        load(path)

    assert {one.code for one in refused.value.refusals} == {"would_close_cycle"}
    assert {one.id for one in refused.value.refusals} == {"le-a", "le-b", "le-c"}
    assert "le-a → " in str(refused.value)


def test_a_group_that_is_stored_for_another_company_stays_there(tmp_path):
    # given
    group = BUYERS | {"name": "Own"}
    entities = [entity(), entity("le-b")]
    load(write(tmp_path / "one.json", legalEntities=entities, groups=[group]))
    moved = group | {"b2b": {"legalEntityId": "le-b"}}
    path = write(tmp_path / "two.json", legalEntities=entities, groups=[moved])

    # when
    with pytest.raises(EmporixRefused) as refused:
        load(path)

    # then
    (one,) = refused.value.refusals
    assert (one.field, one.code) == ("b2b.legalEntityId", "read_only")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not_json"),
        (b"[{]", "not_json"),
        (b'[{"id": "a", "id": "b"}]', "not_json"),
        (b'[{"type": "COMPANY", "id": NaN}]', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"id": 1' + b"0" * 5_000 + b"}", "not_json"),
        (b'[{"id": "\xff"}]', "not_text"),
        (b"7", "no_objects"),
        (b'[{"type": "COMPANY"}, 7]', "no_objects"),
        (b'[{"id": "a"}]', "unknown_kind"),
        (b'{"orders": []}', "unknown_list"),
    ],
)
def test_a_file_that_is_no_such_json_is_refused(text, code, tmp_path):
    path = tmp_path / "odd.json"
    path.write_bytes(text)

    with pytest.raises(FileRefused) as refused:
        load(path)

    (fault,) = refused.value.faults
    assert (fault.file, fault.code) == ("odd.json", code)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefused) as refused:
        load(tmp_path / "gone.json")

    assert refused.value.faults[0].code == "unreadable"


def test_a_refusal_in_the_last_step_takes_back_what_came_before(tmp_path):
    # given
    make_company(code="le-other")
    before = stored()
    extra = tmp_path / "extra.json"
    group = BUYERS | {"name": "Own", "b2b": {"legalEntityId": "le-other"}}
    member_of_it = member(user="cu-ada")
    extra.write_text(json.dumps({"groups": [group], "groupUsers": [member_of_it]}))

    # when
    with pytest.raises(EmporixRefused) as refused:
        load(*FILES, extra)

    # then
    assert [one.code for one in refused.value.refusals] == ["not_of_hierarchy"]
    assert stored() == before
    assert ApprovalGroup.objects.count() == 0
