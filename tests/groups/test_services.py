import pytest
from django.core.exceptions import ValidationError

from companies.services import erase_contact
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
from groups import services
from groups.errors import NotAHeadCompany, NotAMember
from groups.models import CustomerGroup, GroupMember, GroupPropagation
from integrations.models import Event
from tests.factories import make_chain, make_company, make_contact
from tests.groups.makers import make_group, person
from tests.races import run_at_once

pytestmark = pytest.mark.django_db


def told(company) -> list[str]:
    stream = company.pk if company else 0
    events = Event.objects.filter(stream=stream, type__startswith="customer_group")
    return list(events.order_by("number").values_list("type", flat=True))


def test_a_member_comes_and_goes_with_event_and_history():
    # given
    head, sub = make_chain(2)
    contact, group = person(sub), make_group(company=head)
    actor = Actor.client(3)

    # when
    services.add_member(group, contact, actor=actor)
    services.remove_member(group, contact, actor=actor)

    # then
    assert not GroupMember.objects.exists()
    assert told(head) == [
        "customer_group.created",
        "customer_group.member_added",
        "customer_group.member_removed",
    ]
    history = GroupMember.history.order_by("history_id")
    assert list(history.values_list("history_type", "history_user_id")) == [
        ("+", "client:3"),
        ("-", "client:3"),
    ]


@pytest.mark.parametrize("who", ["again", "stranger", "sister"])
def test_a_member_is_refused(who):
    # given
    company = make_company()
    member = person(company)
    group = make_group(member, company=company)
    contacts = {
        "again": lambda: member,
        "stranger": make_contact,
        "sister": lambda: person(make_company()),
    }
    contact = contacts[who]()

    # when
    with pytest.raises(ValidationError) as refusal:
        services.add_member(group, contact, actor=SYSTEM)

    # then
    code = "already_member" if who == "again" else "not_of_hierarchy"
    assert [error.code for error in refusal.value.error_dict.popitem()[1]] == [code]
    assert list(GroupMember.objects.values_list("contact", flat=True)) == [member.pk]


def test_who_is_no_member_is_not_removed():
    company = make_company()
    group = make_group(person(company), company=company)

    with pytest.raises(NotAMember):
        services.remove_member(group, person(company), actor=SYSTEM)

    assert GroupMember.objects.count() == 1


def test_a_group_across_companies_tells_its_changes_to_nobodys_stream():
    group = make_group()

    services.add_member(group, make_contact(), actor=SYSTEM)

    assert told(None) == ["customer_group.created", "customer_group.member_added"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_same_member_one_is_told_so():
    # given
    company = make_company()
    group, contact = make_group(company=company), person(company)

    # when
    def add(number: int) -> str:
        try:
            services.add_member(group, contact, actor=SYSTEM)
        except ValidationError as error:
            return error.error_dict["__all__"][0].code
        return "added"

    answers = run_at_once(add)

    # then
    assert sorted(answers) == ["added", *["already_member"] * 5]
    assert GroupMember.objects.count() == 1


def test_propagation_is_upward_until_somebody_chooses():
    # given
    head, sub = make_chain(2)
    assert services.propagation_of(sub).mode == "UPWARD"

    # when
    services.set_propagation(head, "DOWNWARD", actor=SYSTEM, expected_version=0)

    # then
    assert services.propagation_of(sub).mode == "DOWNWARD"
    assert services.propagation_of(make_company()).mode == "UPWARD"
    stored = GroupPropagation.objects.get()
    assert (stored.company, stored.version) == (head, 1)


def test_propagation_is_not_set_for_a_subsidiary():
    _head, sub = make_chain(2)

    with pytest.raises(NotAHeadCompany):
        services.set_propagation(sub, "DISABLED", actor=SYSTEM)

    assert not GroupPropagation.objects.exists()


@pytest.mark.parametrize("expected", [0, 2, 7])
def test_propagation_is_not_set_on_another_version(expected):
    head = make_company()
    services.set_propagation(head, "DISABLED", actor=SYSTEM)

    with pytest.raises(StaleVersion):
        services.set_propagation(
            head, "DOWNWARD", actor=SYSTEM, expected_version=expected
        )

    assert GroupPropagation.objects.values_list("mode", "version").get() == (
        "DISABLED",
        1,
    )


def test_choosing_what_is_chosen_changes_nothing():
    head = make_company()
    services.set_propagation(head, "DISABLED", actor=SYSTEM)

    again = services.set_propagation(head, "DISABLED", actor=SYSTEM)

    assert again.version == 1
    assert GroupPropagation.history.count() == 1


def test_the_propagation_of_a_former_head_company_does_not_count():
    # given
    head, other = make_company(), make_company()
    services.set_propagation(head, "DISABLED", actor=SYSTEM)

    # when
    head.move(other)

    # then
    assert services.propagation_of(head).mode == "UPWARD"


def test_missing_groups_are_created_and_others_kept():
    # given
    company = make_company()
    kept = company.customer_groups.get(kind="BUYERS")
    CustomerGroup.objects.filter(company=company).exclude(pk=kept.pk)._raw_delete(
        "default"
    )

    # when
    services.create_automatic_groups([company.pk])
    services.create_automatic_groups([company.pk])

    # then
    kinds = company.customer_groups.values_list("kind", flat=True)
    assert sorted(kinds) == ["ADMINS", "BUYERS", "CONTACTS", "REQUESTERS"]
    assert company.customer_groups.get(kind="BUYERS") == kept


def test_an_erased_person_is_in_no_group_and_the_rows_stay():
    company = make_company()
    contact = person(company)
    group = make_group(contact, company=company)

    erase_contact(contact, actor=SYSTEM)

    assert group.memberships.count() == 1
    assert group.memberships.in_force().count() == 0
