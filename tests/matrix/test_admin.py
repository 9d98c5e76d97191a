"""Every address of the console, every member of staff, with and without a portfolio.

The cells are made from the table in `admin.py` and the URL resolver: an address that is
in no row fails. Of each refusal: the status, nothing changed, and no canary.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ActionLocation
from django.http import HttpRequest
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from companies.models import Company
from integrations.models import ApiClient
from tests import figures
from tests.factories import make_user
from tests.matrix.admin import (
    ACTIONS,
    APART,
    EVERYBODY,
    LISTED,
    MODELS,
    OF_NO_HIERARCHY,
    ORDER,
    PAGES,
    ROLES,
    Console,
    make_console,
)
from tests.matrix.test_matrix import undone
from tests.matrix.world import ABSENT, CANARY, fingerprint
from tests.staff import ACTION, in_role, logged_in, said, superuser

NOT_OFFERED = "No action selected."  # what Django says of such a button

pytestmark = pytest.mark.django_db
CELLS: Counter[str] = Counter()
METHODS = ("get", "post")
LOGIN = "/admin/login/"
STAFF_TABLES = (
    ApiClient._meta.db_table,
    "auth_user",
    "auth_group",
    "auth_group_permissions",
    "auth_user_groups",
    "auth_user_user_permissions",
)


@pytest.fixture
def console() -> Console:
    return make_console(CANARY)


@pytest.fixture(autouse=True, scope="module")
def _tell() -> Iterator[None]:
    yield
    figures.show(f"console matrix: {dict(CELLS)}, {CELLS.total()} cells")


# --- What there is


def addresses() -> dict[str, str]:
    """The pattern of each address of the console by its name."""

    def walk(patterns: Any, before: str) -> Iterator[tuple[str | None, str]]:
        for one in patterns:
            path = before + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, path)
            else:
                yield one.name, path

    found = walk(get_resolver().url_patterns, "")
    # Without a name: the old address of an object's page, which only leads to it, and
    # what matches everything else. Asked for below.
    return {name: path for name, path in found if name and path.startswith("admin/")}


def rights() -> dict[tuple[str, str], str]:
    """Who may send what to which address: the first role that may."""
    found = {}
    for label, (view, export, add, change, delete) in MODELS.items():
        of_pages = {
            "changelist": (view, view),
            "export": (export, export),
            "add": (add, add),
            "change": (view, change),
            "delete": (delete, delete),
            "history": (view, view),
        }
        for page, who in of_pages.items():
            name = f"{label.replace('.', '_')}_{page}"
            found |= {(name, m): w for m, w in zip(METHODS, who, strict=True)}
    for name, who in PAGES.items():
        found |= {(name, m): w for m, w in zip(METHODS, who, strict=True)}
    return found


RIGHTS = rights()


def test_every_address_has_a_row():
    assert set(addresses()) == {name for name, _method in RIGHTS} | EVERYBODY | APART


def test_every_button_has_a_row():
    # given
    request = HttpRequest()
    request.user = make_user(is_superuser=True)

    # when
    there = {}
    for model, page in admin.site._registry.items():
        found: set[str] = set()
        for location in ActionLocation:
            found |= set(page.get_actions(request, location))
        if found:
            there[model._meta.label_lower] = found

    # then
    buttons = {label: set(actions) for label, actions in ACTIONS.items()}
    for label, actions in LISTED.items():
        buttons[label] |= set(actions)
    assert there == buttons


# --- Cells


def buttons(ids: dict[str, Any]) -> Iterator[tuple[str, str, str, str, dict]]:
    """Each button: whose, its name, who may, where it is, what pressing it sends."""
    for table, page, field in (
        (ACTIONS, "change", ACTION),
        (LISTED, "changelist", "action"),
    ):
        for label, actions in table.items():
            path = path_of(f"{label.replace('.', '_')}_{page}", ids)
            for action, needed in actions.items():
                sent = {field: action, "_selected_action": ids[label]}
                yield label, action, needed, path, sent


def path_of(name: str, ids: dict[str, Any]) -> str:
    """The address of the page, about the things of `ids`."""
    label = next((one for one in MODELS if name.startswith(one.replace(".", "_"))), "")
    for one in MODELS:  # of companies_import and companies_importmapping the longer
        begins = name.startswith(one.replace(".", "_") + "_")
        label = one if begins and len(one) > len(label or "") else label
    values = {
        "object_id": ids.get(label),
        "id": ids.get(label),
        "opened": ids["sub"],
        "company": ids["sub"],
        "kind": "zip" if "hierarchy" in name else "csv",
        "app_label": "companies",
        "slug": "people",
    }
    wanted = re.findall(r"<(?:\w+:)?(\w+)>", addresses()[name])
    return reverse(f"admin:{name}", kwargs={one: values[one] for one in wanted})


def ask(
    browser: Client, method: str, path: str, sent: Any = None, *, watch: bool = True
) -> Any:
    """One call, undone; with what it showed, and whether it changed anything."""
    with undone():
        before = fingerprint(*STAFF_TABLES) if watch else ""
        answer = getattr(browser, method)(path, sent or {})
        streamed = getattr(answer, "streaming", False)
        body = b"".join(answer.streaming_content) if streamed else answer.content
        answer.shown = body.decode(errors="replace") + str(dict(answer.headers))
        answer.changed = watch and fingerprint(*STAFF_TABLES) != before
    browser.cookies.pop("messages", None)  # not undone by the database
    return answer


def is_login(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith(LOGIN)


def is_refused(answer: Any) -> bool:
    return answer.status_code == 403 and not answer.changed


def is_nowhere(answer: Any) -> bool:
    """What Django says of an object that does not exist."""
    index = answer.status_code == 302 and answer["Location"] == reverse("admin:index")
    return index and not answer.changed


def is_let_in(answer: Any) -> bool:
    return answer.status_code < 400 and not is_login(answer)


def may(role: str, needed: str) -> bool:
    return ORDER.index(role) >= ORDER.index(needed) and needed != "N"


def browser_of(role: str) -> Client:
    return superuser() if role == "S" else in_role(ROLES[role])


def told(*cell: Any) -> tuple[Any, ...]:
    *where, answer = cell
    return (*where, answer.status_code, answer.changed, answer.get("Location", ""))


@pytest.mark.parametrize("who", ["anonymous", "no staff"])
def test_others_are_asked_to_log_in(console: Console, who: str):
    # given
    browser = Client()
    if who == "no staff":
        browser = logged_in(make_user(is_staff=False, permissions=("view_company",)))

    # when
    wrong = []
    for name in sorted(set(addresses()) - {"login", "logout", "jsi18n"}):
        path = (
            reverse("admin:view_on_site", args=[1, 1])
            if name == "view_on_site"
            else path_of(name, console.foreign)
        )
        for method in METHODS:
            CELLS[who] += 1
            answer = ask(browser, method, path)
            shown = answer.shown.replace(path, "")
            if not is_login(answer) or answer.changed or CANARY in shown:
                wrong.append(told(name, method, answer))

    # then
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_roles(console: Console, role: str):
    # given
    browser = browser_of(role)

    # when
    wrong = []
    for (name, method), needed in RIGHTS.items():
        CELLS[ROLES[role]] += 1
        allowed = may(role, needed)
        path = path_of(name, console.foreign)
        answer = ask(browser, method, path, watch=not allowed)
        if allowed:
            if not is_let_in(answer):
                wrong.append(told(name, method, answer))
        elif not is_refused(answer) or CANARY in answer.shown:
            wrong.append(told(name, method, answer))
    for name in EVERYBODY:
        CELLS[ROLES[role]] += 1
        method = "post" if name == "logout" else "get"
        answer = ask(browser, method, path_of(name, console.own), watch=False)
        if name == "logout":
            browser = browser_of(role)
        if not is_let_in(answer):
            wrong.append(told(name, answer))

    # then
    assert wrong == []


def test_superusers(console: Console):
    # given
    browser = superuser()

    # when
    wrong = []
    for (name, method), needed in RIGHTS.items():
        CELLS["superuser"] += 1
        path = path_of(name, console.foreign)
        answer = ask(browser, method, path, watch=needed == "N")
        if not (is_refused(answer) if needed == "N" else is_let_in(answer)):
            wrong.append(told(name, method, answer))

    # then
    assert wrong == []


@pytest.mark.parametrize("role", [*ROLES, "S"])
def test_buttons(console: Console, role: str):
    """Without the right a button does nothing, and asks nothing."""
    # given
    browser = browser_of(role)

    # when
    wrong = []
    for label, action, needed, page, pressed in buttons(console.foreign):
        CELLS[f"buttons of {role}"] += 1
        answer = ask(browser, "post", page, pressed)
        # The page that asks on, or what was done and said.
        pressed_it = answer.status_code == 302 and NOT_OFFERED not in said(answer)
        asked = "kz-ask" in answer.shown or pressed_it
        if may(role, needed) != asked or (not asked and answer.changed):
            wrong.append(told(label, action, answer))

    # then
    assert wrong == []


# --- Portfolios


def looking_after_own(console: Console, role: str) -> Client:
    browser = in_role(ROLES[role])
    console.look_after_own(browser.user)
    return browser


def absent(ids: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(ids, ABSENT)


def plain(answer: Any, ids: dict[str, Any]) -> str:
    """What was answered, without the ids that were asked for."""
    text = answer.content.decode() + answer.get("Location", "") + str(said(answer))
    text = re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]*"', "", text)
    for pk in {*ids.values(), ABSENT}:
        text = re.sub(rf"\b{pk}\b", "#", text)
    return text


@pytest.mark.parametrize("role", ["K", "A"])
def test_what_is_of_another_hierarchy_does_not_exist(console: Console, role: str):
    # given
    browser = looking_after_own(console, role)

    # when
    wrong = []
    for (name, method), needed in RIGHTS.items():
        if not may(role, needed):
            continue
        CELLS["foreign object"] += 1
        theirs = ask(browser, method, path_of(name, console.foreign))
        if CANARY in theirs.shown or theirs.changed:
            wrong.append(told(name, method, theirs))
        if not re.search(r"\b(object_id|id|opened|company)>", addresses()[name]):
            continue  # a list, or a form
        nowhere = ask(browser, method, path_of(name, absent(console.foreign)))
        if plain(theirs, console.foreign) != plain(nowhere, console.foreign):
            wrong.append(told(name, method, theirs))

    # then
    assert wrong == []


@pytest.mark.parametrize("role", ["K", "A"])
def test_what_is_of_ones_own_hierarchy_is_there(console: Console, role: str):
    # given
    browser = looking_after_own(console, role)

    # when
    wrong = []
    for (name, method), needed in RIGHTS.items():
        label = next(
            (m for m in OF_NO_HIERARCHY if name.startswith(m.replace(".", "_"))), None
        )
        if name.startswith("companies_import_") and "<path" in addresses()[name]:
            continue  # a colleague's: see below
        CELLS["own object"] += 1
        allowed = may(role, needed) and label is None
        answer = ask(browser, method, path_of(name, console.own), watch=not allowed)
        refused = is_refused(answer) or is_nowhere(answer)
        if not (is_let_in(answer) if allowed else refused):
            wrong.append(told(name, method, answer))
        if CANARY in answer.shown:
            wrong.append(("canary", name, method))

    # then
    assert wrong == []


def test_buttons_do_not_reach_another_hierarchy(console: Console):
    # given
    browser = looking_after_own(console, "A")

    # when
    wrong = []
    for label, action, _needed, page, pressed in buttons(console.foreign):
        CELLS["buttons on foreign object"] += 1
        answer = ask(browser, "post", page, pressed)
        if answer.changed or CANARY in answer.shown or "kz-ask" in answer.shown:
            wrong.append(told(label, action, answer))

    # then
    assert wrong == []


def references() -> list[tuple[str, str, str]]:
    """Each foreign key that a form of the console searches: model, field, to what."""
    found = []
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            to = getattr(field, "related_model", None)
            known = to is not None and to._meta.label_lower in MODELS
            if known and hasattr(field, "remote_field") and not field.auto_created:
                found.append(
                    (model._meta.label_lower, field.name, to._meta.label_lower)
                )
    return found


@pytest.mark.parametrize("role", ["V", "K", "A"])
def test_searches_in_forms_find_what_is_seen(console: Console, role: str):
    # given
    browser = looking_after_own(console, role)
    unbound = in_role(ROLES[role])

    # when
    wrong = []
    for label, field, to in references():
        app, model = label.split(".")
        asked = {"app_label": app, "model_name": model, "field_name": field}
        for term in ("", CANARY, "own"):
            CELLS["autocomplete"] += 1
            query = asked | {"term": term}
            answer = ask(browser, "get", reverse("admin:autocomplete"), query)
            seen = may(role, MODELS[to][0]) and to not in OF_NO_HIERARCHY
            if (answer.status_code == 200) != seen or CANARY in answer.shown:
                wrong.append(told(label, field, term, answer))
            everything = ask(unbound, "get", reverse("admin:autocomplete"), query)
            if (everything.status_code == 200) != may(role, MODELS[to][0]):
                wrong.append(told(label, field, term, everything))

    # then
    assert wrong == []


def test_forms_do_not_take_what_is_of_another_hierarchy(console: Console):
    """Each reference of each form: as if the object did not exist."""
    # given
    browser = looking_after_own(console, "A")

    # when
    wrong = []
    people = ("approvals.approvalgroup", "people", "companies.contact")
    for label, field, to in [*references(), people]:
        if label in OF_NO_HIERARCHY or MODELS[label][2] == "N":
            continue
        page = admin.site.get_model_admin(label_model(label))
        if field not in page.get_form(asked_by(browser), None).base_fields:
            continue
        path = path_of(f"{label.replace('.', '_')}_add", console.own)
        answers = []
        for ids in (console.foreign, absent(console.foreign)):
            CELLS["reference in a form"] += 1
            answers.append(ask(browser, "post", path, {field: ids[to]}))
        shown = [plain(answer, console.foreign) for answer in answers]
        if shown[0] != shown[1] or CANARY in shown[0] or answers[0].changed:
            wrong.append((label, field))

    # then
    assert wrong == []


def label_model(label: str) -> Any:
    return next(m for m in admin.site._registry if m._meta.label_lower == label)


def asked_by(browser: Client) -> HttpRequest:
    request = HttpRequest()
    request.user = browser.user
    return request


@pytest.mark.parametrize(("action", "field"), [("move", "parent"), ("merge", "into")])
def test_moves_and_merges_need_both_hierarchies(
    console: Console, action: str, field: str
):
    # given
    browser = looking_after_own(console, "A")
    company = Company.objects.get(pk=console.own["leaf"])
    page = path_of(
        "companies_company_change", console.own | {"companies.company": company.pk}
    )
    given = {
        ACTION: action,
        "_selected_action": company.pk,
        "_answered": "1",
        "seen_version": company.version,
        "reason": "x",
    }

    # when
    places = {
        "own": console.own["sister"],
        "foreign": console.foreign["head"],
        "absent": ABSENT,
        "top": "",
    }
    answers = {}
    for name, pk in places.items():
        CELLS[action] += 1
        answers[name] = ask(browser, "post", page, given | {field: pk})
        confirmed = given | {field: pk, "confirm": f"{pk or 'top'}@"}
        done = ask(browser, "post", page, confirmed)
        assert done.changed is (name == "own"), name

    # then
    assert plain(answers["foreign"], console.foreign) == plain(
        answers["absent"], console.foreign
    )
    assert CANARY not in "".join(answer.shown for answer in answers.values())


def test_the_first_page_and_the_sidebar_lead_where_one_may_go(console: Console):
    # given
    browser = looking_after_own(console, "A")

    # when
    shown = browser.get("/admin/").content.decode()

    # then
    listed = set(re.findall(r'href="/admin/(\w+)/(\w+)/"', shown))
    hidden = {tuple(label.split(".")) for label in OF_NO_HIERARCHY}
    assert listed & hidden == set()
    assert ("companies", "company") in listed


def test_old_and_unknown_addresses_tell_nothing(console: Console):
    # given
    browser = looking_after_own(console, "K")

    # then
    for label in MODELS:
        app, model = label.split(".")
        answers = [
            ask(browser, "get", f"/admin/{app}/{model}/{pk}/")
            for pk in (console.foreign[label], ABSENT)
        ]
        CELLS["old address"] += 2
        assert len({plain(answer, console.foreign) for answer in answers}) == 1
    assert ask(browser, "get", "/admin/nothing/here/").status_code == 404
    assert ask(browser, "get", "/admin/r/1/1/").status_code == 404
