"""Companies over HTTP: what is shown, created, replaced, merged, moved and closed."""

import pytest

from companies.api import serializers, shapes
from companies.api.history import HISTORY
from companies.models import Company
from tests.api_shapes import assert_same_shape
from tests.factories import make_assignment, make_chain, make_company, make_location

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("serializer", "shape"),
    [
        (serializers.CompanySerializer, shapes.COMPANY),
        (serializers.HistoryEntrySerializer, HISTORY),
        (serializers.LocationSerializer, shapes.LOCATION),
        (serializers.ContactSerializer, shapes.CONTACT),
        (serializers.AssignmentSerializer, shapes.ASSIGNMENT),
        (serializers.LinkSerializer, shapes.LINK),
        (serializers.PersonSerializer, shapes.PERSON),
        (serializers.ReachSerializer, shapes.REACH),
    ],
)
def test_what_is_described_is_what_is_shown(serializer, shape):
    assert_same_shape(serializer, shape)


def test_a_company_looks_as_documented(api):
    # given
    head = make_company(code="acme", name="Acme", status="ON_HOLD")
    company = make_company(
        code="acme-de",
        name="Acme Deutschland",
        parent=head,
        legal_name="Acme Deutschland GmbH",
        legal_form="GmbH",
        registration_id="HRB 1234",
        country="DE",
        tax_id="DE136695976",
        lei="529900T8BM49AURSDO55",
        language="de",
        currency="EUR",
    )
    # when
    answer = api.get(f"/api/v1/companies/{company.pk}/")
    # then
    assert answer.status_code == 200
    assert answer["ETag"] == '"1"'
    body = answer.json()
    assert body.pop("created_at").endswith("Z")
    assert body.pop("updated_at").endswith("Z")
    assert list(body) == [
        *("id", "code", "name", "type", "parent", "head", "depth", "status"),
        *("effective_status", "legal_info", "website", "email", "phone", "language"),
        *("currency", "attributes", "version"),
    ]
    assert body == {
        "id": company.pk,
        "code": "acme-de",
        "name": "Acme Deutschland",
        "type": "SUBSIDIARY",
        "parent": head.pk,
        "head": head.pk,
        "depth": 1,
        "status": "ACTIVE",
        "effective_status": "ON_HOLD",
        "legal_info": {
            "legal_name": "Acme Deutschland GmbH",
            "legal_form": "GmbH",
            "registration_id": "HRB 1234",
            "registration_agency": "",
            "registered_on": None,
            "country": "DE",
            "tax_id": "DE136695976",
            "lei": "529900T8BM49AURSDO55",
            "duns": "",
        },
        "website": "",
        "email": "",
        "phone": "",
        "language": "de",
        "currency": "EUR",
        "attributes": {},
        "version": 1,
    }


def test_fields_and_expand_choose_what_is_shown(api):
    # given
    head, sub = make_chain(2)
    # when
    body = api.get(
        f"/api/v1/companies/{sub.pk}/?fields=id,parent,head&expand=parent,head"
    ).json()
    # then
    brief = {"id": head.pk, "code": head.code, "name": head.name}
    assert body == {"id": sub.pk, "parent": brief, "head": brief}


def test_a_company_is_created_below_its_parent(api):
    # given
    head = make_company()
    # when
    answer = api.post(
        "/api/v1/companies/",
        {
            "name": "  Ärzte   & Söhne ",
            "parent": head.pk,
            "legal_info": {
                "lei": "5299 00t8-bm49aursdo55",
                "country": "DE",
                "tax_id": "DE 136.695.976",
            },
            "attributes": {"tier": 1},
        },
    )
    # then
    assert answer.status_code == 201
    assert answer["ETag"] == '"1"'
    stored = Company.objects.get(pk=answer.json()["id"])
    assert stored.parent_id == head.pk
    assert (stored.name, stored.code) == ("Ärzte & Söhne", "arzte-sohne")
    assert (stored.lei, stored.tax_id) == ("529900T8BM49AURSDO55", "DE136695976")
    assert stored.attributes == {"tier": 1}
    entry = stored.history.get()
    assert entry.history_user_id.startswith("client:")
    assert entry.request_id == answer["X-Request-ID"]


def test_put_replaces_what_the_caller_may_write(api):
    # given
    head = make_company()
    company = make_company(
        parent=head, status="ON_HOLD", website="https://a.example/", country="DE"
    )
    # when
    answer = api.put(
        f"/api/v1/companies/{company.pk}/", {"name": "New"}, HTTP_IF_MATCH='"1"'
    )
    # then
    assert answer.status_code == 200
    assert answer["ETag"] == '"2"'
    company.refresh_from_db()
    assert (company.name, company.website, company.country) == ("New", "", "")
    assert (company.status, company.parent_id) == ("ON_HOLD", head.pk)


