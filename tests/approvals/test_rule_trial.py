"""The page of a rule: what it says, would decide, and which requests it concerns."""

from typing import Any

import pytest
from django.test import Client

from approvals.models import ApprovalRule, PurchaseRequest
from companies.models import Company, KeyAccount
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_rule,
    make_world,
    submit,
)
from tests.factories import make_user
from tests.matrix.world import fingerprint
from tests.staff import fields_of, logged_in, page_of, save, staff, superuser

pytestmark = pytest.mark.django_db

ADD = "/admin/approvals/approvalrule/add/"
RIGHTS = (
    "view_company",
    "view_contact",
    "view_approvalgroup",
    "view_approvalrule",
    "add_approvalrule",
    "change_approvalrule",
    "view_approvalrulestep",
    "add_approvalrulestep",
    "change_approvalrulestep",
)


@pytest.fixture
def world() -> World:
    return make_world()


def sample(world: World, amount: str = "600", **fields: Any) -> dict[str, Any]:
    """What is typed to try a purchase of the buyer."""
    typed = {
        "company": world.sub.pk,
        "requester": world.buyer.pk,
        "amount": amount,
        "currency": "EUR",
        "kind": "CART",
    }
    return {f"try-{name}": value for name, value in (typed | fields).items()}


def new_rule(company: Company, **fields: Any) -> dict[str, Any]:
    """What the page of a new rule sends: an admin agrees from 500 EUR."""
    return {
        "company": company.pk,
        "name": "Large",
        "amount_from": "500",
        "currency": "EUR",
        "is_active": "on",
        "covers_subsidiaries": "on",
        "steps-TOTAL_FORMS": 1,
        "steps-INITIAL_FORMS": 0,
        "steps-0-position": 1,
        "steps-0-role": "ADMIN",
        "steps-0-quorum": 1,
    } | fields


def tried(client: Client, page: str, *typed: dict[str, Any]) -> Any:
    """Type into the page, press Try; nothing at all may be stored by it."""
    values = fields_of(client.get(page))
    for fields in typed:
        values |= fields
    values = {name: value for name, value in values.items() if value is not None}
    before = fingerprint()
    answer = client.post(page, values | {"_try": "1"})
    assert fingerprint() == before
    assert answer.status_code == 200, answer.headers
    return answer


def sides(answer: Any) -> list[tuple[str, list[tuple[str, int, list[str]]]]]:
    """Today and with the rule: the outcome, and the steps with who could act."""
    return [
        (
            str(side["outcome"]),
            [
                (
                    step["whom"],
                    step["quorum"],
                    [one["name"] for one in step["approvers"]],
                )
                for step in side["steps"]
            ],
        )
        for side in answer.context["sides"]
    ]


def concerned(answer: Any) -> list[tuple[PurchaseRequest, str]]:
    return [(one, str(effect)) for one, effect in answer.context["concerned"].found]


def test_a_new_rule_is_tried_before_it_is_saved(world: World):
    # when
    answer = tried(superuser(), ADD, new_rule(world.head), sample(world))

    # then
    assert sides(answer) == [
        ("ALLOWED", []),
        ("APPROVAL_REQUIRED", [("Admin", 1, [world.admin.name])]),
    ]
    page = answer.content.decode()
    assert "As it stands in the form; not saved yet." in page
    assert (
        "In Acme SE and everything below, every purchase from 500.00 EUR needs one "
        "admin of the company that buys."
    ) in page
    assert "Please correct" not in page
    assert 'value="500"' in page  # what was typed is kept


def test_a_changed_rule_is_tried_beside_the_one_that_is_stored(world: World):
    # given
    group = make_approval_group(company=world.head, name="Board", members=[world.boss])
    rule = make_rule(company=world.sub, steps=[{"approval_group": group}])
    client = superuser()

    # when: the step becomes one of admins
    changed = {"steps-0-approval_group": "", "steps-0-role": "ADMIN"}
    answer = tried(client, page_of(rule), changed, sample(world))

    # then
    assert sides(answer) == [
        ("APPROVAL_REQUIRED", [("Board", 1, [world.boss.name])]),
        ("APPROVAL_REQUIRED", [("Admin", 1, [world.admin.name])]),
    ]


@pytest.mark.parametrize(
    ("fields", "asked", "words"),
    [
        ({"is_active": None}, {}, "The rule does not count for this company"),
        ({"covers_subsidiaries": None}, {}, "The rule does not count for this company"),
        ({}, {"amount": "499.99"}, "does not match, the amount is smaller"),
        ({"kinds": ["ORDER"]}, {}, "the purchase is of another kind"),
        ({"roles": ["REQUESTER"]}, {}, "the person buys in another role"),
        ({}, {"currency": "USD"}, "the purchase is in another currency"),
    ],
)
def test_a_rule_that_does_not_match_says_why(
    world: World, fields: Any, asked: Any, words: str
):
    # when
    rule = new_rule(world.head, **fields)
    answer = tried(superuser(), ADD, rule, sample(world, **asked))

    # then
    assert words in answer.content.decode()
    assert "It would be decided as it is today." in answer.content.decode()
    assert sides(answer) == [("ALLOWED", [])] * 2


