"""What a search finds: the same on PostgreSQL and on SQLite."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory

from companies.models import Company, Location
from companies.tree.load import load_companies
from config.actors import SYSTEM
from tests.factories import make_company, make_contact, make_location
from tests.staff import superuser

pytestmark = pytest.mark.django_db

COMPANIES = {
    "zurich": {
        "name": "Zürcher Ärztehaus AG",
        "legal_name": "ZÜRCHER ÄRZTEHAUS AG",
        "registration_id": "CHE-109.322.551",
    },
    "strasse": {"name": "Straßenbau Groß GmbH & Co. KG", "country": "DE"},
    "bank-de": {"name": "Deutsche Bank", "tax_id": "DE114103379"},
    "bank-cn": {"name": "Bank of China", "legal_name": "中国银行股份有限公司"},
    "cafe": {"name": "Café Crème 100 %", "lei": "5493001KJTIIGC8Y1R12"},
    "NIC-2380443": {"name": "THE GOLDMAN SACHS GROUP, INC."},
    "vn": {"name": "Trường Đại học Hà Nội"},
    "gr": {"name": "Τράπεζα Πειραιώς", "legal_name": "ΤΡΑΠΕΖΑ ΠΕΙΡΑΙΩΣ"},
    "path": {"name": r"Back\slash_and 50%off"},
}

CASES = [
    # without case and accents, on either side
    ("zurcher", {"zurich"}),
    ("ZÜRCHER", {"zurich"}),
    ("ärztehaus", {"zurich"}),
    ("A\u0308rzte", {"zurich"}),  # typed as letter and accent
    ("CAFE creme", {"cafe"}),
    ("truong dai", set()),  # a letter of its own, no accent
    ("Trường", {"vn"}),
    ("truong hoc", {"vn"}),
    ("τραπεζα", {"gr"}),
    ("ΠΕΙΡΑΙΩΣ", {"gr"}),
    ("strasse", {"strasse"}),
    ("STRASSENBAU gross", {"strasse"}),
    ("Straße", {"strasse"}),
    # in the middle of a word, parts of any length
    ("rztehau", {"zurich"}),
    ("ldman", {"NIC-2380443"}),
    ("nk", {"bank-de", "bank-cn"}),
    ("银行", {"bank-cn"}),
    ("股份", {"bank-cn"}),
    # several words, in any order, each somewhere
    ("china bank", {"bank-cn"}),
    ("bank deutsche", {"bank-de"}),
    ("sach gold nic-", {"NIC-2380443"}),
    ("bank zurcher", set()),
    ("  bank   of  ", {"bank-cn"}),
    ("bank 银行", {"bank-cn"}),
    # codes and numbers
    ("nic-2380443", {"NIC-2380443"}),
    ("2380443", {"NIC-2380443"}),
    ("che-109.322.551", {"zurich"}),
    ("322.551 ag", {"zurich"}),
    ("de114103379", {"bank-de"}),
    ("5493001kjtiigc8y1r12", {"cafe"}),
    # signs that mean something to LIKE, to SQL or to Python
    ("100 %", {"cafe"}),
    ("%", {"cafe", "path"}),
    ("50%off slash", {"path"}),
    ("k\\s", {"path"}),
    ("slash_", {"path"}),
    ("o_c", set()),
    ("%s", set()),
    ("' or", set()),
    ("nothing", set()),
]


@pytest.fixture
def companies() -> None:
    for code, fields in COMPANIES.items():
        make_company(code=code, **{"country": ""} | fields)


@pytest.mark.parametrize(("query", "expected"), CASES)
def test_a_search_finds_the_same_on_both_databases(companies, api, query, expected):
    # when
    answer = api.get(f"/api/v1/companies/?q={quote(query)}&fields=code")
    # then
    assert {found["code"] for found in answer.json()["results"]} == expected
    assert set(Company.objects.matching(query).values_list("code", flat=True)) == (
        expected
    )


def test_of_several_words_postgresql_asks_the_index_first():
    # given two words that are frequent, and never together
    if connection.vendor != "postgresql":
        pytest.skip("SQLite reads all rows.")
    load_companies(
        [
            Company(name=f"{('North', 'South')[n % 2]} {n}", code=f"c-{n}")
            for n in range(500)
        ],
        actor=SYSTEM,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE companies_company")
    rows = Company.objects.matching("north south").order_by("pk")
    # when
    plan = rows[:51].explain()
    # then it does not go through all companies in their order
    assert "InitPlan" in plan
    assert "Index Cond: (id = ANY" in plan
    assert not rows.exists()


def test_people_are_found_by_several_words():
    # given
    jose = make_contact(first_name="José", last_name="Núñez", email="j@example.com")
    make_contact(first_name="Jose", last_name="Other", email="o@example.com")
    # then
    found = type(jose).objects.matching("nunez JOSE")
    assert list(found) == [jose]


def test_places_are_found_by_parts_of_their_own_or_by_their_company():
    # given
    north, south = make_company(name="North Steel"), make_company(name="South")
    depot = make_location(company=south, name="Depot", code="d-1", city="Zürich")
    halls = make_location(company=north, name="Halls", postcode="80331")
    client = superuser()
    # then
    for query, expected in (
        ("EPO", [depot]),
        ("D-1", [depot]),
        ("züric", [depot]),
        ("8033", [halls]),
        ("steel north", [halls]),
        ("depot north", []),
    ):
        page = client.get("/admin/companies/location/", {"q": query})
        assert list(page.context_data["cl"].queryset) == expected, query


@pytest.mark.postgresql
def test_places_are_found_by_an_index():
    # given
    depot = make_location(name="Depot 29")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # so few are read at once
    request = RequestFactory().get("/")
    pages = admin.site.get_model_admin(Location)
    # when
    found, _repeats = pages.get_search_results(
        request, Location.objects.order_by(), "depot 29"
    )
    # then
    assert found.explain().count("companies_location_search") == 4
    assert found.get() == depot
