"""The German catalogue is whole; machines get English whatever a browser asks for."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog
from django.urls import reverse

from tests.staff import superuser

ROOT = Path(__file__).resolve().parent.parent


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


catalogues = load(ROOT / "locale" / "update.py")


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_the_catalogue_says_what_the_code_says(language):
    assert catalogues.check(language) == []


@pytest.mark.parametrize(
    ("text", "translated", "fault"),
    [
        ("Close", "", "Not translated: 'Close'"),
        ("%(n)s open", "%(m)s offen", "Other placeholders: '%(n)s open'"),
        ("{n} found", "gefunden", "Other placeholders: '{n} found'"),
        ("<b>on</b>", "<i>an</i>", "Other markup: '<b>on</b>'"),
        (", then ", ", dann", "Other blanks at the ends: ', then '"),
        ("Said no more", "Nicht mehr", "Said nowhere: 'Said no more'"),
    ],
)
def test_a_fault_of_the_catalogue_is_said(text, translated, fault):
    # given
    catalog, messages = Catalog(locale="de"), Catalog()
    catalog.add(text, string=translated)
    if not fault.startswith("Said nowhere"):
        messages.add(text)

    # when
    compiled = catalogues.as_mo(catalog)
    faults = list(catalogues.faults_of(catalog, messages, compiled))

    # then
    assert faults == [fault]


def test_a_message_without_a_place_in_the_catalogue_is_said():
    catalog, messages = Catalog(locale="de"), Catalog()
    messages.add("New in the code")

    compiled = catalogues.as_mo(catalog)

    assert list(catalogues.faults_of(catalog, messages, compiled)) == [
        "Missing: 'New in the code'"
    ]


def test_a_compiled_catalogue_that_is_older_is_said():
    catalog, messages = Catalog(locale="de"), Catalog()
    before = catalogues.as_mo(catalog)
    catalog.add("Close", string="Schließen")
    messages.add("Close")

    assert list(catalogues.faults_of(catalog, messages, before)) == [
        "The .mo is not made of this .po."
    ]


@pytest.mark.django_db
def test_the_console_is_in_the_language_of_the_browser():
    page = superuser().get(
        reverse("admin:index"), HTTP_ACCEPT_LANGUAGE="de-AT,en;q=0.5"
    )

    assert page["Content-Language"] == "de"
    assert "Kaufanfragen" in page.content.decode()


@pytest.mark.django_db
def test_a_chosen_language_is_remembered_and_beats_the_browser():
    # given
    browser = superuser()

    # when
    chosen = browser.post(reverse("set_language"), {"language": "de"})

    # then
    assert chosen.cookies["konzern_language"]["max-age"] == 365 * 24 * 60 * 60
    page = browser.get(reverse("admin:index"), HTTP_ACCEPT_LANGUAGE="en")
    assert page["Content-Language"] == "de"


@pytest.mark.parametrize(
    "path", ["/api/v1/companies/", "/api/v1/nothing/", "/oauth/x/"]
)
@pytest.mark.django_db
def test_machines_get_english_whatever_they_ask_for(client, path):
    german = client.get(path, HTTP_ACCEPT_LANGUAGE="de", HTTP_X_REQUEST_ID="same-one-1")
    english = client.get(
        path, HTTP_ACCEPT_LANGUAGE="en", HTTP_X_REQUEST_ID="same-one-1"
    )

    assert german.content == english.content
    assert "Content-Language" not in german
    assert "Accept-Language" not in german.get("Vary", "")