def test_a_new_rule_comes_after_those_of_its_company(world: World):
    # given
    group = make_approval_group(company=world.head, name="Board", members=[world.boss])
    make_rule(company=world.head, covers_subsidiaries=True, steps=[{"role": "ADMIN"}])

    # when
    step = {"steps-0-role": "", "steps-0-approval_group": group.pk}
    answer = tried(superuser(), ADD, new_rule(world.head, **step), sample(world))

    # then
    assert [step[0] for step in sides(answer)[1][1]] == ["Admin", "Board"]


def test_what_was_tried_is_what_is_decided_once_it_is_saved(world: World):
    # given
    client = superuser()
    fields = new_rule(world.head, **{"steps-0-quorum": 1})
    then = sides(tried(client, ADD, fields, sample(world)))[1]

    # when
    client.post(ADD, fields)

    # then
    rule = ApprovalRule.objects.get()
    assert sides(tried(client, page_of(rule), sample(world))) == [then, then]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"currency": ""}, "needs its currency"),
        ({"steps-0-quorum": 0}, "At least one person has to agree."),
        ({"steps-0-role": ""}, "one of the two"),
        ({"steps-0-quorum": 101}, "More have to agree than there are."),
        ({"steps-TOTAL_FORMS": 0}, "at least one step"),
    ],
)
def test_a_wrong_rule_shows_what_is_wrong_and_is_not_tried(
    world: World, fields: Any, words: str
):
    # when
    answer = tried(superuser(), ADD, new_rule(world.head, **fields), sample(world))

    # then
    assert words in answer.content.decode()
    assert "sides" not in answer.context
    assert not answer.context["tried"]


def test_a_stale_page_is_not_tried(world: World):
    # given
    rule = make_rule(company=world.head)
    client = superuser()
    seen = fields_of(client.get(page_of(rule)))
    save(client, page_of(rule), name="First")

    # when
    answer = tried(client, page_of(rule), seen, {"name": "Second"}, sample(world))

    # then
    assert "stale_version" in answer.content.decode()
    assert "sides" not in answer.context


def test_a_wrong_sample_is_marked_and_the_sentence_still_said(world: World):
    # when
    fields = sample(world, amount="1.234", requester="")
    answer = tried(superuser(), ADD, new_rule(world.head), fields)

    # then
    errors = answer.context["sample"].errors
    assert sorted(errors) == ["amount", "requester"]
    assert "sides" not in answer.context
    assert "from 500.00 EUR needs one admin" in answer.content.decode()


def test_without_a_sample_the_sentence_and_the_requests_are_shown(world: World):
    # given
    request = submit(world.sub, world.requester, "600.00")

    # when
    answer = tried(superuser(), ADD, new_rule(world.head))

    # then
    assert answer.context["sample"].errors == {}
    assert "sides" not in answer.context
    assert concerned(answer) == [(request, "NOT_ASKED")]


# --- Open requests


def test_open_requests_are_told_with_what_the_rule_asked_of_them(world: World):
    # given
    earlier = submit(world.sub, world.requester, "900.00")
    rule = make_rule(
        company=world.head,
        covers_subsidiaries=True,
        amount_from=500,
        currency="EUR",
        steps=[{"role": "ADMIN"}],
    )
    large = submit(world.sub, world.buyer, "900.00")
    larger = submit(world.sub, world.buyer, "2000.00")
    submit(world.sub, world.requester, "10.00")  # no matter of the rule
    client = superuser()

    # then: as it stands
    page = client.get(page_of(rule))
    assert concerned(page) == [
        (larger, "AS_ASKED"),
        (large, "AS_ASKED"),
        (earlier, "NOT_ASKED"),
    ]
    assert page.context["concerned"].in_scope == 4
    assert "keeps the steps that it was asked with" in page.content.decode()

    # with a greater amount, for others, not below any more, not active
    by_change = {
        "amount": tried(client, page_of(rule), {"amount_from": "1000"}),
        "steps": tried(client, page_of(rule), {"steps-0-quorum": 2}),
        "roles": tried(client, page_of(rule), {"roles": ["REQUESTER"]}),
    }
    told = {change: concerned(answer) for change, answer in by_change.items()}
    assert told == {
        "amount": [(larger, "AS_ASKED"), (large, "NO_LONGER")],
        "steps": [
            (larger, "OTHER_STEPS"),
            (large, "OTHER_STEPS"),
            (earlier, "NOT_ASKED"),
        ],
        "roles": [
            (larger, "NO_LONGER"),
            (large, "NO_LONGER"),
            (earlier, "NOT_ASKED"),
        ],
    }
    for flag in ("covers_subsidiaries", "is_active"):
        answer = tried(client, page_of(rule), {flag: None})
        assert concerned(answer) == [(larger, "NO_LONGER"), (large, "NO_LONGER")], flag

    # and the truth of it: saving changes none of them
    steps = list(large.steps.values())
    save(client, page_of(rule), **{"steps-0-quorum": 2})
    large.refresh_from_db()
    assert (list(large.steps.values()), large.version) == (steps, 1)


