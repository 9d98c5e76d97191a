from typing import Any

import pytest
from django.db import transaction

from companies.errors import PreviewOutdated, WouldCloseCycle
from companies.models import Company
from companies.preview import Standing, as_previewed
from companies.services import (
    move_company,
    preview_move,
    preview_status,
    set_status,
    watching_rights,
)
from companies.signals import rights_changing, standing_asked
from config.actors import SYSTEM
from config.errors import NeedsConfirmation
from tests.factories import make_assignment, make_chain, make_company, make_contact

pytestmark = pytest.mark.django_db


def stored() -> list[Any]:
    return list(Company.objects.order_by("pk").values_list("pk", "parent", "version"))


def test_a_preview_of_a_move_says_what_would_change_and_changes_nothing() -> None:
    head, middle, low = make_chain(3)
    boss = make_contact(first_name="Ada", last_name="Example")
    make_assignment(contact=boss, company=head, role="ADMIN", covers_subsidiaries=True)
    before = stored()

    preview = preview_move(middle, None)

    assert stored() == before
    assert preview.sentences() == [
        f"Place, no longer: {head.name}",
        "Place, new: the top: a head company",
        f"People from above, no longer: Ada Example, Admin ({head})",
    ]
    assert [change.topic for change in preview.changes] == ["place", "people"]
    assert low.pk  # moves along


def test_a_preview_of_a_move_into_a_large_hierarchy_says_so(settings) -> None:
    settings.COMPANY_LARGE_HIERARCHY = 4
    head, _middle, _low = make_chain(3)
    small, company = make_company(), make_company()

    into_large, into_small = (preview_move(company, one) for one in (head, small))

    (said,) = [line for line in into_large.sentences() if line.startswith("Hierarchy")]
    assert "4 companies or more" in said
    assert "size" not in [change.topic for change in into_small.changes]


def test_a_preview_asks_all_who_listen_before_and_after_the_change() -> None:
    head, low = make_chain(2)

    def answer(sender: Any, company: int, **kwargs: Any) -> list[Standing]:
        at_the_top = Company.objects.get(pk=company).parent_id is None
        return [Standing("test", "Test", ("top" if at_the_top else "below",))]

    standing_asked.connect(answer)
    try:
        preview = preview_move(low, None)
    finally:
        standing_asked.disconnect(answer)

    assert "Test, no longer: below" in preview.sentences()
    assert "Test, new: top" in preview.sentences()
    assert head.pk


def test_a_preview_refuses_what_the_move_would() -> None:
    head, low = make_chain(2)

    with pytest.raises(WouldCloseCycle):
        preview_move(head, low)


def test_a_preview_of_a_hold_counts_the_companies_that_feel_it() -> None:
    head, *_below = make_chain(3)

    preview = preview_status(head, Company.Status.ON_HOLD)

    assert preview.sentences() == [
        "Companies by status, no longer: Active: 3",
        "Companies by status, new: On hold: 3",
    ]
    assert Company.objects.get(pk=head.pk).status == "ACTIVE"


def test_a_move_does_what_was_previewed() -> None:
    _head, low = make_chain(2)
    preview = preview_move(low, None)

    moved = move_company(low, None, actor=SYSTEM, previewed=preview.token)

    assert moved.parent_id is None


def test_a_move_is_refused_if_something_has_changed_since_the_preview() -> None:
    head, low = make_chain(2)
    preview = preview_move(low, None)
    make_assignment(company=head, role="ADMIN", covers_subsidiaries=True)
    before = stored()

    with pytest.raises(PreviewOutdated):
        move_company(low, None, actor=SYSTEM, previewed=preview.token)

    assert stored() == before


@pytest.mark.parametrize("token", ["another company's", "another place's", "garbage"])
def test_a_token_of_something_else_is_refused(token: str) -> None:
    _head, low = make_chain(2)
    other_head, other = make_chain(2)
    tokens = {
        "another company's": preview_move(other, None).token,
        "another place's": preview_move(low, other_head).token,
        "garbage": "x" * 60,
    }

    with pytest.raises(PreviewOutdated):
        move_company(low, None, actor=SYSTEM, previewed=tokens[token])

    assert Company.objects.get(pk=low.pk).parent_id is not None


def test_a_hold_is_refused_if_something_has_changed_since_the_preview() -> None:
    head = make_company()
    preview = preview_status(head, Company.Status.ON_HOLD)
    make_company(parent=head)

    with pytest.raises(PreviewOutdated):
        set_status(
            Company.objects.get(pk=head.pk),
            Company.Status.ON_HOLD,
            actor=SYSTEM,
            reason="unpaid",
            previewed=preview.token,
        )

    assert Company.objects.get(pk=head.pk).status == "ACTIVE"


def test_without_a_token_nothing_is_compared(django_assert_num_queries: Any) -> None:
    company = make_company()

    with django_assert_num_queries(0), as_previewed(company, "move", ""):
        pass


def test_who_relies_on_rights_may_refuse_their_end_unless_it_is_confirmed() -> None:
    contact = make_contact()
    asked = []

    def watch(sender: Any, **about: Any) -> Any:
        asked.append(about["contact"])

        def refuse() -> None:
            raise NeedsConfirmation

        return refuse

    def deactivate(*, confirm: bool) -> None:
        with (
            transaction.atomic(),
            watching_rights(contact=contact.pk, confirm=confirm),
        ):
            type(contact).objects.filter(pk=contact.pk).update(is_active=False)

    rights_changing.connect(watch)
    try:
        with pytest.raises(NeedsConfirmation):
            deactivate(confirm=False)
        contact.refresh_from_db()
        assert contact.is_active
        deactivate(confirm=True)
    finally:
        rights_changing.disconnect(watch)

    contact.refresh_from_db()
    assert not contact.is_active
    assert asked == [contact.pk]
