"""Which companies may be the same: found by what, with which score, at which cost."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companies.duplicates import Facts, duplicates_of, possible_duplicates, report
from companies.models import Company, Location
from companies.names import address_key, name_key, registration_key, sketch
from companies.tree.load import load_companies
from config.actors import SYSTEM
from tests.factories import make_client, make_company, make_location
from tests.staff import page_of, said, save, staff, superuser

pytestmark = pytest.mark.django_db
URL = "/api/v1/companies/duplicates/"
LEI, ANOTHER_LEI = "529900T8BM49AURSDO55", "213800WAVVOPS85N2205"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller GmbH & Co. KG", "MÜLLER"),
        ("Fiat S.p.A.", "FIAT SPA"),
        ("J. P. Morgan SE", "JP Morgan Ltd."),
        ("The Coca-Cola Company", "Coca Cola Co"),
        ("AB Volvo", "Volvo AB"),
        ("Meyer, Karl", "Karl Meyer"),
        ("Smith and Sons", "Smith & Sons Limited"),
        ("Kowalski Sp. z o.o.", "Kowalski"),
        ("株式会社トヨタ", "トヨタ"),
        ("ООО «Ромашка»", "Ромашка"),  # noqa: RUF001
        ("O'Neill\N{RIGHT SINGLE QUOTATION MARK}s Inc.", "ONeills"),
    ],
)
def test_names_are_the_same_whatever_the_legal_form_and_punctuation(one, other):
    assert name_key(one) == name_key(other)
    assert sketch(one) == sketch(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Berlin", "Acme Hamburg"),
        ("Store 12", "Store 13"),
        ("Société Générale", "Générale"),
        ("E.ON SE", "ON AG"),
        ("Limited", "GmbH"),
    ],
)
def test_other_names_are_not_the_same(one, other):
    assert name_key(one) != name_key(other)


def test_numbers_and_addresses_have_one_form():
    assert registration_key("GB", "0000 2065") == registration_key("GB", "2065")
    assert registration_key("DE", "HRB-1234") == registration_key("DE", "hrb 1234")
    assert registration_key("", "HRB 1") == registration_key("DE", "") == ""
    assert address_key("Hauptstraße 1", "80331", "") == address_key(
        "Hauptstr. 1", "80 331", "München"
    )
    assert address_key("Hauptstr. 1", "", "") == address_key("", "80331", "") == ""


SAME = {"name": "Acme GmbH", "country": "DE"}
SCORES = [
    (SAME, {"name": "ACME Gesellschaft mbH", "country": "DE"}, 70),
    (SAME, {"name": "Acme", "country": "DE"}, 70),
    (SAME, {"name": "Acme AG"}, 60),
    (SAME, {"name": "Acme", "country": "FR"}, 0),
    (SAME, {"name": "Other", "legal_name": "Acme KG", "country": "DE"}, 70),
    ({"name": "Mueller", "country": "DE"}, {"name": "Müller", "country": "DE"}, 50),
    ({"name": "Mueller"}, {"name": "Müller"}, 0),
    ({**SAME, "lei": LEI}, {"name": "Else", "lei": ""}, 0),
    ({**SAME, "lei": LEI}, {**SAME, "lei": ANOTHER_LEI}, 0),
    (
        {"registration_id": "HRB 1", "country": "DE"},
        {"registration_id": "HRB1", "country": "DE"},
        90,
    ),
    (
        {"registration_id": "1", "country": "DE", "registration_agency": "Bonn"},
        {"registration_id": "1", "country": "DE", "registration_agency": "Köln"},
        0,
    ),
    ({"registration_id": "1", "country": "DE"}, {"registration_id": "1"}, 0),
    ({"tax_id": "DE136695976"}, {"tax_id": "DE136695976"}, 90),
    ({"duns": "150483782"}, {"duns": "150483782"}, 90),
    ({**SAME, "tax_id": "DE136695976"}, {**SAME, "tax_id": "DE811907980"}, 50),
]


@pytest.mark.parametrize(("given", "stored", "score"), SCORES)
def test_what_companies_have_in_common_gives_a_score(given, stored, score):
    # given
    other = make_company(**stored)
    # when
    (found,) = possible_duplicates([Facts.given(**given)])
    # then
    assert [(one.id, one.score) for one in found] == (
        [(other.pk, score)] if score else []
    )


def test_an_address_adds_to_a_name_but_is_not_enough():
    # given
    address = {"address_line1": "Main Street 1", "postcode": "12345"}
    same, elsewhere, neighbour = (make_company(name=n) for n in ("Acme", "Acme", "X"))
    for company in (same, neighbour):
        make_location(company=company, **address)
    # when
    (found,) = possible_duplicates([Facts.given(name="ACME Ltd", **address)])
    # then
    assert [(one.id, one.score) for one in found] == [(same.pk, 90), (elsewhere.pk, 60)]
    assert [reason.code for reason in found[0].reasons] == ["same_name", "same_address"]


def test_a_given_lei_that_exists_is_surely_the_same():
    company = make_company(lei=LEI)

    (found,) = possible_duplicates([Facts.given(name="Else", lei=LEI.lower())])

    assert [(one.id, one.score) for one in found] == [(company.pk, 100)]


def test_keys_follow_each_change_and_bulk_loads():
    # given
    (pk,) = load_companies([Company(name="Acme GmbH", code="loaded")], actor=SYSTEM)
    company, place = make_company(name="Other"), make_location(postcode="1")
    # when
    company.name = "ACME"
    company.save(update_fields=["name"])
    place.address_line1 = "Main Road 5"
    place.save(update_fields=["address_line1"])
    # then
    assert [one.id for one in duplicates_of(company)] == [pk]
    assert Location.objects.get(pk=place.pk).address_key == "1 mainrd5"


def test_a_batch_costs_the_same_whatever_its_size(django_assert_max_num_queries):
    # given
    for number in range(12):
        make_company(
            name=f"Company {number}", country="DE", registration_id=f"{number}"
        )
    asked = [
        Facts.given(
            name=f"Company {number} Ltd",
            country="DE",
            registration_id=f"{number}",
            tax_id="DE136695976",
            lei=LEI,
            duns="150483782",
            address_line1="Main Road 5",
            city="Bonn",
        )
        for number in range(400)
    ]
    # when
    with django_assert_max_num_queries(9):
        found = possible_duplicates(asked)
    # then
    assert [len(one) for one in found] == [1] * 12 + [0] * 388


def test_a_name_that_very_many_have_is_cut_and_numbers_are_still_found():
    # given
    names = [Company(name="Kiosk", code=f"k{n}", country="DE") for n in range(150)]
    load_companies(names, actor=SYSTEM)
    last = make_company(name="Kiosk", country="DE", tax_id="DE136695976")
    # when
    facts = Facts.given(name="Kiosk", country="DE", tax_id="DE136695976")
    (found,) = possible_duplicates([facts])
    # then
    assert (len(found), found[0].id, found[0].score) == (20, last.pk, 100)


def test_the_report_has_each_pair_once_page_by_page():
    # given
    acme = [make_company(name="Acme", code=f"acme-{n}").pk for n in range(3)]
    make_company(name="Single")
    pair = [make_company(tax_id="DE136695976").pk for _ in range(2)]
    # when
    first, last = report(size=2)
    rest, end = report(after=last)
    all_of_them, _end = report()
    # then
    found = [(one.company, one.duplicate.id) for one in [*first, *rest]]
    assert found == [
        (acme[0], acme[1]),
        (acme[0], acme[2]),
        (acme[1], acme[2]),
        (pair[0], pair[1]),
    ]
    assert (last, end) == (acme[0], None)
    assert [*first, *rest] == all_of_them


def test_the_report_looks_at_so_many_companies_at_most():
    # given
    companies = [make_company(name=name) for name in ("A", "B", "C", "C")]
    # when
    pages, after = [], 0
    while after is not None:
        pairs, after = report(after=after, span=2)
        pages.append([(one.company, one.duplicate.id) for one in pairs])
    # then
    assert pages == [[], [(companies[2].pk, companies[3].pk)]]


# In the API


def test_the_api_shows_duplicates_of_a_company_of_values_and_all_pairs(api):
    # given
    one, other = (make_company(**SAME, code=code) for code in ("a", "b"))
    # when
    of_company = api.get(f"{URL}?company={one.pk}").json()
    of_values = api.get(f"{URL}?name=Acme+AG&country=de").json()
    pairs = api.get(URL).json()
    # then
    brief = [{"id": c.pk, "code": c.code, "name": c.name} for c in (one, other)]
    reasons = [
        {"code": "same_name", "message": "The same name, legal form aside."},
        {"code": "same_country", "message": "In the same country."},
    ]
    shown = {"of": brief[0], "company": brief[1], "score": 70, "reasons": reasons}
    assert of_company == {"results": [shown], "next": None}
    assert pairs == of_company
    assert [row["of"] for row in of_values["results"]] == [None, None]
    assert [row["company"] for row in of_values["results"]] == brief
    assert api.get(f"{URL}?min_score=71").json()["results"] == []


def test_the_api_goes_on_where_a_page_of_pairs_ended(api):
    # given
    for _ in range(3):
        make_company(name="Acme")
    # when
    first = api.get(f"{URL}?page_size=1").json()
    second = api.get(first["next"]).json()
    # then
    assert (len(first["results"]), len(second["results"])) == (2, 1)
    assert api.get(second["next"]).json() == {"results": [], "next": None}


def test_a_client_is_told_of_duplicates_in_its_sight_only(db, call_as):
    # given
    mine, foreign = (make_company(**SAME) for _ in range(2))
    http = call_as(make_client(hierarchies=(mine,), scopes="companies:read"))
    # when
    answers = [
        http.get(f"{URL}{query}").json()["results"]
        for query in (f"?company={mine.pk}", "?name=Acme", "")
    ]
    # then
    assert [[row["company"]["id"] for row in rows] for rows in answers] == [
        [],
        [mine.pk],
        [],
    ]
    assert http.get(f"{URL}?company={foreign.pk}").status_code == 400


# In the console


def test_who_enters_a_duplicate_is_told_and_not_refused():
    # given
    make_company(name="Acme <b>GmbH</b>", code="first", country="DE")
    client = superuser()
    # when
    answer = save(client, "/admin/companies/company/add/", name="ACME b gmbh b")
    # then
    assert Company.objects.count() == 2
    text = " ".join(said(answer))
    assert "Possible duplicates: " in text
    assert "Acme &lt;b&gt;GmbH&lt;/b&gt; (first)" in text


def test_the_form_gets_a_hint_while_it_is_filled_in():
    # given
    make_company(name="Acme", code="first")
    hint = "/admin/companies/company/duplicates/hint/"
    # when
    found = staff("view_company").get(f"{hint}?name=ACME+Ltd").content.decode()
    nothing = staff("view_company").get(f"{hint}?name=Else%00").content.decode()
    # then
    assert "Acme (first)</a>, 60 %" in found
    assert nothing.strip() == ""
    assert staff("view_contact").get(hint).status_code == 403


def test_a_page_has_all_pairs_for_those_who_may_see_companies():
    # given
    for code in ("first", "second"):
        make_company(name="Acme", code=code)
    page = "/admin/companies/company/duplicates/"
    # when
    answers = [
        staff("view_company").get(page + query).content.decode()
        for query in ("", "?min_score=70", "?after=99999999999999999", "?min_score=x")
    ]
    # then
    assert ["Acme (second)" in text for text in answers] == [True, False, False, True]
    assert staff("view_contact").get(page).status_code == 403


def test_the_page_of_a_company_shows_its_duplicates_at_a_constant_cost():
    # given
    company = make_company(**SAME)
    client, url = superuser(), page_of(company)
    client.get(url)
    with CaptureQueriesContext(connection) as alone:
        client.get(url)
    for _ in range(5):
        make_company(**SAME)
    # when
    with CaptureQueriesContext(connection) as among:
        text = client.get(url).content.decode()
    # then
    assert text.count("The same name, legal form aside.") == 5
    assert len(among) <= len(alone) + 2


@pytest.mark.parametrize(
    "name", ['Say "Acme", {so}', "O'Acme \\ 100 %", "NULL", "亜細亜"]
)
def test_names_of_any_characters_are_looked_up(name):
    # given
    one, other = make_company(name=name), make_company(name=f"{name} Ltd")
    # then
    assert [found.id for found in duplicates_of(one)] == [other.pk]
    assert [pair.duplicate.id for pair in report()[0]] == [other.pk]


def test_a_page_of_pairs_costs_the_same_however_many_there_are(
    django_assert_max_num_queries,
):
    # given
    names = [Company(name=f"Kiosk {n // 2}", code=f"k{n}") for n in range(40)]
    load_companies(names[:10], actor=SYSTEM)
    with django_assert_max_num_queries(8) as few:
        assert len(report()[0]) == 5
    # when
    load_companies(names[10:], actor=SYSTEM)
    # then
    with django_assert_max_num_queries(len(few)):
        assert len(report()[0]) == 20


def test_what_is_like_nothing_else_is_not_read_twice(django_assert_num_queries):
    # given
    load_companies(
        [Company(name=f"No {n}", code=f"n{n}") for n in range(5)], actor=SYSTEM
    )
    # then: their ids, places and names, and who has names like these
    with django_assert_num_queries(5):
        assert report() == ([], None)


def test_who_has_to_share_more_than_a_name_is_found_all_the_same(
    django_assert_num_queries,
):
    # given
    names = ("Acme", "Acme Ltd", "Acme", "Other")
    german = {"country": "DE", "registration_id": "HRB 4711"}
    companies = [make_company(name=name, country="DE") for name in names]
    companies += [make_company(name=name, **german) for name in ("Bolt", "Bolt")]
    for company in companies[1:4]:
        make_location(company=company, address_line1="Main Road 5", city="Bonn")
    every, _end = report()
    # when
    sure, _end = report(least=90)
    # then
    likely = [(pair.company, pair.duplicate.id, pair.duplicate.score) for pair in every]
    assert [score for _one, _other, score in likely] == [70, 70, 100, 100]
    assert sure == [pair for pair in every if pair.duplicate.score >= 90]
    Location.objects.update(address_key="")
    # Names of who has no address are not looked up: ids, facts, numbers, the other's.
    with django_assert_num_queries(6):
        assert len(report(least=90)[0]) == 1
