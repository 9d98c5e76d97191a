"""What a merge of companies does to money that is held and to requests that wait."""

import pytest

from approvals import services
from approvals.ledger_check import find_ledger_faults
from approvals.models import ApprovalPolicy, PurchaseRequest
from companies.errors import MergeUnfinished
from companies.merging import merge_companies, preview_merge, unmerge_company
from companies.models import Company
from config.actors import SYSTEM
from groups.check import find_group_faults
from tests.approvals.makers import (
    acting,
    counted,
    euros,
    make_approval_group,
    make_limit,
    make_rule,
    person,
    submit,
)
from tests.factories import make_company

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _everything_is_sound_after_each_test(db):
    yield
    assert list(find_ledger_faults()) == []
    assert find_group_faults() == []


def approve(request: PurchaseRequest, contact) -> PurchaseRequest:
    return services.approve_request(
        request, actor=acting(contact), expected_version=request.version
    )


def test_money_that_a_moved_limit_holds_is_used_and_given_back_after_the_merge():
    # given
    goes, stays = make_company(), make_company()
    low = make_company(parent=goes)
    boss = person(goes, "ADMIN", covers_subsidiaries=True)
    limit = make_limit(company=goes, amount="50", period="YEAR")
    first, second = (
        submit(low, person(low, "REQUESTER"), amount) for amount in ("100", "20")
    )
    (year, *_sums) = counted(limit)[0]
    assert counted(limit) == [(year, "120.00", "0.00")]
    # when
    merge_companies(goes, stays, actor=SYSTEM)
    # then
    limit.refresh_from_db()
    assert limit.company == stays
    first = approve(first, boss)
    first = services.order_request(
        first,
        actor=SYSTEM,
        expected_version=first.version,
        number="1",
        money=euros("90"),
    )
    second = services.decline_request(
        second, actor=acting(boss), expected_version=second.version
    )
    assert (first.status, second.status) == ("ORDERED", "DECLINED")
    assert counted(limit) == [(year, "0.00", "90.00")]
    # and the limit goes back with all that was used of it
    assert unmerge_company(goes, actor=SYSTEM) == []
    limit.refresh_from_db()
    assert (limit.company, counted(limit)) == (goes, [(year, "0.00", "90.00")])


def test_a_limit_that_was_set_inactive_still_gets_its_money_back():
    # given
    goes, stays = make_company(), make_company()
    low = make_company(parent=goes)
    boss = person(goes, "ADMIN", covers_subsidiaries=True)
    ours, theirs = (
        make_limit(company=company, amount="50", period="YEAR")
        for company in (goes, stays)
    )
    request = submit(low, person(low, "REQUESTER"), "100")
    # when
    merge_companies(goes, stays, actor=SYSTEM)
    services.decline_request(request, actor=acting(boss), expected_version=1)
    # then
    assert [sums[1:] for sums in counted(ours)] == [("0.00", "0.00")]
    assert counted(theirs) == []


def test_a_rule_and_its_group_move_and_decide_for_the_company_that_stays():
    # given
    goes, stays = make_company(), make_company()
    chief = person(goes, "BUYER")
    group = make_approval_group(company=goes, members=[chief])
    make_rule(company=goes, steps=[{"approval_group": group}])
    requester = person(stays, "REQUESTER")
    # when
    preview = preview_merge(goes, stays)
    merge_companies(goes, stays, actor=SYSTEM)
    request = submit(stays, requester)
    # then
    topics = {change.topic: change.after for change in preview.changes}
    assert topics["approval_groups_moved"] == (group.name,)
    assert topics["approval_groups"] == (f"{group.name} ({stays})",)
    assert approve(request, chief).status == "APPROVED"


def test_an_approved_request_that_is_not_ordered_holds_up_the_merge():
    # given
    goes, stays = make_company(), make_company()
    request = submit(goes, person(goes, "ADMIN"))
    assert request.status == "APPROVED"
    # when
    with pytest.raises(MergeUnfinished):
        merge_companies(goes, stays, actor=SYSTEM)
    # then
    assert Company.objects.get(pk=goes.pk).status == "ACTIVE"
    services.cancel_request(request, actor=SYSTEM, expected_version=request.version)
    merge_companies(goes, stays, actor=SYSTEM)


def test_allowed_self_approval_stays_with_the_old_company():
    # given
    goes, stays = make_company(), make_company()
    ApprovalPolicy.objects.create(company=goes, allow_self_approval=True)
    # when
    preview = preview_merge(goes, stays)
    merge_companies(goes, stays, actor=SYSTEM)
    # then
    topics = {change.topic: change.after for change in preview.changes}
    assert topics["stays"] == ("allowed self-approval",)
    assert not ApprovalPolicy.objects.filter(company=stays).exists()
