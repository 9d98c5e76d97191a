"""Merging two companies: what happens to each thing, the preview, and the way back."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import ApprovalGroup, ApprovalRule, LedgerEntry, PurchaseLimit
from companies.errors import (
    AlreadyMerged,
    MergedCompany,
    MergeIntoBelow,
    MergeIntoItself,
    MergeTooLarge,
    MergeTooOld,
    MergeUnfinished,
    NotMerged,
    ParentClosed,
    PreviewOutdated,
    UnmergeIncomplete,
)
from companies.merging import merge_companies, preview_merge, unmerge_company
from companies.models import (
    Company,
    CompanyLink,
    CompanyMerge,
    ContactAssignment,
    Location,
)
from companies.services import set_status
from companies.tree.check import find_tree_faults
from config.actors import Actor
from config.errors import StaleVersion
from groups.models import CustomerGroup, GroupMember
from integrations.models import Event
from tests.approvals.makers import (
    make_approval_group,
    make_limit,
    make_rule,
    make_stand_in,
    person,
    submit,
)
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
)
from tests.staff import act, page_of, said, staff, superuser

pytestmark = pytest.mark.django_db
STAFF = Actor.staff(1)
LEI = "529900T8BM49AURSDO55"


@pytest.fixture(autouse=True)
def _tree_is_sound_after_each_test(db):
    yield
    assert find_tree_faults() == []


def merge(company: Company, into: Company, **options: Any) -> CompanyMerge:
    return merge_companies(company, into, actor=STAFF, **options)


def unmerge(company: Company, **options: Any) -> list[str]:
    return unmerge_company(company, actor=STAFF, **options)


def state() -> Any:
    """What a merge can change, without versions and times."""
    return {
        "companies": list(
            Company.objects.order_by("pk").values_list(
                "pk", "parent", "status", "lei", "legal_name", "phone", "attributes"
            )
        ),
        "locations": list(
            Location.objects.order_by("pk").values_list(
                "pk", "company", "code", "is_default_billing", "is_default_shipping"
            )
        ),
        "people": list(
            ContactAssignment.objects.order_by("pk").values_list(
                "pk", "company", "type", "role", "covers_subsidiaries", "valid_until"
            )
        ),
        "links": list(
            CompanyLink.objects.order_by("pk").values_list("company", "other")
        ),
        "groups": list(
            CustomerGroup.objects.order_by("pk").values_list(
                "pk", "company", "price_list"
            )
        ),
        "limits": list(
            PurchaseLimit.objects.order_by("pk").values_list(
                "pk", "company", "is_active"
            )
        ),
        "approval": [
            *ApprovalGroup.objects.order_by("pk").values_list("pk", "company", "code"),
            *ApprovalRule.objects.order_by("pk").values_list("pk", "company"),
        ],
    }


@pytest.fixture
def two(db) -> tuple[Company, Company]:
    """Two companies with one of everything, the first of which goes."""
    goes = make_company(
        name="Acme",
        code="goes",
        lei=LEI,
        country="DE",
        phone="+49 1",
        attributes={"a": 1},
    )
    stays = make_company(name="ACME GmbH", code="stays", attributes={"a": 2, "b": 2})
    for company in (goes, stays):
        make_company(parent=company)
        make_location(
            company=company, code="hq", is_billing=True, is_default_billing=True
        )
        make_assignment(company=company, type="PRIMARY", role="ADMIN")
        make_limit(company=company)
        make_approval_group(company=company, code="boss")
    make_location(company=goes, is_shipping=True, is_default_shipping=True)
    both = make_contact(first_name="Both", last_name="")
    make_assignment(contact=both, company=goes, role="ADMIN", covers_subsidiaries=True)
    make_assignment(contact=both, company=stays, role="BUYER")
    make_link(company=goes)
    make_link(company=goes, other=stays)
    group = CustomerGroup.objects.create(company=goes, name="VIP")
    GroupMember.objects.create(group=group, contact=both)
    admins = goes.customer_groups.get(kind="ADMINS")
    admins.price_list = "gold"
    admins.save()
    make_limit(company=goes, currency="USD")
    make_rule(company=goes)
    return goes, stays


def test_what_belongs_to_the_company_moves_and_comes_back(two):
    # given
    goes, stays = two
    before = state()
    # when
    merge(goes, stays, reason="twice")
    # then
    merged = state()
    assert Company.objects.get(pk=goes.pk).status == "CLOSED"
    assert goes.subsidiaries.count() == 0
    assert stays.subsidiaries.count() == 2
    assert goes.locations.count() == 0
    assert stays.locations.filter(is_default_billing=True).count() == 1
    assert stays.locations.filter(code="hq").count() == 1
    assert stays.locations.filter(is_default_shipping=True).count() == 1
    assert stays.assignments.filter(type="PRIMARY").count() == 1
    kept = Company.objects.get(pk=stays.pk)
    assert (kept.lei, kept.phone, kept.country) == (LEI, "+49 1", "DE")
    assert kept.attributes == {"a": 2, "b": 2}
    assert Company.objects.get(pk=goes.pk).lei == ""
    assert CustomerGroup.objects.get(name="VIP").company == stays
    assert stays.customer_groups.get(kind="ADMINS").price_list == "gold"
    assert ApprovalRule.objects.get().company == stays
    assert merged != before
    # when
    lost = unmerge(goes)
    # then
    assert lost == []
    assert state() == before
    assert CompanyMerge.objects.get().undone_by == "staff:1"


def test_of_a_person_assigned_to_both_the_stronger_role_stays(two):
    # given
    goes, stays = two
    # when
    merge(goes, stays)
    # then
    row = stays.assignments.get(contact__first_name="Both")
    assert (row.role, row.covers_subsidiaries) == ("ADMIN", True)
    assert goes.assignments.get().role == "ADMIN"  # of the closed company


@pytest.mark.parametrize(
    "ours",
    [
        {"role": "BUYER"},
        {"role": "", "covers_subsidiaries": True},
        {"role": "ADMIN", "valid_until": timezone.localdate() - timedelta(days=1)},
    ],
)
def test_a_weaker_or_ended_role_changes_nothing(ours):
    # given
    goes, stays, contact = make_company(), make_company(), make_contact()
    make_assignment(contact=contact, company=goes, **ours)
    kept = make_assignment(contact=contact, company=stays, role="BUYER")
    # when
    merge(goes, stays)
    # then
    kept.refresh_from_db()
    assert (kept.role, kept.version) == ("BUYER", 1)


def test_limits_move_with_their_ledger_and_equal_ones_are_set_inactive(two):
    # given
    goes, stays = two
    equal, other = PurchaseLimit.objects.filter(company=goes).order_by("pk")
    # when
    merge(goes, stays)
    # then
    equal.refresh_from_db()
    other.refresh_from_db()
    assert (equal.company, equal.is_active) == (goes, False)
    assert (other.company, other.is_active) == (stays, True)


def test_links_between_the_two_and_second_ones_stay_behind():
    # given
    goes, stays, third = (make_company() for _ in range(3))
    between = make_link(company=goes, other=stays)
    second, first = (
        make_link(company=goes, other=third),
        make_link(company=stays, other=third),
    )
    back = make_link(company=third, other=goes)
    # when
    merge(goes, stays)
    # then
    rows = {row.pk: (row.company, row.other) for row in CompanyLink.objects.all()}
    assert rows == {
        between.pk: (goes, stays),
        second.pk: (goes, third),
        first.pk: (stays, third),
        back.pk: (third, stays),
    }


def test_numbers_of_another_country_are_not_filled_in():
    # given
    goes = make_company(country="DE", tax_id="DE136695976", website="https://a.example")
    stays = make_company(country="FR")
    # when
    merge(goes, stays)
    # then
    stays.refresh_from_db()
    assert (stays.country, stays.tax_id) == ("FR", "")
    assert stays.website == "https://a.example"


def test_open_requests_have_to_be_finished_first_or_confirmed():
    # given
    goes, stays = make_company(), make_company()
    requester = person(goes, "REQUESTER")
    person(goes, "ADMIN")
    request = submit(goes, requester)
    before = state()
    # when
    with pytest.raises(MergeUnfinished) as refusal:
        merge(goes, stays)
    # then
    assert state() == before
    assert str(request) in refusal.value.lines[0]
    # when
    merge(goes, stays, confirm=True)
    # then
    request.refresh_from_db()
    assert (request.company, request.status) == (goes, "PENDING")


def test_ledger_and_past_requests_stay_where_they_are():
    # given
    goes, stays = make_company(), make_company()
    admin = person(goes, "ADMIN")
    person(stays, "ADMIN")
    limit = make_limit(company=goes, period="MONTH", binds="CONTACT", contact=admin)
    request = submit(goes, admin)
    ledger = list(LedgerEntry.objects.values_list("pk", "limit", "company", "amount"))
    # when
    merge(goes, stays, confirm=True)
    # then
    assert (
        list(LedgerEntry.objects.values_list("pk", "limit", "company", "amount"))
        == ledger
    )
    assert ledger
    limit.refresh_from_db()
    assert limit.company == stays
    assert type(request).objects.get().company == goes


def test_stand_ins_move(two):
    # given
    goes, stays = two
    boss, deputy = person(goes, "ADMIN"), person(goes, "BUYER")
    stand_in = make_stand_in(company=goes, contact=boss, stand_in=deputy)
    # when
    merge(goes, stays)
    # then
    stand_in.refresh_from_db()
    assert stand_in.company == stays


def test_what_cannot_be_merged_is_refused(two, settings):
    # given
    goes, stays = two
    child = goes.subsidiaries.get()
    closed = make_company(status="CLOSED")
    before = state()
    # then
    for company, into, error in (
        (goes, goes, MergeIntoItself),
        (goes, child, MergeIntoBelow),
        (goes, closed, ParentClosed),
    ):
        with pytest.raises(error):
            merge(company, into)
    with pytest.raises(StaleVersion):
        merge(goes, stays, expected_version=7)
    with pytest.raises(NotMerged):
        unmerge(goes)
    assert state() == before
    # given
    merge(goes, stays)
    # then
    with pytest.raises(AlreadyMerged):
        merge(goes, make_company())
    with pytest.raises(MergedCompany):
        merge(make_company(), goes)
    with pytest.raises(MergedCompany):
        set_status(goes, "ACTIVE", actor=STAFF, reason="x")
    assert CompanyMerge.objects.count() == 1


def test_a_subsidiary_can_be_merged_into_its_parent():
    head = make_company()
    low = make_company(parent=make_company(parent=head))
    below = make_company(parent=low)

    merge(low, head)

    assert Company.objects.get(pk=below.pk).parent == head


def test_too_much_is_not_moved_at_once(two, monkeypatch):
    before = state()
    monkeypatch.setattr("companies.merging.MOST_STEPS", 3)

    with pytest.raises(MergeTooLarge):
        merge(*two)

    assert state() == before


# The preview


def test_a_preview_says_what_would_happen_and_changes_nothing(two):
    # given
    goes, stays = two
    requester = person(goes, "REQUESTER")
    submit(goes, requester, amount="10")
    before, events = state(), Event.objects.count()
    # when
    preview = preview_merge(goes, stays)
    # then
    assert (state(), Event.objects.count()) == (before, events)
    topics = {change.topic: change.after for change in preview.changes}
    assert {
        "subsidiaries",
        "locations",
        "people",
        "groups",
        "purchase_limits",
        "links",
        "legal",
        "stays",
        "unfinished",
    } <= topics.keys()
    assert topics["unfinished"][0].endswith("10.00 EUR: Pending")
    assert any("without its code hq" in line for line in topics["locations"])
    assert "Groups, new: VIP" in preview.sentences()


def test_only_what_was_previewed_is_merged(two):
    # given
    goes, stays = two
    token = preview_merge(goes, stays).token
    make_location(company=goes)
    before = state()
    # when
    with pytest.raises(PreviewOutdated):
        merge(goes, stays, previewed=token)
    # then
    assert state() == before
    merge(goes, stays, previewed=preview_merge(goes, stays).token)


# The way back


def test_what_was_changed_since_is_named_before_anything_is_taken_back(two):
    # given
    goes, stays = two
    merge(goes, stays)
    place = stays.locations.get(is_default_shipping=True)
    place.is_default_shipping = False
    place.save()
    gone = stays.locations.exclude(pk=place.pk).exclude(code="hq").get()
    gone.delete()
    merged = state()
    # when
    with pytest.raises(UnmergeIncomplete) as refusal:
        unmerge(goes)
    # then
    assert state() == merged
    assert len(refusal.value.lines) == 1
    assert "it is gone" in refusal.value.lines[0]
    # when
    lost = unmerge(goes, confirm=True)
    # then
    assert lost == list(refusal.value.lines)
    assert Location.objects.get(pk=place.pk).company == goes
    assert Company.objects.get(pk=goes.pk).status == "ACTIVE"


def test_a_subsidiary_that_was_moved_on_stays_where_it_is(two):
    # given
    goes, stays = two
    child = goes.subsidiaries.get()
    merge(goes, stays)
    child.refresh_from_db()
    child.move(None)
    # when
    lost = unmerge(goes, confirm=True)
    # then
    assert Company.objects.get(pk=child.pk).parent is None
    assert len(lost) == 1


def test_an_lei_that_another_company_has_now_is_not_restored(two):
    # given
    goes, stays = two
    merge(goes, stays)
    stays.refresh_from_db()
    stays.lei = ""
    stays.save()
    make_company(lei=LEI)
    # when
    lost = unmerge(goes, confirm=True)
    # then
    assert len(lost) == 2  # emptied at the one that stays, taken for the other
    assert Company.objects.get(pk=goes.pk).lei == ""
    assert Company.objects.get(pk=goes.pk).status == "ACTIVE"
    assert goes.subsidiaries.count() == 1


def test_a_merge_is_taken_back_within_thirty_days(two, settings):
    # given
    goes, stays = two
    merge(goes, stays)
    days = timedelta(days=settings.COMPANY_UNMERGE_DAYS)
    merged = state()
    CompanyMerge.objects.update(created_at=timezone.now() - days - timedelta(minutes=1))
    # when
    with pytest.raises(MergeTooOld):
        unmerge(goes)
    # then
    assert state() == merged
    CompanyMerge.objects.update(created_at=timezone.now() - days + timedelta(minutes=1))
    unmerge(goes)


def test_chains_are_taken_back_from_the_end():
    # given
    one, two, three = (make_company() for _ in range(3))
    merge(one, two)
    merge(two, three)
    # then
    with pytest.raises(MergedCompany):
        unmerge(one)
    unmerge(two)
    unmerge(one)
    assert set(Company.objects.values_list("status", flat=True)) == {"ACTIVE"}


def test_a_company_can_be_merged_again_after_the_way_back(two):
    goes, stays = two
    merge(goes, stays)
    unmerge(goes)

    merge(goes, stays)

    assert CompanyMerge.objects.count() == 2


def test_a_merge_is_an_event_of_the_company_that_stays(two):
    goes, stays = two

    done = merge(goes, stays)
    unmerge(goes)

    told = Event.objects.filter(stream=stays.pk, subject_id=done.pk)
    kinds = set(told.values_list("type", flat=True))
    assert {"company_merge.created", "company_merge.updated"} <= kinds
    reasons = Company.history.filter(id=goes.pk).values_list(
        "history_change_reason", flat=True
    )
    assert {"merged into stays", "unmerged from stays"} <= set(reasons)


# In the API


def test_the_api_previews_merges_and_takes_back(api, two):
    # given
    goes, stays = two
    url = f"/api/v1/companies/{goes.pk}/"
    before = state()
    # when
    preview = api.post(f"{url}merge/preview/", {"into": stays.pk}, format="json")
    body = {"into": stays.pk, "preview": preview.json()["token"], "reason": "twice"}
    merged = api.post(f"{url}merge/", body, format="json")
    # then
    assert preview.status_code == 200, preview.content
    assert merged.status_code == 200, merged.content
    assert merged.json()["id"] == stays.pk
    assert "Groups, new: VIP" in preview.json()["changes"]
    # when
    again = api.post(f"{url}merge/", {"into": stays.pk}, format="json")
    back = api.post(f"{url}unmerge/", {}, format="json")
    # then
    assert (again.status_code, again.json()["code"]) == (409, "already_merged")
    assert (back.status_code, back.json()["id"]) == (200, goes.pk)
    assert state() == before


def test_the_old_code_answers_with_the_company_that_stays(api, two):
    # given
    goes, stays = two
    last = make_company(code="last")
    merge(goes, stays)
    merge(stays, last)
    # when
    by_code = api.get("/api/v1/companies/by-code/GOES/")
    listed = api.get("/api/v1/companies/?code=goes").json()["results"]
    by_id = api.get(f"/api/v1/companies/{goes.pk}/").json()
    written = api.put("/api/v1/companies/by-code/goes/", {"name": "New"}, format="json")
    # then
    assert by_code.json()["code"] == "last"
    assert by_code["ETag"] == f'"{Company.objects.get(pk=last.pk).version}"'
    assert [row["code"] for row in listed] == ["last"]
    assert (by_id["code"], by_id["status"]) == ("goes", "CLOSED")
    assert (written.status_code, written.json()["code"]) == (409, "merged_company")
    assert Company.objects.filter(name="New").count() == 0


def test_a_code_answers_with_the_old_company_where_the_new_one_is_out_of_sight(
    call_as, two
):
    # given
    goes, stays = two
    merge(goes, stays)
    http = call_as(
        make_client(hierarchies=(goes,), scopes="companies:read companies:move")
    )
    # when
    by_code = http.get("/api/v1/companies/by-code/goes/").json()
    listed = http.get("/api/v1/companies/?code=goes").json()["results"]
    back = http.post(f"/api/v1/companies/{goes.pk}/unmerge/", {}, format="json")
    # then
    assert by_code["id"] == goes.pk
    assert [row["id"] for row in listed] == [goes.pk]
    assert (back.status_code, back.json()["code"]) == (403, "out_of_sight")


def test_an_old_code_answers_to_who_sees_only_the_company_that_stays(call_as, two):
    # given
    goes, stays = two
    merge(goes, stays)
    http = call_as(make_client(hierarchies=(stays,), scopes="companies:read"))
    # when
    answer = http.get("/api/v1/companies/by-code/goes/")
    # then
    assert answer.json()["id"] == stays.pk
    assert http.get(f"/api/v1/companies/{goes.pk}/").status_code == 404


def test_a_client_merges_only_what_it_sees(call_as, two):
    # given
    goes, stays = two
    http = call_as(
        make_client(hierarchies=(goes,), scopes="companies:read companies:move")
    )
    reader = call_as(
        make_client(sees_all=True, scopes="companies:read companies:write")
    )
    url = f"/api/v1/companies/{goes.pk}/merge/"
    before = state()
    # when
    foreign = http.post(url, {"into": stays.pk}, format="json")
    without = reader.post(url, {"into": stays.pk}, format="json")
    # then
    assert (foreign.status_code, without.status_code) == (400, 403)
    assert state() == before


def test_the_api_asks_for_confirmation(api):
    # given
    goes, stays = make_company(), make_company()
    person(goes, "ADMIN")
    submit(goes, person(goes, "REQUESTER"))
    url = f"/api/v1/companies/{goes.pk}/merge/"
    # when
    refused = api.post(url, {"into": stays.pk}, format="json")
    confirmed = api.post(f"{url}?confirm=true", {"into": stays.pk}, format="json")
    # then
    assert (refused.status_code, refused.json()["code"]) == (409, "merge_unfinished")
    assert confirmed.status_code == 200


# In the console


def test_the_console_shows_what_would_happen_then_merges_and_takes_back(two):
    # given
    goes, stays = two
    client, before = superuser(), state()
    answer = {"seen_version": goes.version, "into": stays.pk, "reason": "twice"}
    # when
    asked = act(client, goes, "merge", **answer).content.decode()
    # then
    assert "ACME GmbH" in asked
    assert "VIP" in asked
    assert state() == before
    # when
    token = re.search(r'name="confirm" value="([^"]+)"', asked).group(1)
    act(client, goes, "merge", **answer, confirm=token)
    # then
    goes.refresh_from_db()
    assert goes.status == "CLOSED"
    page = client.get(page_of(goes)).content.decode()
    assert "Merged into" in page
    assert 'value="unmerge"' in page
    assert 'value="activate"' not in page
    # when
    act(client, goes, "unmerge", seen_version=goes.version)
    # then
    assert state() == before
    assert CompanyMerge.objects.get().undone_by == f"staff:{client.user.pk}"


def test_the_console_says_what_cannot_be_restored_before_it_restores(two):
    # given
    goes, stays = two
    merge(goes, stays)
    stays.locations.get(is_default_shipping=True).delete()
    goes.refresh_from_db()
    client = superuser()
    # when
    asked = act(client, goes, "unmerge", seen_version=goes.version).content.decode()
    # then
    assert "it is gone" in asked
    assert CompanyMerge.objects.standing().exists()
    # when
    act(client, goes, "unmerge", seen_version=goes.version, _confirmed="1")
    # then
    assert not CompanyMerge.objects.standing().exists()


def test_refusals_are_shown_and_change_nothing(two):
    # given
    goes, stays = two
    before = state()
    answer = {"seen_version": goes.version, "into": goes.pk}
    # when
    shown = act(superuser(), goes, "merge", **answer).content.decode()
    stale = act(
        superuser(), goes, "merge", seen_version=9, into=stays.pk, confirm=stays.pk
    )
    # then
    assert "merge_into_itself" in shown
    assert "stale_version" in " ".join(said(stale))
    assert state() == before


def test_merging_has_a_right_of_its_own(two):
    # given
    goes, stays = two
    client = staff("view_company", "change_company", "move_company")
    before = state()
    # when
    page = client.get(page_of(goes)).content.decode()
    act(client, goes, "merge", seen_version=1, into=stays.pk, confirm=stays.pk)
    # then
    assert 'value="merge"' not in page
    assert state() == before
