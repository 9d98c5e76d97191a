import pytest

from groups.models import CustomerGroup, GroupMember, GroupPropagation
from tests.factories import make_assignment, make_company, make_contact
from tests.staff import page_of, save, superuser

pytestmark = pytest.mark.django_db
AUTOMATIC = ("Admins", "Buyers", "Requesters", "Contacts")


def automatic(company, kind: str = "BUYERS") -> CustomerGroup:
    return company.customer_groups.get(kind=kind)


def test_the_page_of_a_company_writes_the_price_list_of_its_groups():
    # given
    company = make_company()
    client = superuser()
    number = list(company.customer_groups.order_by("pk")).index(automatic(company))

    # when
    save(client, page_of(company), **{f"customer_groups-{number}-price_list": "B2B-1"})

    # then
    group = automatic(company)
    assert group.price_list == "B2B-1"
    assert group.history.first().history_user_id == f"staff:{client.user.pk}"


def test_only_the_price_list_of_an_automatic_group_is_written():
    # given
    group = automatic(make_company())

    # when
    changes = {"name": "Mine", "kind": "CUSTOM", "code": "mine", "price_list": "P"}
    save(superuser(), page_of(group), **changes)

    # then
    group.refresh_from_db()
    assert (group.name, group.kind, group.code, group.price_list) == (
        "",
        "BUYERS",
        "",
        "P",
    )


def test_an_automatic_group_is_not_deleted_by_a_superuser_either():
    # given
    group = automatic(make_company())

    # when
    response = superuser().post(page_of(group, "delete"), {"post": "yes"})

    # then
    assert response.status_code == 403
    assert CustomerGroup.objects.filter(pk=group.pk).exists()


def test_members_of_automatic_groups_are_shown_and_counted():
    # given
    company = make_company()
    make_assignment(
        company=company,
        role="BUYER",
        contact=make_contact(first_name="Bert", last_name="Buyer"),
    )
    make_assignment(company=company)

    # when
    client = superuser()
    page = client.get(page_of(automatic(company))).content.decode()
    rows = client.get(page_of(automatic(company), "changelist")).context_data["cl"]

    # then
    assert "Bert Buyer" in page
    counts = {group.kind: group.members_count for group in rows.result_list}
    assert counts == {"ADMINS": 0, "BUYERS": 1, "REQUESTERS": 0, "CONTACTS": 2}


def test_a_custom_group_gets_members_of_its_hierarchy_only():
    # given
    company, stranger = make_company(), make_contact()
    insider = make_assignment(company=company).contact
    group = CustomerGroup.objects.create(name="Board", company=company)
    client = superuser()

    def add(contact):
        row = {"memberships-TOTAL_FORMS": 1, "memberships-0-contact": contact.pk}
        return save(client, page_of(group), **row)

    # when
    refused, added = add(stranger), add(insider)

    # then
    assert (refused.status_code, added.status_code) == (200, 302)
    assert "works nowhere" in refused.content.decode()
    member = GroupMember.objects.get()
    assert member.contact == insider
    assert member.history.get().history_user_id == f"staff:{client.user.pk}"


def test_a_custom_group_is_deleted_with_its_members():
    # given
    company = make_company()
    contact = make_assignment(company=company).contact
    group = CustomerGroup.objects.create(name="Board", company=company)
    GroupMember.objects.create(group=group, contact=contact)

    # when
    superuser().post(page_of(group, "delete"), {"post": "yes"})

    # then
    assert not CustomerGroup.objects.filter(pk=group.pk).exists()
    assert not GroupMember.objects.exists()


def test_the_reach_of_prices_is_set_for_head_companies_only():
    # given
    head = make_company()
    sub = make_company(parent=head)
    client, url = superuser(), "/admin/groups/grouppropagation/add/"

    # when
    refused = save(client, url, company=sub.pk, mode="DISABLED")
    save(client, url, company=head.pk, mode="DISABLED")

    # then
    assert refused.status_code == 200
    assert GroupPropagation.objects.get().company == head


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "nord",
            ["Nord: Admins", "Nord: Buyers", "Nord: Requesters", "Nord: Contacts"],
        ),
        ("NORD gold", ["Nord: Buyers"]),  # its company, and its price list
        ("board acme", ["Board"]),  # its own name, and its company
        ("brd-1 Bóard", ["Board"]),
        ("silver friends", ["Friends"]),  # of no company
        ("nord silver", []),
        ("board nord", []),
    ],
)
def test_groups_are_found_by_words_of_their_own_and_of_their_company(query, expected):
    # given
    nord, acme = make_company(name="Nord", code="x-1"), make_company(name="Acme")
    CustomerGroup.objects.filter(pk=automatic(nord).pk).update(price_list="Gold")
    CustomerGroup.objects.create(company=acme, name="Board", code="brd-1")
    CustomerGroup.objects.create(name="Friends", price_list="SILVER")
    # when
    found = CustomerGroup.objects.matching(query).order_by("pk")
    # then
    assert [str(group) for group in found] == expected


def test_one_statement_finds_groups_by_several_words(django_assert_num_queries):
    with django_assert_num_queries(1) as asked:
        list(CustomerGroup.objects.matching("nord stahl gold"))
    # All words are looked for in companies at once: not all groups of each word.
    assert asked[0]["sql"].count("UNION") == 2
