"""By whatever way a company comes into being, it has its four groups.

What loads rows as they are (fixtures) has to bring the groups along: PostgreSQL refuses
it otherwise, SQLite cannot look at the end of a transaction, and check_groups repairs.
"""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from companies.models import Company
from companies.services import create_company
from companies.tree.load import load_companies
from config.actors import SYSTEM
from groups import services
from groups.check import find_group_faults, repair_groups
from groups.models import AUTOMATIC, CustomerGroup
from tests.factories import make_client, make_token, numbers
from tests.staff import save, superuser

pytestmark = pytest.mark.django_db

ADD = "/admin/companies/company/add/"
MOMENT = "2026-11-24T00:00:00Z"


def http() -> APIClient:
    client = make_client(scopes="companies:write", sees_all=True)
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(client)}")
    return caller


def fixture(pk: int, code: str, kinds: tuple[str, ...] = AUTOMATIC) -> list[dict]:
    """What dumpdata writes of a head company and its groups."""
    dates = {"created_at": MOMENT, "updated_at": MOMENT}
    place = {"lft": 1, "rght": 2, "level": 0, "tree_id": pk}
    company = {"code": code, "name": code} | place | dates
    rows = [{"model": "companies.company", "pk": pk, "fields": company}]
    for number, kind in enumerate(kinds):
        fields = {"company": pk, "kind": str(kind)} | dates
        group = {"model": "groups.customergroup", "pk": pk + number, "fields": fields}
        rows.append(group)
    return rows


def load_fixture(rows: list[dict]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "fixture.json")
        path.write_text(json.dumps(rows), encoding="utf-8")
        call_command("loaddata", str(path), verbosity=0)


# Each makes a company of that code, below a parent where it can.


def by_api(code: str, parent: Company | None) -> None:
    body = {"name": "x", "code": code, "parent": parent and parent.pk}
    assert http().post("/api/v1/companies/", body).status_code == 201


def by_upsert(code: str, parent: Company | None) -> None:
    body = {"name": "x", "parent": parent and parent.pk}
    answer = http().put(f"/api/v1/companies/by-code/{code}/", body)
    assert answer.status_code == 201


def by_staff(code: str, parent: Company | None) -> None:
    url = f"{ADD}?parent={parent.pk}" if parent else ADD
    assert save(superuser(), url, name="x", code=code).status_code == 302


def by_import(code: str, parent: Company | None) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "companies.csv")
        row = f"{code},x,{parent.code if parent else ''}"
        below = f"{code}-below,x,{code}"
        path.write_text(f"code,name,parent_code\n{row}\n{below}\n", encoding="utf-8")
        call_command("import_data", "companies", str(path), stdout=StringIO())


def by_load(code: str, parent: Company | None) -> None:
    top = Company(code=code, name="x", parent=parent)
    below = Company(code=f"{code}-below", name="x", parent=top)
    load_companies([below, top], actor=SYSTEM)


def by_service(code: str, parent: Company | None) -> None:
    create_company(name="x", code=code, parent=parent, actor=SYSTEM)


def in_shell(code: str, parent: Company | None) -> None:
    Company(name="x", code=code, parent=parent).save()


def by_manager(code: str, parent: Company | None) -> None:
    Company.objects.create(name="x", code=code, parent=parent)


def by_get_or_create(code: str, parent: Company | None) -> None:
    for _ in range(2):
        Company.objects.get_or_create(code=code, defaults={"parent": parent})


def by_copy(code: str, parent: Company | None) -> None:
    company = Company.objects.create(name="x", code=f"{code}-copied")
    company.pk, company._state.adding = None, True
    company.code, company.parent = code, parent
    company.save()


def by_fixture(code: str, parent: Company | None) -> None:
    load_fixture(fixture(10_000 * next(numbers), code))


WAYS = [
    by_api,
    by_upsert,
    by_staff,
    by_import,
    by_load,
    by_service,
    in_shell,
    by_manager,
    by_get_or_create,
    by_copy,
    by_fixture,
]


def assert_four_each() -> None:
    kinds: dict[int, list[str]] = {
        pk: [] for (pk,) in Company.objects.values_list("pk")
    }
    for company, kind in CustomerGroup.objects.values_list("company", "kind"):
        kinds[company].append(kind)
    for found in kinds.values():
        assert sorted(found) == sorted(map(str, AUTOMATIC))
    assert find_group_faults() == []
    connection.check_constraints()  # what PostgreSQL looks at when a commit comes


def the_last() -> Company | None:
    return Company.objects.order_by("-created_at", "-pk").first()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.tuples(st.sampled_from(WAYS), st.booleans()), max_size=7))
def test_every_mix_of_ways_leaves_four_groups_each(db, steps):
    with transaction.atomic():
        for way, below in steps:
            code = f"code-{next(numbers)}"
            way(code, the_last() if below else None)
            assert Company.objects.filter(code=code).exists()
        assert_four_each()
        transaction.set_rollback(True)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_leaves_four_groups(way: Callable):
    # given
    parent = Company.objects.create(name="Parent", code="parent")

    # when
    way("made", parent)

    # then
    assert Company.objects.get(code="made").customer_groups.count() == 4
    assert_four_each()


def test_no_company_without_its_groups(monkeypatch):
    # given
    def fail(company_ids):
        raise RuntimeError

    monkeypatch.setattr(services, "create_automatic_groups", fail)
    monkeypatch.setattr(services, "load_automatic_groups", fail)

    # when
    for way in (in_shell, by_service, by_load):
        with pytest.raises(RuntimeError), transaction.atomic():
            way("made", None)

    # then
    assert not Company.objects.exists()


@pytest.mark.parametrize("kinds", [(), AUTOMATIC[:3]])
def test_a_fixture_without_the_groups_is_refused_or_repaired(kinds):
    # given
    rows = fixture(50_000, "loaded", kinds)

    # when
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError, match="four automatic groups"):
            load_fixture(rows)
        assert not Company.objects.exists()
        return
    load_fixture(rows)

    # then
    assert len(find_group_faults()) == repair_groups() == 4 - len(kinds)
    assert_four_each()


def test_a_fixture_loaded_twice_changes_nothing():
    rows = fixture(50_000, "loaded")

    load_fixture(rows)
    load_fixture(rows)

    assert_four_each()
    assert CustomerGroup.objects.count() == 4
