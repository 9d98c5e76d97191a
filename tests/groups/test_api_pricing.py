"""The question of a price engine, over HTTP."""

import re

import pytest

from groups.models import CustomerGroup
from tests.factories import make_chain, make_company, make_contact
from tests.groups.makers import automatic, make_group, person

pytestmark = pytest.mark.django_db

ABSENT = 99_999_999


def ask(http, contact, company):
    pks = [getattr(one, "pk", one) for one in (contact, company)]
    return http.get("/api/v1/pricing-context/?contact={}&company={}".format(*pks))


def test_the_answer_has_groups_price_lists_and_why(api, django_assert_num_queries):
    # given
    head, sub = make_chain(2, name="Acme")
    contact = person(sub)
    assignment = contact.assignments.get().pk
    above, own = automatic(head, "CONTACTS"), automatic(sub, "CONTACTS")
    CustomerGroup.objects.filter(pk=above.pk).update(price_list="GOLD")
    partners = make_group(contact, name="Partners", code="p", price_list="GOLD")

    # when: the token, contact, company, and five for the context
    with django_assert_num_queries(8):
        answer = ask(api, contact, sub)

    # then
    assert answer.status_code == 200
    assert answer.json() == {
        "contact": contact.pk,
        "company": sub.pk,
        "propagation": "UPWARD",
        "reason": None,
        "groups": [
            {
                "id": own.pk,
                "company": sub.pk,
                "kind": "CONTACTS",
                "name": "Acme: Contacts",
                "code": "",
                "price_list": "",
                "why": {
                    "code": "direct",
                    "company": sub.pk,
                    "assignment": assignment,
                    "message": "Assigned to Acme.",
                },
            },
            {
                "id": above.pk,
                "company": head.pk,
                "kind": "CONTACTS",
                "name": "Acme: Contacts",
                "code": "",
                "price_list": "GOLD",
                "why": {
                    "code": "upward",
                    "company": sub.pk,
                    "assignment": assignment,
                    "message": "Assigned to Acme, which is below Acme.",
                },
            },
            {
                "id": partners.pk,
                "company": None,
                "kind": "CUSTOM",
                "name": "Partners",
                "code": "p",
                "price_list": "GOLD",
                "why": {
                    "code": "by_hand",
                    "company": None,
                    "assignment": None,
                    "message": "Added by hand.",
                },
            },
        ],
        "price_lists": [{"code": "GOLD", "group": above.pk}],
    }
    assert not re.search(r'"(lft|rght|tree_id|level)"', answer.content.decode())


def test_who_may_not_count_gets_an_empty_answer_with_the_reason(api):
    company = make_company()

    answer = ask(api, make_contact(), company)

    assert answer.status_code == 200
    assert answer.json()["groups"] == answer.json()["price_lists"] == []
    assert answer.json()["reason"]["code"] == "not_assigned"


@pytest.mark.parametrize(
    ("query", "status", "name", "code"),
    [
        ("", 400, "contact", "required"),
        ("contact=1", 400, "company", "required"),
        ("contact=&company=1", 400, "contact", "required"),
        ("contact=x&company=1", 400, "contact", "invalid"),
        ("contact=1&company=1.0", 400, "company", "invalid"),
        ("contact=1&company=٣", 400, "company", "invalid"),
        (f"contact=1&company={'9' * 19}", 400, "company", "invalid"),
        ("contact=1&company=1&contact=2", 400, "contact", "repeated_parameter"),
        ("contact=1&company=1&page_size=5", 400, "page_size", "unknown_parameter"),
        ("contact=1&company=1&fields=groups", 400, "fields", "unknown_parameter"),
    ],
)
def test_a_wrong_question_is_refused_by_name(api, query, status, name, code):
    answer = api.get(f"/api/v1/pricing-context/?{query}")

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["parameter"], error["code"]) == (
        status,
        name,
        code,
    )


def test_what_the_client_does_not_see_is_not_found(caller):
    # given
    own, foreign = make_company(), make_company(name="canary")
    ours, theirs = person(own), person(foreign)
    both = person(own)
    person(foreign, "ADMIN", contact=both)
    make_group(both, name="canary across")
    http = caller(only=(own,))

    # then
    absent = ask(http, ours, ABSENT)
    for contact, company in ((ours, foreign), (theirs, own), (ABSENT, own)):
        answer = ask(http, contact, company)
        assert answer.status_code == absent.status_code == 404
        assert answer.json() | {"request_id": ""} == absent.json() | {"request_id": ""}
    seen = ask(http, both, own)
    assert (seen.status_code, len(seen.json()["groups"])) == (200, 1)
    assert "canary" not in seen.content.decode()


def test_it_is_only_asked(api):
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(api, method)("/api/v1/pricing-context/", {})
        assert answer.status_code == 405
