"""What tests of staff pages share: a logged-in person, and forms as a browser sends."""

from html.parser import HTMLParser
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests.factories import make_user

ACTION = "CHANGE_FORM-action"


def staff(*permissions: str) -> Client:
    """A browser in which somebody with these permissions has logged in."""
    return logged_in(make_user(permissions=permissions))


def superuser() -> Client:
    return logged_in(make_user(is_superuser=True))


ROLES = import_module("approvals.migrations.0004_staff_roles")


def ship_roles() -> None:
    """What the migration does; a test that empties all tables takes its rows away."""
    known = SimpleNamespace(get_app_configs=tuple, get_model=apps.get_model)
    ROLES.ship_roles(known, SimpleNamespace(connection=connection))


def in_role(name: str) -> Client:
    """A browser in which somebody of that role has logged in."""
    if not Group.objects.filter(name=name).exists():
        ship_roles()
    user = make_user()
    user.groups.set(Group.objects.filter(name=name))
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def every_permission_but(*codenames: str) -> tuple[str, ...]:
    others = Permission.objects.exclude(codename__in=codenames)
    return tuple(others.values_list("codename", flat=True))


def page_of(obj: Any, page: str = "change") -> str:
    opts = obj._meta
    args = [] if page in ("changelist", "add") else [obj.pk]
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)


class _Fields(HTMLParser):
    """Collects what a browser would send of the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self.select: str | None = None
        self.textarea: str | None = None
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "input" and name:
            checkable = given.get("type") in ("checkbox", "radio")
            if not checkable or "checked" in given:
                self.values[name] = given.get("value", "on" if checkable else "")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in given:
            self.values[self.select] = given.get("value", "")
        elif tag == "textarea":
            self.textarea, self.text = name, ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea:
            # The first line break in a textarea is the markup's, not the text's.
            self.values[self.textarea] = self.text.removeprefix("\r\n").removeprefix(
                "\n"
            )
            self.textarea = None


def fields_of(response: Any) -> dict[str, Any]:
    """The fields of the page with their values, as saving it unchanged would send."""
    parser = _Fields()
    parser.feed(response.content.decode())
    return {
        name: value
        for name, value in parser.values.items()
        if "__prefix__" not in name and name not in ("", "q")
    }


def save(client: Client, url: str, /, **changes: Any) -> Any:
    """Open the page, change some fields, press Save."""
    values = fields_of(client.get(url)) | changes | {"_save": "Save"}
    return client.post(url, values)


def act(client: Client, obj: Any, action: str, **answer: Any) -> Any:
    """Press the button of an action on the page of `obj`; with an answer, give it."""
    values = {"_selected_action": obj.pk, ACTION: action}
    if answer:
        values |= {"_answered": "1"} | answer
    return client.post(page_of(obj), values)


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]
