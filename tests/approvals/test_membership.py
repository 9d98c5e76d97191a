import pytest
from django.core.exceptions import ValidationError

from approvals import membership
from approvals.models import ApprovalGroup, ApprovalGroupMember
from config.actors import Actor
from config.errors import StaleVersion
from integrations.models import Event
from tests.approvals.makers import make_approval_group, person
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db

ACTOR = Actor.client(3)


def members(group: ApprovalGroup) -> set[int]:
    return set(group.memberships.values_list("contact", flat=True))


def test_members_are_of_the_hierarchy() -> None:
    head = make_company()
    below, above = person(make_company(parent=head)), person(head)
    strangers = [person(make_company()), make_contact()]

    group = make_approval_group(company=head, members=[below, above])

    for stranger in strangers:
        with pytest.raises(ValidationError) as refused:
            membership.update_approval_group(
                group, actor=ACTOR, expected_version=1, members=[below, stranger]
            )
        assert refused.value.error_dict["members"][0].code == "not_in_hierarchy"
    assert members(group) == {below.pk, above.pk}
    assert ApprovalGroup.objects.get().version == 1


def test_the_list_of_members_is_the_whole_list() -> None:
    head = make_company()
    first, second, third = (person(head) for _ in range(3))
    group = make_approval_group(company=head, members=[first, second])

    group = membership.update_approval_group(
        group, actor=ACTOR, expected_version=1, members=[second, third]
    )

    assert members(group) == {second.pk, third.pk}
    assert group.version == 2
    assert Event.objects.last().type == "approval_group.updated"
    entries = ApprovalGroupMember.history.filter(history_user_id="client:3")
    assert {(e.history_type, e.contact_id) for e in entries} == {
        ("-", first.pk),
        ("+", third.pk),
    }


def test_without_a_list_of_members_they_stay() -> None:
    head = make_company()
    member = person(head)
    group = make_approval_group(company=head, members=[member])

    group = membership.update_approval_group(
        group, actor=ACTOR, expected_version=1, name="Board"
    )

    assert (group.name, members(group)) == ("Board", {member.pk})


def test_no_change_is_no_version() -> None:
    head = make_company()
    member = person(head)
    group = make_approval_group(company=head, members=[member])
    events = Event.objects.count()

    group = membership.update_approval_group(
        group, actor=ACTOR, expected_version=1, members=[member], name=group.name
    )

    assert (group.version, Event.objects.count()) == (1, events)


def test_a_stale_change_is_refused() -> None:
    group = make_approval_group(company=make_company())

    with pytest.raises(StaleVersion):
        membership.update_approval_group(
            group, actor=ACTOR, expected_version=4, name="Other"
        )
    with pytest.raises(StaleVersion):
        membership.delete_approval_group(group, actor=ACTOR, expected_version=4)

    assert ApprovalGroup.objects.get().name == group.name


def test_codes_are_unique_in_a_company_without_regard_to_case() -> None:
    company = make_company()
    make_approval_group(company=company, code="Board")
    make_approval_group(company=company)
    make_approval_group(company=company)
    make_approval_group(company=make_company(), code="Board")

    with pytest.raises(ValidationError) as refused:
        make_approval_group(company=company, code="bOARD")

    assert [e.code for e in refused.value.error_dict["__all__"]] == ["duplicate_code"]
    assert ApprovalGroup.objects.count() == 4


def test_a_deleted_group_leaves_its_history() -> None:
    head = make_company()
    member = person(head)
    group = make_approval_group(company=head, members=[member])

    membership.delete_approval_group(group, actor=ACTOR, expected_version=1)

    assert not ApprovalGroup.objects.exists()
    entry = ApprovalGroupMember.history.first()
    assert (entry.history_type, entry.history_user_id) == ("-", "client:3")
    assert Event.objects.last().type == "approval_group.deleted"
