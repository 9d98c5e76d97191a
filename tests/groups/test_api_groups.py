"""Customer groups, members and propagation over HTTP."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from config.api_router import router
from groups.api.serializers import CustomerGroupSerializer, MemberSerializer
from groups.api.shapes import CUSTOMER_GROUP, MEMBER
from groups.models import CustomerGroup, GroupMember, GroupPropagation
from tests.api_shapes import assert_same_shape
from tests.factories import make_chain, make_company, make_contact
from tests.groups.makers import automatic, make_group, person

pytestmark = pytest.mark.django_db

GROUPS = "/api/v1/customer-groups/"
ABSENT = 99_999_999


def url(group, *more) -> str:
    return GROUPS + "".join(f"{part}/" for part in (group.pk, *more))


def reach(company) -> str:
    return f"/api/v1/companies/{company.pk}/group-propagation/"


def on(version: int) -> dict:
    return {"headers": {"If-Match": f'"{version}"'}}


def refusal(answer) -> tuple:
    body = answer.json()
    errors = [
        (error.get("pointer", error.get("parameter")), error["code"])
        for error in body.get("errors", [])
    ]
    return answer.status_code, body["code"], *errors


def stored() -> list[tuple]:
    return [
        *CustomerGroup.objects.order_by("pk").values_list(),
        *GroupMember.objects.order_by("pk").values_list(),
        *GroupPropagation.objects.order_by("pk").values_list(),
    ]


def ids(answer) -> list[int]:
    return [row["id"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("serializer", "shape"),
    [(CustomerGroupSerializer, CUSTOMER_GROUP), (MemberSerializer, MEMBER)],
)
def test_what_is_described_is_what_is_read(serializer, shape):
    assert_same_shape(serializer, shape)


# The groups themselves


def test_a_custom_group_is_made_read_changed_and_deleted(api):
    # given
    company = make_company()

    # when
    made = api.post(
        GROUPS,
        {"company": company.pk, "name": " Board ", "code": "board", "price_list": "P"},
    )

    # then
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    body = made.json()
    path = f"{GROUPS}{body['id']}/"
    assert body == {
        "id": body["id"],
        "company": company.pk,
        "kind": "CUSTOM",
        "name": "Board",
        "code": "board",
        "price_list": "P",
        "version": 1,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    assert api.get(path).json() == body
    changed = api.patch(path, {"name": "Heads"}, **on(1)).json()
    assert (changed["name"], changed["code"], changed["version"]) == (
        "Heads",
        "board",
        2,
    )
    replaced = api.put(path, {"name": "Heads"}, **on(2)).json()
    assert (replaced["code"], replaced["price_list"]) == ("", "")
    history = CustomerGroup.history.filter(id=body["id"])
    assert {entry.history_user_id[:7] for entry in history} == {"client:"}
    assert api.delete(path, **on(3)).status_code == 204
    assert api.get(path).status_code == 404


def test_a_group_across_companies_is_made_without_a_company(api):
    made = api.post(GROUPS, {"name": "Partners"})

    assert made.status_code == 201
    assert made.json()["company"] is None


@pytest.mark.parametrize("method", ["put", "patch"])
def test_the_price_list_of_an_automatic_group_is_written(api, method):
    # given
    company = make_company(name="Acme")
    group = automatic(company)
    read = api.get(url(group)).json()
    assert (read["kind"], read["name"]) == ("BUYERS", "Acme: Buyers")

    # when
    bare = getattr(api, method)(url(group), {"price_list": "A"}, **on(1))
    sent_back = getattr(api, method)(
        url(group), bare.json() | {"price_list": "B"}, **on(2)
    )

    # then
    assert (bare.status_code, sent_back.status_code) == (200, 200)
    changed = {"price_list": "B", "version": 3}
    answer = sent_back.json()
    assert answer == read | changed | {"updated_at": answer["updated_at"]}


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    "change",
    [
        {"name": "Mine"},
        {"name": ""},
        {"code": "mine"},
        {"kind": "CUSTOM"},
        {"kind": "ADMINS"},
        {"company": None},
        {"company": ABSENT},
        {"price_list": "P", "name": "Mine"},
    ],
)
def test_all_else_of_an_automatic_group_is_refused(api, method, change):
    # given
    group = automatic(make_company())
    before = stored()

    # when
    answer = getattr(api, method)(url(group), change, **on(1))

    # then
    assert refusal(answer) == (409, "automatic_group")
    assert stored() == before


def test_an_automatic_group_is_not_lost_by_a_put_that_leaves_it_bare(api):
    group = automatic(make_company())
    CustomerGroup.objects.filter(pk=group.pk).update(price_list="P")

    answer = api.put(url(group), {}, **on(1))

    assert (answer.status_code, answer.json()["price_list"]) == (200, "")
    assert answer.json()["name"].endswith(": Buyers")


def test_an_automatic_group_is_not_deleted(api):
    group = automatic(make_company())
    before = stored()

    answer = api.delete(url(group), **on(1))

    assert refusal(answer) == (409, "automatic_group")
    assert stored() == before


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/name", "required")]),
        ({"name": ""}, [("/name", "blank")]),
        ({"name": None}, [("/name", "null")]),
        ({"name": 5}, [("/name", "invalid")]),
        ({"name": "x" * 201}, [("/name", "max_length")]),
        ({"name": "\u202e"}, [("/name", "blank")]),
        ({"name": "x", "code": "a b"}, [("/code", "code")]),
        ({"name": "x", "code": "x" * 65}, [("/code", "code"), ("/code", "max_length")]),
        ({"name": "x", "code": "TAKEN"}, [("/code", "duplicate_code")]),
        ({"name": "x", "price_list": "x" * 65}, [("/price_list", "max_length")]),
        ({"name": "x", "company": ABSENT}, [("/company", "does_not_exist")]),
        ({"name": "x", "company": "1"}, [("/company", "incorrect_type")]),
        ({"name": "x", "company": 2**70}, [("/company", "does_not_exist")]),
        ({"name": "x", "kind": "ADMINS"}, [("/kind", "read_only")]),
        ({"name": "x", "kind": "CUSTOM"}, [("/kind", "read_only")]),
        ({"name": "x", "id": 7}, [("/id", "read_only")]),
        ({"name": "x", "members": []}, [("/members", "unknown_field")]),
    ],
)
def test_a_wrong_group_is_refused_by_place(api, body, errors):
    # given
    make_group(code="taken")
    before = stored()

    # when
    answer = api.post(GROUPS, body)

    # then
    assert refusal(answer) == (400, "invalid", *errors)
    assert stored() == before


def test_a_custom_group_may_be_named_as_an_automatic_one(api):
    company = make_company()

    answer = api.post(GROUPS, {"name": "Admins", "company": company.pk})

    assert (answer.status_code, answer.json()["kind"]) == (201, "CUSTOM")


def test_a_group_stays_with_its_company(api):
    group = make_group(company=make_company())
    before = stored()

    answer = api.patch(url(group), {"company": make_company().pk}, **on(1))

    assert refusal(answer) == (400, "invalid", ("/company", "read_only"))
    assert [row for row in stored() if row in before] == before


def test_a_stale_or_missing_version_is_refused(api):
    company = make_company()
    before = None
    for path in (url(automatic(company)), url(make_group(company=company))):
        before = stored()
        for call in (api.put, api.patch, api.delete):
            body = {} if call == api.delete else {"price_list": "x"}
            assert call(path, body).status_code == 428
            assert call(path, body, **on(7)).status_code == 412
        assert stored() == before


def test_lists_are_filtered(api):
    # given
    head, sub = make_chain(2, name="Acme")
    other = make_company(name="Other")
    board = make_group(person(sub), company=head, name="Zürich board", code="B-1")
    across = make_group(name="Partners", price_list="GOLD")
    buyers = automatic(sub)
    buyers.price_list = "GOLD"
    buyers.save()
    buyer = person(sub, "BUYER")
    GroupMember.objects.create(group=across, contact=buyer)

    def found(query: str) -> list[int]:
        answer = api.get(f"{GROUPS}?{query}")
        assert answer.status_code == 200, answer.content
        return ids(answer)

    # then
    assert len(found("")) == 14
    assert len(found(f"company={head.pk}")) == 5
    assert len(found(f"under={head.pk}")) == 9
    assert len(found(f"under={other.pk}")) == 4
    assert found("kind=CUSTOM") == [board.pk, across.pk]
    assert len(found("kind=ADMINS")) == 3
    assert found("price_list=GOLD") == [buyers.pk, across.pk]
    assert found("price_list=gold") == []
    assert found("code=b-1") == [board.pk]
    assert found("code=b") == []
    assert found("q=zurich") == [board.pk]
    assert len(found("q=acme")) == 9
    contacts = automatic(sub, "CONTACTS")
    assert found(f"contact={buyer.pk}") == [buyers.pk, contacts.pk, across.pk]
    assert found(f"contact={buyer.pk}&company={sub.pk}&kind=BUYERS") == [buyers.pk]
    late = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found(f"updated_after={late}") == []


def test_who_is_in_no_group_any_more_is_found_in_none(api):
    company = make_company()
    yesterday = timezone.localdate() - timedelta(days=1)
    left = person(company, "BUYER", valid_until=yesterday)
    make_group(left, company=company)

    assert ids(api.get(f"{GROUPS}?contact={left.pk}")) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("kind=KING", "invalid_choice"),
        ("company=x", "does_not_exist"),
        (f"company={ABSENT}", "does_not_exist"),
        (f"contact={ABSENT}", "does_not_exist"),
        ("updated_after=yesterday", "invalid"),
        ("name=x", "unknown_parameter"),
        ("ordering=name", "ordering"),
        ("fields=level", "unknown_field"),
        ("company__name=x", "unknown_parameter"),
    ],
)
def test_a_wrong_query_is_refused_by_name(api, query, code):
    name = query.split("=")[0]

    assert refusal(api.get(f"{GROUPS}?{query}")) == (400, "invalid", (name, code))


def test_lists_take_the_same_few_queries(api, django_assert_num_queries):
    # given
    company = make_company()
    contact, buyers = person(company), automatic(company)
    for _ in range(20):
        make_group(contact, company=company)

    # then: the token, and one for the page; more only for what is named
    with django_assert_num_queries(2):
        api.get(GROUPS)
    with django_assert_num_queries(2):
        api.get(url(buyers))
    with django_assert_num_queries(3):
        api.get(f"{GROUPS}?contact={contact.pk}")
    with django_assert_num_queries(3):
        api.get(f"{GROUPS}?expand=company")
    with django_assert_num_queries(3):
        api.get(url(buyers, "members"))


def test_fields_and_companies_are_shown_as_asked(api):
    company = make_company()
    group = make_group(company=company, name="Board")

    answer = api.get(f"{url(group)}?fields=name,company&expand=company")

    brief = {"id": company.pk, "code": company.code, "name": company.name}
    assert answer.json() == {"company": brief, "name": "Board"}


# Members


def test_members_of_an_automatic_group_are_who_is_assigned_today(api):
    # given
    company = make_company()
    buyer = person(company, "BUYER")
    person(company, "ADMIN")
    person(company, "BUYER", valid_from=timezone.localdate() + timedelta(days=1))
    inactive = person(company, "BUYER")
    inactive.is_active = False
    inactive.save()

    # when
    answer = api.get(url(automatic(company), "members"))

    # then
    assert answer.json() == {
        "results": [
            {
                "contact": buyer.pk,
                "why": "assignment",
                "assignment": buyer.assignments.get().pk,
                "in_force": True,
            }
        ],
        "next": None,
        "previous": None,
    }


def test_a_member_is_added_by_hand_and_taken_out(api):
    # given
    company = make_company()
    group, contact = make_group(company=company), person(company)
    path = url(group, "members")

    # when
    added = api.post(path, {"contact": contact.pk})

    # then
    member = {
        "contact": contact.pk,
        "why": "by_hand",
        "assignment": None,
        "in_force": True,
    }
    assert (added.status_code, added.json()) == (201, member)
    assert api.get(path).json()["results"] == [member]
    again = api.post(path, {"contact": contact.pk})
    assert refusal(again) == (400, "invalid", ("", "already_member"))
    assert GroupMember.history.get().history_user_id.startswith("client:")
    taken_out = api.delete(url(group, "members", contact.pk))
    assert (taken_out.status_code, taken_out.content) == (204, b"")
    assert api.get(path).json()["results"] == []
    missing = api.delete(url(group, "members", contact.pk))
    assert refusal(missing) == (409, "not_a_member")


def test_a_member_by_hand_who_does_not_count_today_is_shown_as_such(api):
    # given
    company = make_company()
    tomorrow = timezone.localdate() + timedelta(days=1)
    later, now = person(company, valid_from=tomorrow), person(company)
    group = make_group(later, now, company=company)

    # when
    rows = api.get(url(group, "members")).json()["results"]

    # then
    assert [(row["contact"], row["in_force"]) for row in rows] == [
        (later.pk, False),
        (now.pk, True),
    ]


def test_members_come_in_pages(api):
    # given
    company = make_company()
    people = [person(company, "BUYER").pk for _ in range(5)]
    for group in (
        automatic(company),
        make_group(*company.assignments.model.objects.none(), company=company),
    ):
        for pk in [] if group.is_automatic else people:
            GroupMember.objects.create(group=group, contact_id=pk)

        # when
        found, page = [], url(group, "members") + "?page_size=2"
        while page:
            answer = api.get(page).json()
            found += [row["contact"] for row in answer["results"]]
            page = answer["next"]

        # then
        assert found == people


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("/contact", "required")),
        ({"contact": None}, ("/contact", "null")),
        ({"contact": "1"}, ("/contact", "incorrect_type")),
        ({"contact": ABSENT}, ("/contact", "does_not_exist")),
        ({"contact": 2**80}, ("/contact", "does_not_exist")),
        ({"contact": [1]}, ("/contact", "incorrect_type")),
        ({"contact": "stranger"}, ("/contact", "not_of_hierarchy")),
        ({"contact": "member", "why": "x"}, ("/why", "unknown_field")),
    ],
)
def test_a_wrong_member_is_refused_by_place(api, body, error):
    # given
    company = make_company()
    group = make_group(company=company)
    known = {"stranger": make_contact().pk, "member": person(company).pk}
    body = {key: known.get(str(value), value) for key, value in body.items()}

    # when
    answer = api.post(url(group, "members"), body)

    # then
    assert refusal(answer) == (400, "invalid", error)
    assert not GroupMember.objects.exists()


def test_members_of_an_automatic_group_are_not_edited(api):
    # given
    company = make_company()
    buyer = person(company, "BUYER")
    group, before = automatic(company), stored()

    # when
    added = api.post(url(group, "members"), {"contact": person(company).pk})
    removed = api.delete(url(group, "members", buyer.pk))

    # then
    assert refusal(added) == refusal(removed) == (409, "automatic_group")
    assert stored() == before


@pytest.mark.parametrize("contact", ["x", "0", "01", "1.5", "9" * 30, "-1", "%00"])
def test_a_malformed_contact_in_the_path_is_not_found(api, contact):
    group = make_group()

    assert api.delete(url(group, "members", contact)).status_code == 404


# Propagation


def test_propagation_is_read_and_set_at_the_head_company(api):
    # given
    head, sub = make_chain(2)
    unset = {"company": head.pk, "mode": "UPWARD", "version": 0}
    for company in (head, sub):
        read = api.get(reach(company))
        assert (read.json(), read.headers["ETag"]) == (unset, '"0"')

    # when
    answer = api.put(reach(head), {"mode": "DOWNWARD"}, **on(0))

    # then
    chosen = {"company": head.pk, "mode": "DOWNWARD", "version": 1}
    assert (answer.status_code, answer.json()) == (200, chosen)
    assert answer.headers["ETag"] == '"1"'
    assert api.get(reach(sub)).json() == chosen
    sent_back = api.put(reach(head), chosen | {"mode": "DISABLED"}, **on(1))
    assert sent_back.json() == chosen | {"mode": "DISABLED", "version": 2}
    user = GroupPropagation.history.first().history_user_id
    assert user.startswith("client:")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("/mode", "required")),
        ({"mode": "SIDEWARD"}, ("/mode", "invalid_choice")),
        ({"mode": None}, ("/mode", "null")),
        ({"mode": ["UPWARD"]}, ("/mode", "invalid_choice")),
        ({"mode": "DISABLED", "company": ABSENT}, ("/company", "read_only")),
        ({"mode": "DISABLED", "version": 1}, ("/version", "read_only")),
        ({"mode": "DISABLED", "head": 1}, ("/head", "unknown_field")),
    ],
)
def test_a_wrong_propagation_is_refused_by_place(api, body, error):
    answer = api.put(reach(make_company()), body, **on(0))

    assert refusal(answer) == (400, "invalid", error)
    assert not GroupPropagation.objects.exists()


def test_propagation_of_a_subsidiary_is_refused(api):
    _head, sub = make_chain(2)

    answer = api.put(reach(sub), {"mode": "DISABLED"}, **on(0))

    assert refusal(answer) == (409, "not_a_head_company")
    assert not GroupPropagation.objects.exists()


def test_propagation_needs_the_version_that_was_read(api):
    head = make_company()
    api.put(reach(head), {"mode": "DISABLED"}, **on(0))

    missing = api.put(reach(head), {"mode": "UPWARD"})
    stale = api.put(reach(head), {"mode": "UPWARD"}, **on(0))

    assert (missing.status_code, stale.status_code) == (428, 412)
    assert GroupPropagation.objects.get().mode == "DISABLED"


# Sight and scopes


@pytest.fixture
def world(db):
    """Two hierarchies, and a group across both."""

    def populate(name):
        head, sub = make_chain(2, name=name)
        contact = person(sub, "BUYER")
        return {
            "head": head,
            "sub": sub,
            "contact": contact,
            "group": make_group(contact, company=head, name=name, code=name),
            "automatic": automatic(sub),
        }

    own, foreign = populate("own"), populate("canary")
    across = make_group(own["contact"], foreign["contact"], name="canary-across")
    return {"own": own, "foreign": foreign, "across": across}


def test_a_client_of_some_hierarchies_sees_no_other_groups(caller, world):
    # given
    http = caller(only=(world["own"]["head"],))
    foreign = world["foreign"]
    contact = world["own"]["contact"]

    # then
    everything = http.get(f"{GROUPS}?count=true")
    assert everything.json()["count"] == 9
    mine = http.get(f"{GROUPS}?contact={contact.pk}")
    assert len(ids(mine)) == 3
    for answer in (everything, mine, http.get(f"{GROUPS}?q=canary")):
        assert "canary" not in answer.content.decode()
    for query in (f"company={foreign['sub'].pk}", f"contact={foreign['contact'].pk}"):
        name = query.split("=")[0]
        assert refusal(http.get(f"{GROUPS}?{query}")) == (
            400,
            "invalid",
            (name, "does_not_exist"),
        )
    code = http.post(
        GROUPS, {"name": "x", "code": "CANARY", "company": world["own"]["head"].pk}
    )
    assert refusal(code) == (400, "invalid", ("/code", "duplicate_code"))


def test_what_is_out_of_sight_does_not_exist(caller, world):
    # given
    http = caller(only=(world["own"]["head"],))
    contact = world["own"]["contact"].pk
    before = stored()

    # then
    for group in (world["foreign"]["group"], world["foreign"]["automatic"],
                  world["across"]):  # fmt: skip
        for answer in (
            http.get(url(group)),
            http.put(url(group), {"name": "x"}, **on(1)),
            http.patch(url(group), {"price_list": "x"}, **on(1)),
            http.delete(url(group), **on(1)),
            http.get(url(group, "members")),
            http.post(url(group, "members"), {"contact": contact}),
            http.delete(url(group, "members", contact)),
        ):
            assert refusal(answer) == (404, "not_found")
    for company in (world["foreign"]["head"], world["foreign"]["sub"]):
        assert http.get(reach(company)).status_code == 404
        put = http.put(reach(company), {"mode": "DISABLED"}, **on(0))
        assert put.status_code == 404
    own = url(world["own"]["group"], "members")
    foreign = world["foreign"]["contact"].pk
    assert refusal(http.post(own, {"contact": foreign})) == (
        400,
        "invalid",
        ("/contact", "does_not_exist"),
    )
    assert http.delete(f"{own}{foreign}/").status_code == 404
    assert stored() == before


def test_a_client_of_some_hierarchies_makes_no_group_across_companies(caller, world):
    http = caller(only=(world["own"]["head"],))
    before = stored()

    answer = http.post(GROUPS, {"name": "Partners"})

    assert refusal(answer) == (403, "out_of_sight")
    assert stored() == before


def test_a_member_who_went_to_another_hierarchy_is_not_shown(caller, world):
    # given
    own, foreign = world["own"], world["foreign"]
    own["sub"].move(foreign["head"])
    http = caller(only=(own["head"],))

    # then
    assert http.get(url(own["group"], "members")).json()["results"] == []


def test_a_client_of_a_part_sees_its_groups_only(caller, world):
    # given
    own = world["own"]
    http = caller(only=(own["sub"],))

    # then
    assert len(ids(http.get(GROUPS))) == 4
    assert http.get(url(own["group"])).status_code == 404
    assert http.get(reach(own["head"])).status_code == 404
    put = http.put(reach(own["sub"]), {"mode": "DISABLED"}, **on(0))
    assert refusal(put) == (409, "not_a_head_company")


READS = [
    "customer-groups/",
    "customer-groups/{custom}/",
    "customer-groups/{custom}/members/",
    "companies/{company}/group-propagation/",
    "pricing-context/",
]
WRITES = [
    ("post", "customer-groups/", {"name": "x"}, 201),
    ("put", "customer-groups/{custom}/", {"name": "x"}, 200),
    ("patch", "customer-groups/{custom}/", {"name": "x"}, 200),
    ("delete", "customer-groups/{custom}/", None, 204),
    ("post", "customer-groups/{custom}/members/", {}, 400),
    ("delete", "customer-groups/{custom}/members/{contact}/", None, 409),
    ("put", "companies/{company}/group-propagation/", {"mode": "DISABLED"}, 200),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [*[("get", path, None, 200) for path in READS], *WRITES],
)
def test_each_operation_needs_its_scope(caller, method, path, body, status):
    # given
    company = make_company()
    contact = person(company)
    path = "/api/v1/" + path.format(
        custom=make_group(company=company).pk, company=company.pk, contact=contact.pk
    )
    scope, other = "groups:read", "groups:write"
    version = 0 if "propagation" in path else 1
    if method == "get":
        body = {}
        if "pricing" in path:
            body = {"contact": contact.pk, "company": company.pk}
    else:
        scope, other = other, scope

    def ask(http):
        return getattr(http, method)(path, body, **on(version))

    # then
    assert ask(APIClient()).status_code == 401
    denied = ask(caller(f"{other} companies:read companies:write"))
    assert refusal(denied) == (403, "insufficient_scope")
    assert denied.json()["details"] == {"scope": scope}
    assert ask(caller(scope)).status_code == status


def test_every_operation_is_in_the_table_of_scopes():
    # given
    kinds = {
        "customer-groups/{lookup}": "customer-groups/{custom}",
        "companies/{lookup}": "companies/{company}",
    }
    tabled = {*[("get", path) for path in READS], *[row[:2] for row in WRITES]}

    # then
    found = set()
    for prefix, view, _basename in router.registry:
        if not view.__module__.startswith("groups.") or prefix.startswith("as/"):
            continue  # acting for people: tests/matrix
        for route in router.get_routes(view):
            for method in router.get_method_map(view, route.mapping):
                path = route.url.strip("^$").replace("{prefix}", prefix)
                path = path.replace("{trailing_slash}", "/")
                for written, ours in kinds.items():
                    path = path.replace(written, ours)
                found.add((method, re.sub(r"\(\?P<contact>[^)]*\)", "{contact}", path)))
    assert found == tabled


def test_no_tree_number_is_in_an_answer(api):
    head, sub = make_chain(2)
    group = make_group(person(sub), company=head)
    for path in (
        GROUPS,
        f"{url(group)}?expand=company",
        url(group, "members"),
        reach(sub),
    ):
        text = api.get(path).content.decode()
        assert not re.search(r'"(lft|rght|tree_id|level)"', text)
