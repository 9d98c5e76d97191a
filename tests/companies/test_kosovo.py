"""XK is no code of ISO 3166-1, and taken all the same: on every way in."""

import pytest

from companies.imports import import_files
from companies.models import Company, Location
from config.actors import SYSTEM
from tests.factories import make_company
from tests.staff import page_of, save, superuser

pytestmark = pytest.mark.django_db


def test_the_api_takes_it_and_finds_it(api):
    # when
    company = api.post(
        "/api/v1/companies/", {"name": "Post", "legal_info": {"country": "XK"}}
    ).json()
    place = api.post(
        "/api/v1/locations/", {"company": company["id"], "address": {"country": "XK"}}
    ).json()
    # then
    assert company["legal_info"]["country"] == "XK"
    assert place["address"]["country"] == "XK"
    for resource, found in (("companies", company), ("locations", place)):
        results = api.get(f"/api/v1/{resource}/?country=XK").json()["results"]
        assert [row["id"] for row in results] == [found["id"]]


def test_an_import_takes_it(tmp_path):
    # given
    file = tmp_path / "companies.csv"
    file.write_text("code,name,country,city\npost,Post,XK,Prishtinë\n")
    # when
    import_files("companies", file, actor=SYSTEM)
    # then
    assert Company.objects.get().country == Location.objects.get().country == "XK"


def test_staff_choose_it_by_its_name():
    # given
    company, client = make_company(), superuser()
    # when
    response = save(client, page_of(company), country="XK")
    # then
    assert response.status_code == 302
    assert Company.objects.get().country == "XK"
    assert "Kosovo" in client.get(page_of(company)).content.decode()