def test_patch_merges_legal_information_and_attributes(api):
    # given
    company = make_company(
        legal_name="Old Ltd",
        country="DE",
        attributes={"a": 1, "b": {"c": 1, "d": 2}},
    )
    patch = {
        "legal_info": {"legal_name": None, "legal_form": "GmbH"},
        "attributes": {"a": None, "b": {"c": None, "e": 3}},
    }
    # when
    answer = api.patch(f"/api/v1/companies/{company.pk}/", patch, HTTP_IF_MATCH='"1"')
    # then
    assert answer.status_code == 200
    company.refresh_from_db()
    assert (company.legal_name, company.legal_form) == ("", "GmbH")
    assert company.country == "DE"
    assert company.attributes == {"b": {"d": 2, "e": 3}}


def test_what_was_read_can_be_sent_back(api):
    # given
    _head, company = make_chain(2)
    shown = api.get(f"/api/v1/companies/{company.pk}/").json()
    # when
    answer = api.put(f"/api/v1/companies/{company.pk}/", shown, HTTP_IF_MATCH='"1"')
    # then
    assert answer.status_code == 200
    assert answer.json() == shown  # nothing changed: no new version
    assert company.history.count() == 1


def test_a_tax_id_has_to_fit_the_new_country(api):
    # given
    company = make_company(country="AU", tax_id="51824753556")
    # when
    answer = api.patch(
        f"/api/v1/companies/{company.pk}/",
        {"legal_info": {"country": "DE"}},
        HTTP_IF_MATCH='"1"',
    )
    # then
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/legal_info/tax_id"
    company.refresh_from_db()
    assert company.country == "AU"


@pytest.mark.parametrize("code", ["Acme.DE_1-x", "ACME.de_1-X"])
def test_upsert_by_code_creates_once_and_replaces_then(api, code):
    # given
    first = api.put("/api/v1/companies/by-code/Acme.DE_1-x/", {"name": "First"})
    # when
    second = api.put(f"/api/v1/companies/by-code/{code}/", {"name": "Second"})
    # then
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["code"] == "Acme.DE_1-x"
    assert Company.objects.values_list("name", "version").get() == ("Second", 2)
    shown = api.get(f"/api/v1/companies/by-code/{code}/")
    assert shown.json() == second.json()
    assert shown["ETag"] == '"2"'


def test_upsert_honours_if_match(api):
    # given
    company = make_company(code="acme", name="Old")
    url = "/api/v1/companies/by-code/acme/"
    # when
    stale = api.put(url, {"name": "New"}, HTTP_IF_MATCH='"7"')
    gone = api.put(
        "/api/v1/companies/by-code/none/", {"name": "New"}, HTTP_IF_MATCH='"1"'
    )
    # then
    assert (stale.status_code, gone.status_code) == (412, 412)
    assert stale.json()["details"] == {"version": 1}
    company.refresh_from_db()
    assert company.name == "Old"
    assert Company.objects.count() == 1


def test_around_a_company(api):
    # given
    head, middle, low = make_chain(3)
    side = make_company(parent=head)

    def ids(path):
        answer = api.get(f"/api/v1/companies/{path}/")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    # then
    assert ids(f"{low.pk}/ancestors") == [head.pk, middle.pk]
    assert ids(f"{head.pk}/ancestors") == []
    assert ids(f"{head.pk}/children") == [middle.pk, side.pk]
    assert ids(f"{head.pk}/descendants") == [middle.pk, low.pk, side.pk]


def test_a_tree_is_nested_and_says_what_it_leaves_out(api, monkeypatch):
    # given
    head, middle, low = make_chain(3)
    side = make_company(parent=head)

    def outline(node):
        counts = (node["children_count"], node["descendants_count"])
        inner = [outline(child) for child in node["children"]]
        return [node["id"], *counts, node["next"] is not None, inner]

    def tree(query=""):
        return outline(api.get(f"/api/v1/companies/{head.pk}/tree/{query}").json())

    leaf = [low.pk, 0, 0, False, []]
    beside = [side.pk, 0, 0, False, []]
    # then
    whole = [head.pk, 2, 3, False, [[middle.pk, 1, 1, False, [leaf]], beside]]
    assert tree() == whole
    assert tree("?depth=1") == [
        head.pk, 2, 3, False, [[middle.pk, 1, 1, True, []], beside],
    ]  # fmt: skip
    assert tree("?depth=0") == [head.pk, 2, 3, True, []]
    monkeypatch.setattr("companies.api.tree.MOST_NODES", 2)
    assert tree() == [head.pk, 2, 3, True, [[middle.pk, 1, 1, True, []]]]
    node = api.get(f"/api/v1/companies/{head.pk}/tree/").json()
    assert node["next"].endswith(f"/api/v1/companies/{head.pk}/children/")


