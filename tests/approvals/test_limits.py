from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from approvals.models import PurchaseLimit
from companies.models import ContactAssignment
from config.actors import Actor
from config.errors import StaleVersion
from integrations.models import Event
from tests.approvals.makers import make_limit, make_world, person, submit
from tests.factories import make_client, make_company, make_contact
from tests.staff import superuser

pytestmark = pytest.mark.django_db


def unsaved(**fields: Any) -> PurchaseLimit:
    if "company" not in fields:
        fields["company"] = make_company()
    return PurchaseLimit(**{"amount": Decimal(100), "currency": "EUR"} | fields)


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"unlimited": True}, "__all__", "amount_or_unlimited"),
        ({"amount": None}, "__all__", "amount_or_unlimited"),
        ({"amount": Decimal("-0.01")}, "__all__", "negative_amount"),
        ({"amount": Decimal("0.001")}, "amount", "too_many_decimals"),
        (
            {"amount": Decimal("1.5"), "currency": "JPY"},
            "amount",
            "too_many_decimals",
        ),
        ({"amount": Decimal("123456789012345.6")}, "amount", "too_many_digits"),
        ({"currency": "XXX"}, "currency", "invalid_choice"),
        ({"currency": "DEM"}, "currency", "invalid_choice"),
        ({"binds": "ROLES"}, "roles", "roles_if_bound"),
        ({"roles": ["BUYER"]}, "roles", "roles_if_bound"),
        ({"binds": "ROLES", "roles": ["KING"]}, "roles", "unknown_role"),
        ({"binds": "ROLES", "roles": "BUYER"}, "roles", "unknown_role"),
        ({"binds": "ROLES", "roles": [[]]}, "roles", "unknown_role"),
        ({"binds": "CONTACT"}, "__all__", "contact_if_bound"),
        ({"period": "FORTNIGHT"}, "period", "invalid_choice"),
        ({"scope": "WORLD"}, "scope", "invalid_choice"),
    ],
)
def test_a_wrong_limit_is_refused_at_its_field(
    fields: dict[str, Any], place: str, code: str
) -> None:
    limit = unsaved(**fields)

    with pytest.raises(ValidationError) as refused:
        limit.full_clean()

    codes = [error.code for error in refused.value.error_dict[place]]
    assert code in codes
    assert not PurchaseLimit.objects.exists()


def test_0_and_unlimited_and_three_decimals_of_a_dinar_are_fine() -> None:
    for fields in (
        {"amount": Decimal(0)},
        {"amount": None, "unlimited": True},
        {"amount": Decimal("1.005"), "currency": "BHD"},
    ):
        unsaved(**fields).full_clean()


def test_a_bound_contact_is_of_the_hierarchy() -> None:
    head = make_company()
    sub = make_company(parent=head)
    inside, outside = person(sub), person(make_company())

    unsaved(company=head, binds="CONTACT", contact=inside).full_clean()
    for stranger in (outside, make_contact()):
        with pytest.raises(ValidationError) as refused:
            unsaved(company=head, binds="CONTACT", contact=stranger).full_clean()
        (error,) = refused.value.error_dict["contact"]
        assert error.code == "not_in_hierarchy"


def test_the_limit_of_somebody_who_has_left_can_still_be_changed() -> None:
    head = make_company()
    contact = person(head)
    limit = make_limit(company=head, binds="CONTACT", contact=contact)
    ContactAssignment.objects.get(contact=contact).delete()

    limit.is_active = False
    limit.full_clean()
    limit.contact = make_contact()
    with pytest.raises(ValidationError) as refused:
        limit.full_clean()

    assert refused.value.error_dict["contact"][0].code == "not_in_hierarchy"


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        ({}, True),
        ({"amount": Decimal(7)}, True),
        ({"amount": None, "unlimited": True}, True),
        ({"currency": "USD"}, False),
        ({"scope": "COMPANY"}, False),
        ({"on_exceed": "WARN"}, False),
        ({"roles": ["BUYER", "ADMIN"]}, True),
        ({"roles": ["BUYER"]}, False),
        ({"binds": "ALL", "roles": []}, False),
    ],
)
def test_two_equal_limits_are_refused(other: dict[str, Any], equal: bool) -> None:
    company = make_company()
    roles = {"binds": "ROLES", "roles": ["ADMIN", "BUYER"]}
    make_limit(company=company, **roles)
    second = unsaved(company=company, **roles | other)

    if not equal:
        second.full_clean()
        second.save()
        return
    with pytest.raises(ValidationError) as refused:
        second.full_clean()
    assert [e.code for e in refused.value.error_dict["__all__"]] == ["equal_limit"]
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()


