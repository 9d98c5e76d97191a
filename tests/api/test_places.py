"""Where companies are put (B9)."""

import pytest

from companies.models import Company
from companies.tree.check import find_tree_faults
from companies.tree.load import load_companies
from config.actors import SYSTEM
from tests.approvals.makers import person, submit
from tests.factories import make_assignment, make_chain, make_company, make_link

pytestmark = pytest.mark.django_db
MANY = 5_000

NO_PLACES = [
    ("head", "<head>", 409, "would_close_cycle"),
    ("head", "<sub>", 409, "would_close_cycle"),
    ("head", "<low>", 409, "would_close_cycle"),
    ("low", "<low>", 409, "would_close_cycle"),
    ("sub", "<closed>", 409, "parent_closed"),
    ("sub", 99_999_999, 400, "does_not_exist"),
    ("sub", 0, 400, "does_not_exist"),
    ("sub", -1, 400, "does_not_exist"),
    ("sub", 2**63, 400, "does_not_exist"),
    ("sub", "1", 400, "incorrect_type"),
    ("sub", 1.0, 400, "incorrect_type"),
    ("sub", True, 400, "incorrect_type"),
    ("sub", [1], 400, "incorrect_type"),
]


@pytest.mark.parametrize(("company", "parent", "status", "code"), NO_PLACES, ids=repr)
def test_a_company_is_not_moved_there(world, company, parent, status, code):
    for action in ("move", "move/preview"):
        path = f"companies/<{company}>/{action}/"
        world.refuses(status, code, "POST", path, {"parent": parent})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"parent": None, "reason": "x" * 501},
        {"parent": None, "reason": None},
        {"parent": None, "to": 1},
        {"parent": None, "parent_id": 1},
    ],
)
def test_a_move_says_where_to_and_no_more(world, body):
    world.refuses(400, None, "POST", "companies/<sub>/move/", body)


@pytest.mark.parametrize(
    ("parent", "status", "code"),
    [
        ("<closed>", 409, "parent_closed"),
        (99_999_999, 400, "does_not_exist"),
        ("1", 400, "incorrect_type"),
    ],
)
def test_a_company_is_not_created_there(world, parent, status, code):
    body = {"name": "New", "parent": parent}
    world.refuses(status, code, "POST", "companies/", body)
    world.refuses(status, code, "PUT", "companies/by-code/new/", body)


@pytest.mark.parametrize(
    ("company", "parent", "head"),
    [
        ("sub", "<head>", "head"),  # where it is
        ("low", "<head>", "head"),
        ("sub", None, "sub"),
        ("sub", "<other>", "other"),
        ("other", "<head>", "head"),  # a head company below another one
    ],
)
def test_a_company_is_moved_there(world, company, parent, head):
    # given
    below = [world.ids["low"]] if company == "sub" else []
    # when
    path = f"companies/<{company}>/move/"
    found = world.accepts("POST", path, {"parent": parent})
    # then
    assert found["head"] == world.ids[head]
    rows = world.ask("GET", f"companies/<{company}>/descendants/").json()["results"]
    assert [(row["id"], row["head"]) for row in rows] == [
        (pk, world.ids[head]) for pk in below
    ]
    assert find_tree_faults() == []


def test_a_move_of_a_version_that_is_gone_is_refused(world):
    world.accepts("PATCH", "companies/<sub>/", {"name": "Two"}, If_Match='"1"')
    for path, body in (
        ("companies/<sub>/move/", {"parent": None}),
        ("companies/<sub>/move/", {"parent": world.ids["other"]}),
    ):
        world.refuses(412, "stale_version", "POST", path, body, If_Match='"1"')