def test_a_move_takes_all_below_along(api):
    # given
    _head, middle, low = make_chain(3)
    other = make_company()
    # when
    answer = api.post(
        f"/api/v1/companies/{middle.pk}/move/",
        {"parent": other.pk, "reason": "sold"},
        HTTP_IF_MATCH='"1"',
    )
    # then
    assert answer.status_code == 200
    assert answer.json()["parent"] == other.pk
    assert list(Company.objects.under(other).order_by("pk")) == [middle, low, other]
    assert middle.history.first().history_change_reason == "sold"


def test_a_preview_has_no_effect_and_refuses_what_the_move_would(api):
    # given
    head, middle, low = make_chain(3)
    # when
    fine = api.post(f"/api/v1/companies/{low.pk}/move/preview/", {"parent": None})
    cycle = api.post(f"/api/v1/companies/{head.pk}/move/preview/", {"parent": low.pk})
    # then
    assert fine.status_code == 200
    assert isinstance(fine.json()["changes"], list)
    assert (cycle.status_code, cycle.json()["code"]) == (409, "would_close_cycle")
    low.refresh_from_db()
    assert (low.parent_id, low.version) == (middle.pk, 1)


@pytest.mark.parametrize(
    ("action", "status"),
    [("activate", "ACTIVE"), ("hold", "ON_HOLD"), ("close", "CLOSED")],
)
def test_the_status_changes_by_its_own_actions(api, action, status):
    # given
    company = make_company(status="DRAFT")
    # when
    answer = api.post(f"/api/v1/companies/{company.pk}/{action}/", {"reason": "why"})
    # then
    assert answer.status_code == 200
    assert answer.json()["status"] == status
    entry = company.history.first()
    assert (entry.status, entry.history_change_reason) == (status, "why")


def test_locations_of_a_company_are_its_own_and_shared_ones_above(api):
    # given
    head, sub = make_chain(2)
    shared = make_location(company=head, is_shared=True)
    make_location(company=head)
    own = make_location(company=sub)

    def ids(query):
        answer = api.get(f"/api/v1/companies/{sub.pk}/locations/{query}")
        return [row["id"] for row in answer.json()["results"]]

    # then
    assert ids("") == [shared.pk, own.pk]
    assert ids("?own=true") == [own.pk]


def test_people_of_a_company_are_marked_where_they_come_from(api):
    # given
    head, sub = make_chain(2)
    above = make_assignment(company=head, covers_subsidiaries=True, role="ADMIN")
    make_assignment(company=head)
    own = make_assignment(company=sub, valid_until="2020-01-01", role="BUYER")
    # when
    found = api.get(f"/api/v1/companies/{sub.pk}/people/").json()["results"]
    # then
    told = [
        (p["assignment"], p["contact"]["id"], p["inherited"], p["company"]["id"])
        for p in found
    ]
    assert told == [
        (above.pk, above.contact_id, True, head.pk),
        (own.pk, own.contact_id, False, sub.pk),
    ]
    assert [p["in_force"] for p in found] == [True, False]


def test_history_tells_before_and_after(api):
    # given
    company = make_company(name="One", lei="")
    url = f"/api/v1/companies/{company.pk}/"
    api.patch(url, {"name": "Two"}, HTTP_IF_MATCH='"1"')
    lei = {"legal_info": {"lei": "529900T8BM49AURSDO55"}}
    last = api.patch(url, lei, HTTP_IF_MATCH='"2"')
    # when
    entries = api.get(f"{url}history/").json()["results"]
    # then
    assert [entry["change"] for entry in entries] == ["changed", "changed", "created"]
    assert entries[0]["request_id"] == last["X-Request-ID"]
    assert entries[0]["changes"] == [
        {"field": "legal_info.lei", "before": "", "after": "529900T8BM49AURSDO55"}
    ]
    assert entries[1]["changes"] == [{"field": "name", "before": "One", "after": "Two"}]
    page = api.get(f"{url}history/?page_size=1").json()
    assert page["results"] == entries[:1]
    assert api.get(page["next"]).json()["results"] == entries[1:2]


def test_an_unused_company_is_deleted_and_a_used_one_is_not(api):
    # given
    head, sub = make_chain(2)
    # when
    refused = api.delete(f"/api/v1/companies/{head.pk}/", HTTP_IF_MATCH='"1"')
    deleted = api.delete(f"/api/v1/companies/{sub.pk}/", HTTP_IF_MATCH='"1"')
    # then
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert deleted.status_code == 204
    assert list(Company.objects.all()) == [head]
