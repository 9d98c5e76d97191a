"""What holds for every kind of import: sight, scopes, partial, and only once."""

from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from approvals.models import PurchaseLimit
from companies.imports import Caller, ImportRefused, all_kinds
from companies.models import (
    Company,
    Contact,
    ContactAssignment,
    Location,
)
from integrations.models import Event
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_location,
    make_token,
)
from tests.imports import counts, load, plan_of

pytestmark = pytest.mark.django_db


class Sample(NamedTuple):
    """A file with two records for the company "own", and one bad in between."""

    header: str
    good: tuple[str, str]
    bad: str
    foreign: str  # about what only others see
    code: str  # with which that is refused
    scope: str


SAMPLES = {
    "companies": Sample(
        "code,name,parent_code,country",
        ("low,Low,own,DE", "next,Next,low,"),
        "bad,Bad,own,Nowhere",
        "foreign,Mine,own,",
        "duplicate_code",
        "companies:write",
    ),
    "locations": Sample(
        "company_code,code,type,city,is_shipping,is_default_shipping",
        ("own,hq,headquarters,Bonn,yes,yes", "own,w2,warehouse,Köln,,"),
        "own,w3,castle,Ulm,,",
        "foreign,secret,plant,Ulm,,",
        "unknown_company",
        "companies:write",
    ),
    "contacts": Sample(
        "email,first_name,company_code,type,role",
        ("ann@example.com,Ann,own,primary,buyer", "bob@example.com,Bob,own,,admin"),
        "eve@example.com,Eve,own,,king",
        "hidden@example.com,Mine,own,,",
        "duplicate_email",
        "contacts:write",
    ),
    "limits": Sample(
        "company_code,amount,currency,period",
        ("own,100.00,EUR,MONTH", "own,0,USD,"),
        "own,1.001,EUR,YEAR",
        "foreign,5.00,EUR,DAY",
        "unknown_company",
        "limits:write",
    ),
}
KINDS = pytest.mark.parametrize("kind", SAMPLES)
MODELS = (Company, Location, Contact, ContactAssignment, PurchaseLimit)


def stored() -> list:
    rows = [
        (model.__name__, *row)
        for model in MODELS
        for row in model.objects.order_by("pk").values_list("pk", "version")
    ]
    return [*rows, Event.objects.count()]


@pytest.fixture
def own() -> Company:
    """The company that a client sees, and a foreign one with people and places."""
    foreign = make_company(code="foreign", name="Secret")
    hidden = make_assignment(company=foreign).contact
    Contact.objects.filter(pk=hidden.pk).update(
        email="hidden@example.com", email_key="hidden@example.com", last_name="Secret"
    )
    make_location(company=foreign, code="secret")
    return make_company(code="own")


def written(folder: Path, kind: str, *lines: str) -> Path:
    path = folder / "file.csv"
    path.write_text("\n".join([SAMPLES[kind].header, *lines]) + "\n", encoding="utf-8")
    return path


def test_all_kinds_are_here():
    assert {kind.name for kind in all_kinds()} == set(SAMPLES)


@KINDS
def test_a_client_imports_into_its_own_hierarchies_only(tmp_path, own, kind):
    # given
    sample = SAMPLES[kind]
    caller = Caller(client=make_client(hierarchies=(own,)))
    path = written(tmp_path, kind, *sample.good, sample.foreign)
    before = stored()
    # when
    with pytest.raises(ImportRefused) as refusal:
        load(path, kind=kind, caller=caller)
    # then nothing is told of what it does not see
    assert [(f.record, f.code) for f in refusal.value.faults] == [(3, sample.code)]
    assert "Secret" not in str(refusal.value)
    assert stored() == before
    # when the rest
    plan = load(path, kind=kind, caller=caller, partial=True)
    # then
    assert counts(plan) == (2, 0, 0, 0, 1)
    # when the same is asked by somebody who sees all: it is no secret, but a change
    assert plan_of(path, kind=kind).totals["refused"] == 0


@KINDS
def test_the_same_file_twice_changes_nothing(tmp_path, own, kind):
    # given
    path = written(tmp_path, kind, *SAMPLES[kind].good)
    assert counts(load(path, kind=kind)) == (2, 0, 0, 0, 0)
    before = stored()
    # when
    plan = load(path, kind=kind)
    # then
    assert counts(plan) == (0, 0, 0, 2, 0)
    assert stored() == before


@KINDS
def test_what_is_good_is_imported_without_what_is_bad(tmp_path, own, kind):
    # given
    first, second = SAMPLES[kind].good
    path = written(tmp_path, kind, first, SAMPLES[kind].bad, second)
    before = stored()
    # when all or nothing
    with pytest.raises(ImportRefused) as refusal:
        load(path, kind=kind)
    # then
    assert {fault.record for fault in refusal.value.faults} == {2}
    assert stored() == before
    # when partial
    plan = load(path, kind=kind, partial=True)
    # then
    assert [outcome.action for outcome in plan.outcomes] == [
        "create",
        "refused",
        "create",
    ]
    again = load(path, kind=kind, partial=True)
    assert counts(again) == (0, 0, 0, 2, 1)


@KINDS
def test_each_kind_needs_its_own_scope(tmp_path, own, kind):
    # given
    sample = SAMPLES[kind]
    scopes = {"imports:write", *(one.scope for one in SAMPLES.values())}
    content = written(tmp_path, kind, *sample.good).read_bytes()

    def send(scopes: set[str]):
        api = APIClient()
        client = make_client(scopes=" ".join(scopes), sees_all=True)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(client)}")
        file = SimpleUploadedFile("x.csv", content)
        form = {"kind": kind, "file": file, "apply": "true"}
        return api.post("/api/v1/imports/", form, format="multipart")

    before = stored()
    # when without one of the two
    for missing in (sample.scope, "imports:write"):
        answer = send(scopes - {missing})
        # then
        assert answer.status_code == 403
        assert answer.json()["details"] == {"scope": missing}
        assert stored() == before
    # when with just these
    answer = send({sample.scope, "imports:write"})
    # then
    assert (answer.status_code, answer.json()["state"]) == (201, "APPLIED")
    assert answer.json()["totals"]["created"] == 2


def test_a_mark_that_moves_is_moved_once_and_stays(tmp_path, own):
    """Defaults of locations and primary contacts: the new one takes it from the old."""
    # given
    load(written(tmp_path, "locations", *SAMPLES["locations"].good), kind="locations")
    load(written(tmp_path, "contacts", *SAMPLES["contacts"].good), kind="contacts")
    places = written(
        tmp_path,
        "locations",
        "own,hq,headquarters,Bonn,yes,",
        "own,w2,warehouse,Köln,yes,yes",
    )
    # when
    plan = load(places, kind="locations")
    # then
    assert counts(plan) == (0, 2, 0, 0, 0)
    assert own.locations.get(is_default_shipping=True).code == "w2"
    before = stored()
    assert not load(places, kind="locations").changes_anything
    # when a file tells of the new one only
    people = written(tmp_path, "contacts", "bob@example.com,Bob,own,primary,admin")
    assert stored() == before
    plan = load(people, kind="contacts")
    # then
    assert counts(plan) == (0, 1, 0, 0, 0)
    primary = own.assignments.get(type="PRIMARY")
    assert primary.contact.email == "bob@example.com"
    assert own.assignments.count() == 2
    before = stored()
    assert not load(people, kind="contacts").changes_anything
    assert stored() == before
