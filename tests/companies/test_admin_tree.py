"""The list of companies: a tree that opens branch by branch."""

import pytest
from django.urls import reverse

from companies.models import Company
from tests.factories import make_chain, make_company, make_user
from tests.staff import logged_in, staff, superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/companies/company/"


def branch(company: Company) -> str:
    return reverse("admin:companies_company_subsidiaries", args=[company.pk])


def rows(response) -> list[str]:
    """The codes in the table of a page, from the top."""
    results = response.context_data.get("cl").result_list
    return [company.code for company in results]


def test_the_list_shows_head_companies_by_name():
    # given
    make_chain(3, code="", name="Zeta")
    make_company(name="Alpha", code="alpha")

    # when
    response = superuser().get(LIST)

    # then
    assert rows(response) == ["alpha", "zeta"]


def test_a_branch_shows_the_subsidiaries_of_one_company():
    # given
    head = make_company()
    make_company(parent=head, code="b", name="B")
    one = make_company(parent=head, code="a", name="A")
    make_company(parent=one, code="below-a")

    # when
    response = superuser().get(branch(head))

    # then
    assert rows(response) == ["a", "b"]
    assert response.content.decode().count("kz-expander") == 1  # only A opens


def test_a_branch_comes_a_hundred_at_a_time():
    # given
    head = make_company()
    for number in range(103):
        make_company(parent=head, name=f"S {number:03}")
    client = superuser()

    # when
    first, second = client.get(branch(head)), client.get(branch(head) + "?p=2")

    # then
    assert (len(rows(first)), len(rows(second))) == (100, 3)
    assert "Show more (3 left)" in first.content.decode()
    assert "Show more" not in second.content.decode()


def test_a_filter_that_does_not_exist_is_refused_in_a_branch():
    # given
    head = make_company()

    # when
    response = superuser().get(branch(head) + "?foo=1")

    # then
    assert response.status_code == 400


def test_a_branch_of_a_company_that_is_gone_is_not_found():
    assert (
        superuser().get("/admin/companies/company/999999/subsidiaries/").status_code
        == 404
    )


def test_a_branch_needs_the_right_to_see_companies():
    # given
    head = make_company()

    # then
    assert staff().get(branch(head)).status_code == 403
    assert staff("view_company").get(branch(head)).status_code == 200


def test_a_search_finds_companies_in_closed_branches_with_their_path():
    # given
    head, middle, leaf = (
        make_company(name="Head & Co", code="head"),
        None,
        None,
    )
    middle = make_company(name="Middle", code="middle", parent=head)
    leaf = make_company(name="Ärzte Leaf", code="leaf", parent=middle)

    # when
    response = superuser().get(LIST + "?q=arzte")

    # then
    assert rows(response) == [leaf.code]
    (found,) = response.context_data["cl"].result_list
    assert [company.pk for company in found.path] == [head.pk, middle.pk]
    assert "Head &amp; Co" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status__exact=ON_HOLD", ["middle"]),
        ("effective_status=ON_HOLD", ["leaf", "middle"]),
        ("effective_status=ACTIVE", ["head", "other"]),
        ("place=head", ["head", "other"]),
        ("place=subsidiary", ["leaf", "middle"]),
        ("country__exact=DE", ["leaf"]),
    ],
)
def test_filters_look_into_closed_branches(query, found):
    # given
    head = make_company(code="head", name="A")
    middle = make_company(code="middle", name="M", parent=head, status="ON_HOLD")
    make_company(code="leaf", name="L", parent=middle, country="DE")
    make_company(code="other", name="O")

    # when
    response = superuser().get(f"{LIST}?{query}")

    # then
    assert rows(response) == found


def test_the_tree_costs_the_same_queries_however_large_it_is(
    django_assert_num_queries,
):
    # given: 12 companies, then 612 in one hierarchy, ten below each other
    head = make_company(name="Head")
    client = logged_in(make_user(is_superuser=True))
    client.get(LIST)
    parent = head
    for number in range(10):
        parent = make_company(parent=parent, name=f"Level {number}")
    small = [LIST, branch(head), LIST + "?q=level", LIST + "?place=subsidiary"]
    counts = []
    for url in small:
        with django_assert_num_queries(QUERIES[small.index(url)]):
            counts.append(client.get(url).status_code)

    # when
    for number in range(600):
        make_company(parent=head, name=f"Level branch {number:03}")

    # then
    for url, queries in zip(small, QUERIES, strict=True):
        with django_assert_num_queries(queries):
            counts.append(client.get(url).status_code)
    assert set(counts) == {200}


# session, user, page and (list) its number of rows; with hits their paths
QUERIES = (5, 6, 6, 6)


def test_names_with_markup_are_shown_as_they_are():
    # given
    head = make_company(name="<b>Bold</b>")
    make_company(name="<script>alert(1)</script>", parent=head)

    # when
    client = superuser()
    pages = [client.get(url).content.decode() for url in (LIST, branch(head))]
    pages.append(client.get(LIST + "?q=script").content.decode())

    # then
    assert "&lt;b&gt;Bold" in pages[0]
    assert "<b>Bold" not in "".join(pages)
    assert "<script>alert" not in "".join(pages)


def test_above_any_walks_up_from_several_companies():
    # given
    left, right = make_chain(3), make_chain(2)
    make_company()

    # when
    found = Company.objects.above_any([left[2], right[1].pk]).order_by()

    # then
    assert {company.pk for company in found} == {c.pk for c in [*left, *right]}
    assert list(Company.objects.above_any([])) == []