def test_a_move_as_previewed_is_that_move_and_no_other(world):
    # given
    target = {"parent": world.ids["other"]}
    preview = world.ask("POST", "companies/<sub>/move/preview/", target).json()
    path, body = "companies/<sub>/move/", target | {"preview": preview["token"]}
    # then: of another company, to another place, or made up
    world.refuses(409, "preview_outdated", "POST", "companies/<low>/move/", body)
    elsewhere = body | {"parent": None}
    world.refuses(409, "preview_outdated", "POST", path, elsewhere)
    for token in ("a:b:c", preview["token"][:-1]):
        world.refuses(409, "preview_outdated", "POST", path, body | {"preview": token})
    for token in (5, [], "a\0b", "x" * 5_000):
        world.refuses(400, None, "POST", path, body | {"preview": token})
    # and after a change that counts: somebody more would reach the company
    make_assignment(company_id=world.ids["other"], covers_subsidiaries=True)
    world.refuses(409, "preview_outdated", "POST", path, body)


def test_levels_are_limited_for_creations_and_for_moves(world, settings):
    # given: 32 levels, and two more to hang below them
    chain = make_chain(settings.COMPANY_MAX_DEPTH)
    deepest, above = chain[-1].pk, chain[-2].pk
    # then
    body = {"name": "New", "parent": deepest}
    world.refuses(409, "too_deep", "POST", "companies/", body)
    move = "companies/<sub>/move/"  # with one below it
    for parent in (deepest, above):
        world.refuses(409, "too_deep", "POST", move, {"parent": parent})
    world.accepts("POST", move, {"parent": chain[-3].pk})


def test_children_are_not_limited(world):
    # given
    head = Company.objects.get(pk=world.ids["other"])
    load_companies(
        [
            Company(name=f"Child {number}", code=f"child-{number}", parent=head)
            for number in range(MANY)
        ],
        actor=SYSTEM,
    )
    # when
    world.accepts("POST", "companies/", {"name": "One more", "parent": head.pk})
    # then
    page = world.ask("GET", "companies/<other>/children/?count=true").json()
    assert page["count"] == MANY + 1


def test_sisters_may_have_the_same_name(world):
    body = {"name": "Twin", "parent": "<head>"}
    first = world.accepts("POST", "companies/", body)
    second = world.accepts("POST", "companies/", body)
    assert (first["code"], second["code"]) == ("twin", "twin-2")


def used_by_a_subsidiary(company):
    make_company(parent=company)


def used_by_a_former_subsidiary(company):
    make_company(parent=company).move(None)


def used_by_an_assignment(company):
    make_assignment(company=company)


def used_by_a_former_assignment(company):
    make_assignment(company=company).delete()


def used_by_a_link(company):
    make_link(other=company)


def used_by_a_request(company):
    submit(company, person(company, "BUYER"))
    company.assignments.all().delete()


USES = [
    used_by_a_request,
    used_by_a_subsidiary,
    used_by_a_former_subsidiary,
    used_by_an_assignment,
    used_by_a_former_assignment,
    used_by_a_link,
]


@pytest.mark.parametrize("use", USES)
def test_a_company_that_was_ever_used_is_not_deleted(world, use):
    use(Company.objects.get(pk=world.ids["low"]))
    world.refuses(409, "in_use", "DELETE", "companies/<low>/", If_Match='"1"')


def test_below_a_head_on_hold_a_company_is_activated_and_not_active(world):
    # given
    world.accepts("POST", "companies/<head>/hold/", {"reason": "Unpaid"})
    world.accepts("POST", "companies/<sub>/hold/", {"reason": "Unpaid"})
    # when
    found = world.accepts("POST", "companies/<sub>/activate/", {"reason": "Paid"})
    # then
    assert (found["status"], found["effective_status"]) == ("ACTIVE", "ON_HOLD")


def test_a_company_with_pending_requests_is_put_on_hold(world):
    # given
    sub = Company.objects.get(pk=world.ids["sub"])
    request = submit(sub, person(sub, "REQUESTER"))
    assert request.is_pending
    # when
    world.accepts("POST", "companies/<head>/hold/", {"reason": "Unpaid"})
    # then
    request.refresh_from_db()
    assert request.is_pending


@pytest.mark.parametrize("action", ["activate", "hold", "close"])
@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "\t"}, {"reason": 5}, {"reason": "x" * 501}]
)
def test_a_status_is_changed_with_a_reason(world, action, body):
    world.refuses(400, None, "POST", f"companies/<sub>/{action}/", body)