def test_a_step_that_others_ask_for_too_may_need_more(world: World):
    # given
    rule = make_rule(company=world.sub, steps=[{"role": "ADMIN"}])
    make_rule(company=world.sub, steps=[{"role": "ADMIN", "quorum": 2}])
    request = submit(world.sub, world.buyer)

    # then
    answer = superuser().get(page_of(rule))
    assert concerned(answer) == [(request, "AS_ASKED")]


def test_steps_in_another_order_are_other_steps(world: World):
    # given
    group = make_approval_group(company=world.head, members=[world.boss])
    steps = [{"role": "ADMIN"}, {"approval_group": group}]
    rule = make_rule(company=world.sub, steps=steps)
    request = submit(world.sub, world.buyer)

    # when
    order = {"steps-0-position": 2, "steps-1-position": 1}
    client = superuser()
    answer = tried(client, page_of(rule), order)

    # then
    assert concerned(answer) == [(request, "OTHER_STEPS")]
    save(client, page_of(rule), **order)
    assert list(rule.steps.order_by("position").values_list("role", flat=True)) == [
        "",
        "ADMIN",
    ]


def test_the_newest_requests_are_looked_at(world: World, monkeypatch):
    # given
    monkeypatch.setattr("approvals.drafts.MOST_LOOKED_AT", 2)
    rule = make_rule(company=world.sub)
    _first, second, third = (submit(world.sub, world.buyer) for _ in range(3))

    # when
    answer = superuser().get(page_of(rule))

    # then
    assert [one for one, _effect in concerned(answer)] == [third, second]
    assert answer.context["concerned"].in_scope == 3
    assert "the newest 2 of 3" in answer.content.decode()


# --- Rights and costs


def test_who_sees_no_requests_gets_the_sentence_only(world: World):
    # given
    submit(world.sub, world.requester, "900.00")
    client = staff(*RIGHTS)

    # when
    answer = tried(client, ADD, new_rule(world.head), sample(world))

    # then
    assert answer.context["sentence"].startswith("In Acme SE and everything below")
    assert "sides" not in answer.context
    assert "concerned" not in answer.context
    assert 'name="_try"' not in answer.content.decode()


def test_who_may_only_look_cannot_try(world: World):
    # given
    rule = make_rule(company=world.head)
    client = staff("view_approvalrule", "view_purchaserequest", "view_company")

    # then
    page = client.get(page_of(rule))
    assert "needs one admin" in page.content.decode()
    assert 'name="_try"' not in page.content.decode()
    assert client.post(page_of(rule), {"_try": "1"}).status_code == 403
    assert client.post(ADD, {"_try": "1"}).status_code == 403


def test_who_looks_after_one_hierarchy_tries_with_its_people_only(world: World):
    # given
    foreign = make_world()
    user = make_user(permissions=(*RIGHTS, "view_purchaserequest"))
    KeyAccount.objects.create(staff=user, company=world.head)
    client = logged_in(user)

    # then
    answer = tried(client, ADD, new_rule(world.head), sample(world))
    assert sides(answer)[1][0] == "APPROVAL_REQUIRED"
    for name in ("company", "requester"):
        other = {
            "company": foreign.sub.pk,
            "requester": foreign.buyer.pk,
        }[name]
        answer = tried(
            client, ADD, new_rule(world.head), sample(world, **{name: other})
        )
        assert list(answer.context["sample"].errors) == [name]
        assert "sides" not in answer.context
    theirs = make_rule(company=foreign.head)
    assert client.post(page_of(theirs), {"_try": "1"}).status_code == 302
    assert not tried(client, ADD, new_rule(foreign.head)).context["tried"]


def test_trying_costs_the_same_however_much_there_is(
    world: World, django_assert_max_num_queries
):
    # given
    client = superuser()
    rule = make_rule(company=world.head, covers_subsidiaries=True)
    submit(world.sub, world.buyer)
    values = fields_of(client.get(page_of(rule))) | sample(world) | {"_try": "1"}

    def queries(method: str, *sent: Any) -> int:
        getattr(client, method)(page_of(rule), *sent)  # whatever is read only once
        with django_assert_max_num_queries(60) as counted:
            getattr(client, method)(page_of(rule), *sent)
        return len(counted)

    few = queries("get"), queries("post", values)

    # when
    for _ in range(5):
        make_rule(company=world.head, covers_subsidiaries=True)
        submit(world.sub, world.buyer)
        submit(world.head, world.boss)

    # then
    assert (queries("get"), queries("post", values)) == few
