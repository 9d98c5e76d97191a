"""Lists and hierarchies that leave as files."""

import csv
import json
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from companies.exports import PARTS, rights_to_export
from companies.models import Company
from config.admin import exports
from tests.approvals.makers import make_limit, make_world, submit
from tests.factories import make_company, make_contact, make_location
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db


def exported(client: Client, name: str, kind: str = "csv", **asked: Any) -> Any:
    url = reverse(f"admin:{name}_export", args=[kind])
    answer = client.get(url, asked)
    assert answer.status_code == 200, answer
    return content_of(answer)


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)  # the last piece closes the file


def status_of(client: Client, url: str) -> int:
    answer = client.get(url)
    if answer.streaming:
        content_of(answer)
    return answer.status_code


def rows_in(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text, newline="")))


def test_every_list_can_leave_and_says_so():
    # given
    client = superuser()
    lists = [
        (model, page)
        for model, page in admin.site._registry.items()
        if model.__module__.partition(".")[0] != "oauth2_provider"
    ]

    # then
    for model, page in lists:
        opts = model._meta
        assert page.export_columns, model
        shown = client.get(page_of(model(pk=1), "changelist")).content.decode()
        name = f"{opts.app_label}_{opts.model_name}"
        assert reverse(f"admin:{name}_export", args=["csv"]) in shown
        header = exported(client, name).decode("utf-8-sig").splitlines()[0]
        assert header.split(",") == list(page.export_columns)


def test_companies_leave_as_they_are_filtered_from_all_levels_and_pages():
    # given
    client = superuser()
    head = make_company(name="Acme", country="DE")
    make_company(name="Acme, Söhne & Co", parent=head, country="DE")
    make_company(name="=Acme", parent=head, country="FR")
    for number in range(120):
        make_company(name=f"Other {number}")

    # when
    everything = rows_in(exported(client, "companies_company"))
    searched = rows_in(exported(client, "companies_company", q="acme"))
    filtered = rows_in(exported(client, "companies_company", country__exact="FR"))

    # then
    assert len(everything) == 123
    assert [row["name"] for row in searched] == ["Acme", "Acme, Söhne & Co", "'=Acme"]
    assert [row["parent_code"] for row in searched] == ["", head.code, head.code]
    assert [row["name"] for row in filtered] == ["'=Acme"]


def test_the_links_below_a_list_keep_its_filters():
    page = superuser().get(page_of(Company(), "changelist"), {"q": "acme", "p": "2"})

    assert "/company/export/xlsx/?q=acme" in page.content.decode()


def test_a_workbook_has_the_same_rows():
    # given
    client = superuser()
    make_contact(first_name="Ada", last_name="+Lovelace", email="ada@example.com")

    # when
    sheet = load_workbook(BytesIO(exported(client, "companies_contact", "xlsx"))).active

    # then
    names, row = sheet.values
    assert dict(zip(names, row, strict=True))["last_name"] == "'+Lovelace"


def test_what_no_worksheet_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch):
    # given
    monkeypatch.setattr(exports, "MOST_ROWS", 3)
    client = superuser()
    url = reverse("admin:companies_company_export", args=["xlsx"])

    # then: two rows and the header fit
    make_company(), make_company()
    assert status_of(client, url) == 200
    make_company()
    refused = client.get(url, follow=True)
    assert refused.redirect_chain
    assert "cannot hold so many rows" in refused.content.decode()


def test_who_may_not_see_a_list_gets_no_file():
    # given
    make_company()
    url = reverse("admin:companies_company_export", args=["csv"])

    # then
    assert staff("view_contact", "export_data").get(url).status_code == 403
    assert staff("view_company").get(url).status_code == 403
    assert status_of(staff("view_company", "export_data"), url) == 200
    assert Client().get(url).status_code == 302
    other = reverse("admin:companies_company_export", args=["pdf"])
    assert superuser().get(other).status_code == 404


def test_a_file_takes_as_few_queries_for_many_rows():
    # given
    client = superuser()

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            exported(client, "companies_location")
        return len([q for q in asked if q["sql"].startswith("SELECT")])

    make_location()
    few = queries()
    for _ in range(20):
        make_location()

    # then
    assert queries() == few


def test_a_hierarchy_leaves_with_all_that_belongs_to_it():
    # given
    world = make_world()
    other = make_company(name="Other")
    make_location(company=world.sub, name="Werk")
    make_location(company=other)
    make_limit(company=world.head, period="MONTH")
    submit(world.sub, world.buyer, "10.00")
    url = "admin:companies_company_export_hierarchy"

    # when
    client = superuser()
    zipped = client.get(reverse(url, args=[world.head.pk, "zip"]))
    told = client.get(reverse(url, args=[world.head.pk, "json"]))

    # then
    archive = ZipFile(BytesIO(content_of(zipped)))
    parts = json.loads(content_of(told))
    assert list(parts) == [part.name for part in PARTS]
    assert {name.removesuffix(".csv") for name in archive.namelist()} == set(parts)
    for name, rows in parts.items():
        assert len(rows_in(archive.read(f"{name}.csv"))) == len(rows), name
    assert {row["code"] for row in parts["companies"]} == {
        world.head.code,
        world.sub.code,
    }
    assert [row["name"] for row in parts["locations"]] == ["Werk"]
    assert len(parts["contacts"]) == 4
    assert len(parts["customer-groups"]) == 8
    assert [row["amount"] for row in parts["purchase-requests"]] == ["10.0000"]
    assert [row["kind"] for row in parts["ledger"]] == ["RESERVE"]


def test_only_who_may_see_all_of_it_takes_a_hierarchy():
    # given
    company = make_company()
    url = reverse("admin:companies_company_export_hierarchy", args=[company.pk, "zip"])
    rights = [right.partition(".")[2] for right in rights_to_export()]

    # then
    assert staff(*rights).get(url).status_code == 403
    assert staff(*rights[1:], "export_data").get(url).status_code == 403
    assert status_of(staff(*rights, "export_data"), url) == 200
    assert superuser().get(url.replace("zip", "exe")).status_code == 404
    gone = reverse("admin:companies_company_export_hierarchy", args=[10**6, "zip"])
    assert superuser().get(gone).status_code == 404


def test_the_command_writes_a_file(tmp_path, capsys):
    # given
    head = make_company(code="acme")
    make_company(parent=head)

    # when
    call_command("export_hierarchy", "ACME", str(tmp_path / "acme.zip"))
    call_command("export_hierarchy", "acme", str(tmp_path / "acme.json"))

    # then
    assert "2 companies" in capsys.readouterr().out
    assert len(ZipFile(tmp_path / "acme.zip").namelist()) == len(PARTS)
    assert len(json.loads((tmp_path / "acme.json").read_text())["companies"]) == 2
    for wrong in (["nobody", "x.zip"], ["acme", "x.pdf"]):
        with pytest.raises(CommandError):
            call_command("export_hierarchy", *wrong)