def test_a_contact_has_one_limit_of_a_kind_in_a_company() -> None:
    company = make_company()
    named = {"binds": "CONTACT", "contact": person(company)}
    make_limit(company=company, **named)

    with pytest.raises(ValidationError) as refused:
        unsaved(company=company, **named).full_clean()
    unsaved(company=company, binds="CONTACT", contact=person(company)).full_clean()

    assert [e.code for e in refused.value.error_dict["__all__"]] == ["equal_limit"]


def test_a_limit_stays_with_its_company() -> None:
    limit = make_limit()
    limit.company = make_company()

    with pytest.raises(ValidationError) as refused:
        limit.full_clean()

    assert refused.value.error_dict["company"][0].code == "read_only"


def test_every_change_has_a_version_an_entry_and_an_event() -> None:
    limit = make_limit()
    stale = PurchaseLimit.objects.get(pk=limit.pk)
    limit.amount = Decimal(5)

    limit.by(Actor.client(3), "crisis").save()

    assert limit.version == 2
    entry = limit.history.first()
    assert (entry.amount, entry.history_user_id, entry.history_change_reason) == (
        5,
        "client:3",
        "crisis",
    )
    event = Event.objects.last()
    assert (event.type, event.stream) == ("purchase_limit.updated", limit.company_id)
    with pytest.raises(StaleVersion):
        stale.save()


def test_limits_come_from_the_head_company_down() -> None:
    head = make_company()
    middle = make_company(parent=head)
    leaf = make_company(parent=middle)
    own = make_limit(company=leaf, scope="COMPANY")
    reaching = make_limit(company=middle)
    of_head = make_limit(company=head)
    make_limit(company=head, scope="COMPANY")
    make_limit(company=make_company(parent=middle))
    second = make_limit(company=head, currency="USD")

    found = PurchaseLimit.objects.binding(leaf)

    assert list(found) == [of_head, second, reaching, own]
    assert [limit.depth for limit in found] == [0, 0, 1, 2]


def test_a_client_sees_limits_of_its_hierarchies_only() -> None:
    ours, theirs = make_limit(), make_limit()

    some = make_client(hierarchies=(ours.company,))
    none, all_ = make_client(), make_client(sees_all=True)

    visible = PurchaseLimit.objects.visible_to
    assert list(visible(some)) == [ours]
    assert list(visible(none)) == []
    assert set(visible(all_)) == {ours, theirs}


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"time_zone": "Mars/Phobos"}, "time_zone", "unknown_time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "unknown_time_zone"),
        ({"alert_percents": [101]}, "alert_percents", "percents"),
        ({"alert_percents": [0]}, "alert_percents", "percents"),
        ({"alert_percents": [-1]}, "alert_percents", "percents"),
        ({"alert_percents": [True]}, "alert_percents", "percents"),
        ({"alert_percents": ["80"]}, "alert_percents", "percents"),
        ({"alert_percents": 80}, "alert_percents", "percents"),
        (
            {"alert_percents": [80], "period": "PURCHASE"},
            "alert_percents",
            "percents_without_period",
        ),
    ],
)
def test_a_wrong_limit_of_a_period_is_refused_at_its_field(
    fields: dict[str, Any], place: str, code: str
) -> None:
    limit = unsaved(**{"period": "MONTH"} | fields)

    with pytest.raises(ValidationError) as refused:
        limit.full_clean()

    assert [error.code for error in refused.value.error_dict[place]] == [code]


def used_limit() -> PurchaseLimit:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH")
    submit(world.sub, world.buyer)
    return limit


def test_a_used_limit_is_not_deleted_by_the_api(api: APIClient) -> None:
    limit = used_limit()
    events = Event.objects.count()
    path = f"/api/v1/purchase-limits/{limit.pk}/"

    answer = api.delete(path, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert Event.objects.count() == events
    assert api.get(path).json()["version"] == 1
    ended = api.patch(path, {"is_active": False}, headers={"If-Match": '"1"'})
    assert (ended.status_code, ended.json()["is_active"]) == (200, False)


def test_a_used_limit_is_not_deleted_by_staff() -> None:
    limit = used_limit()
    path = f"/admin/approvals/purchaselimit/{limit.pk}/delete/"

    asked = superuser().get(path)
    answer = superuser().post(path, {"post": "yes"}, follow=True)

    assert "ledger entr" in asked.content.decode().lower()
    assert answer.status_code in (200, 403)
    assert PurchaseLimit.objects.filter(pk=limit.pk).exists()


def test_a_limit_that_was_never_used_is_deleted() -> None:
    limit = make_limit(period="MONTH")

    limit.delete()

    assert not PurchaseLimit.objects.exists()
    assert Event.objects.last().type == "purchase_limit.deleted"
