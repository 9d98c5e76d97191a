import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext

from companies.models import Company, Contact
from config.writing import QuickInsert, _insert, _update
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db


def test_a_row_is_inserted_as_django_would(monkeypatch):
    # given
    values = {"last_name": "Łukasz %s", "is_active": False, "language": "pl"}
    ours = Contact(email="a@example.com", **values)
    its = Contact(email="b@example.com", **values)
    # when
    ours.save()
    monkeypatch.delattr(QuickInsert, "_do_insert")
    its.save()
    # then
    own = {"id", "email", "email_key", "search_text", "created_at", "updated_at"}
    stored, expected = (
        {k: v for k, v in row.items() if k not in own}
        for row in Contact.objects.order_by("pk").values()
    )
    assert stored == expected
    assert ours.pk is not None
    assert ours.created_at == Contact.objects.get(pk=ours.pk).created_at


def test_an_object_with_json_comes_back_as_it_was():
    # when
    company = make_company(attributes={"depth": [1, {"a": None}], "name": "Öl"})
    # then
    assert Company.objects.get(pk=company.pk).attributes == company.attributes


def test_a_value_that_the_database_makes_is_left_to_django():
    # given
    contact = Contact(email="a@example.com", job_title=Value("Head"))
    # when
    contact.save()
    # then
    assert Contact.objects.get(pk=contact.pk).job_title == "Head"


def test_the_statement_is_written_once():
    # given
    make_contact()
    written = _insert.cache_info().misses
    # when
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            make_contact()
    # then
    inserts = [
        query["sql"]
        for query in queries
        if query["sql"].startswith('INSERT INTO "companies_contact"')
    ]
    assert len(inserts) == 3
    assert _insert.cache_info().misses == written


def test_a_row_is_updated_as_django_would(monkeypatch):
    # given
    ours, its = make_company(), make_company()
    values = {
        "name": "Łukasz %s",
        "attributes": {"depth": [1, {"a": None}]},
        "registered_on": None,
        "country": "",
    }
    # when
    for company in (ours, its):
        for name, value in values.items():
            setattr(company, name, value)
    ours.save()
    monkeypatch.setattr("integrations.models.versions.update_one", lambda *a, **k: None)
    its.save()
    # then
    own = {"id", "code", "tree_id", "search_text", "created_at", "updated_at"}
    stored, expected = (
        {k: v for k, v in row.items() if k not in own}
        for row in Company.objects.order_by("pk").values()
    )
    assert stored == expected
    assert stored["version"] == 2
    assert ours.updated_at == Company.objects.get(pk=ours.pk).updated_at


def test_a_change_that_the_database_makes_is_left_to_django():
    # given
    contact = make_contact(job_title="a")
    contact.job_title = Upper(Value("head"))
    # when
    contact.save()
    # then
    assert Contact.objects.get(pk=contact.pk).job_title == "HEAD"


def test_the_update_of_the_same_fields_is_written_once():
    # given
    contact = make_contact()
    contact.save(update_fields=["job_title"])
    written = _update.cache_info().misses
    # when
    with CaptureQueriesContext(connection) as queries:
        for number in range(3):
            contact.job_title = f"Head {number}"
            contact.save(update_fields=["job_title"])
    # then
    updates = [q["sql"] for q in queries if q["sql"].startswith("UPDATE")]
    assert len(updates) >= 3
    assert _update.cache_info().misses == written
