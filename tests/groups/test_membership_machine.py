"""Members of groups against a small model in plain Python, day by day."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from companies.errors import LastAdmin, WouldCloseCycle
from companies.models import Company, Contact, ContactAssignment
from config.actors import SYSTEM
from groups import services
from groups.membership import (
    by_assignment,
    by_hand,
    groups_of,
    members_of,
    with_members_count,
)
from groups.models import CustomerGroup, GroupMember
from tests.factories import make_company, make_contact
from tests.groups.makers import make_group
from tests.guards import assert_integrity

COMPANIES, CONTACTS = 4, 3
KINDS = {"ADMIN": "ADMINS", "BUYER": "BUYERS", "REQUESTER": "REQUESTERS"}
company_numbers = st.integers(0, COMPANIES - 1)
contact_numbers = st.integers(0, CONTACTS - 1)
roles = st.sampled_from(["ADMIN", "BUYER", "REQUESTER", ""])
days = st.one_of(st.none(), st.integers(-2, 2))


@dataclass
class Assigned:
    role: str
    first: date | None
    last: date | None

    def on(self, day: date) -> bool:
        return (self.first or day) <= day <= (self.last or day)


class Membership(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.today = timezone.localdate()
        self.companies = [make_company().pk for _ in range(COMPANIES)]
        self.contacts = [make_contact().pk for _ in range(CONTACTS)]
        self.custom = {
            make_group(company=Company.objects.get(pk=self.companies[0])).pk: 0,
            make_group().pk: None,
        }
        self.parents: dict[int, int | None] = dict.fromkeys(range(COMPANIES))
        self.active = set(range(CONTACTS))
        self.assigned: dict[tuple[int, int], Assigned] = {}
        self.by_hand: set[tuple[int, int]] = set()

    # What the model says

    def head(self, company: int) -> int:
        while (parent := self.parents[company]) is not None:
            company = parent
        return company

    def memberships(self, day: date) -> Iterator[tuple[tuple, int]]:
        """(company, kind) or the id of a custom group, and the contact in it."""
        for (contact, company), assigned in self.assigned.items():
            if contact in self.active and assigned.on(day):
                yield (company, "CONTACTS"), contact
                if assigned.role:
                    yield (company, KINDS[assigned.role]), contact
        for group, contact in self.by_hand:
            company = self.custom[group]
            works = company is None or any(
                who == contact
                and assigned.on(day)
                and self.head(where) == self.head(company)
                for (who, where), assigned in self.assigned.items()
            )
            if contact in self.active and works:
                yield (group,), contact

    def expected(self, day: date) -> list[tuple[int, int]]:
        """The ids of each group and each contact in it."""
        automatic = {
            (self.companies.index(company), kind): pk
            for pk, company, kind in CustomerGroup.objects.automatic().values_list(
                "pk", "company", "kind"
            )
        }
        return [
            (automatic.get(place, place[0]), self.contacts[contact])
            for place, contact in self.memberships(day)
        ]

    # What people do

    def day(self, offset: int | None) -> date | None:
        return None if offset is None else self.today + timedelta(days=offset)

    @rule(contact=contact_numbers, company=company_numbers, role=roles, day=days)
    def assign(self, contact: int, company: int, role: str, day: int | None) -> None:
        if (contact, company) in self.assigned:
            return
        ContactAssignment.objects.create(
            contact_id=self.contacts[contact],
            company_id=self.companies[company],
            role=role,
            valid_from=self.day(day),
        )
        self.assigned[contact, company] = Assigned(role, self.day(day), None)

    @rule(data=st.data(), role=roles, first=days, last=days)
    def change(
        self, data: st.DataObject, role: str, first: int | None, last: int | None
    ) -> None:
        if None not in (first, last) and first > last:
            first, last = last, first
        if not self.assigned:
            return
        place = data.draw(st.sampled_from(sorted(self.assigned)))
        row = self.stored(place)
        row.role, row.valid_from, row.valid_until = (
            role,
            self.day(first),
            self.day(last),
        )
        if self.attempt(row.save):
            self.assigned[place] = Assigned(role, self.day(first), self.day(last))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if not self.assigned:
            return
        place = data.draw(st.sampled_from(sorted(self.assigned)))
        if self.attempt(self.stored(place).delete):
            del self.assigned[place]

    @rule(contact=contact_numbers)
    def switch(self, contact: int) -> None:
        row = Contact.objects.get(pk=self.contacts[contact])
        row.is_active = not row.is_active
        if self.attempt(row.save):
            self.active ^= {contact}

    @rule(company=company_numbers, parent=st.one_of(st.none(), company_numbers))
    def move(self, company: int, parent: int | None) -> None:
        row = Company.objects.get(pk=self.companies[company])
        above = parent
        while above is not None and above != company:
            above = self.parents[above]
        target = None
        if parent is not None:
            target = Company.objects.get(pk=self.companies[parent])
        if above == company:
            with pytest.raises(WouldCloseCycle), transaction.atomic():
                row.move(target)
            return
        row.move(target)
        self.parents[company] = parent

    @rule(contact=contact_numbers, number=st.integers(0, 1))
    def put_in_or_take_out(self, contact: int, number: int) -> None:
        pk = sorted(self.custom)[number]
        group = CustomerGroup.objects.get(pk=pk)
        person = Contact.objects.get(pk=self.contacts[contact])
        if (pk, contact) in self.by_hand:
            services.remove_member(group, person, actor=SYSTEM)
            self.by_hand.remove((pk, contact))
            return
        company = self.custom[pk]
        if company is None or any(
            who == contact and self.head(where) == self.head(company)
            for who, where in self.assigned
        ):
            services.add_member(group, person, actor=SYSTEM)
            self.by_hand.add((pk, contact))

    def stored(self, place: tuple[int, int]) -> ContactAssignment:
        contact, company = place
        return ContactAssignment.objects.get(
            contact=self.contacts[contact], company=self.companies[company]
        )

    def attempt(self, work) -> bool:
        try:
            with transaction.atomic():
                work()
        except LastAdmin:
            return False
        return True

    # What must always hold

    @invariant()
    def memberships_are_what_the_model_says(self) -> None:
        for offset in (-1, 0, 2):
            day = self.today + timedelta(days=offset)
            found = [
                pair
                for rows in (by_assignment(day), by_hand(day))
                for pair in rows.order_by().values_list("group", "contact")
            ]
            assert sorted(found) == sorted(self.expected(day))
        members = Counter(group for group, _contact in self.expected(self.today))
        for group in with_members_count(CustomerGroup.objects.all()):
            assert group.members_count == members[group.pk]

    @rule(data=st.data(), offset=st.integers(-2, 3))
    def ask(self, data: st.DataObject, offset: int) -> None:
        day = self.today + timedelta(days=offset)
        expected = set(self.expected(day))
        group = data.draw(st.sampled_from(list(CustomerGroup.objects.all())))
        rows = members_of(group, on=day).values_list("group", "contact")
        assert set(rows) == {pair for pair in expected if pair[0] == group.pk}
        contact = Contact(pk=data.draw(st.sampled_from(self.contacts)))
        groups = {row["group"] for row in groups_of(contact, on=day)}
        assert groups == {pair[0] for pair in expected if pair[1] == contact.pk}

    @invariant()
    def nothing_is_stored_but_what_was_done_by_hand(self) -> None:
        rows = GroupMember.objects.values_list("group", "contact")
        assert set(rows) == {(g, self.contacts[c]) for g, c in self.by_hand}


def run_machine(*, runs: int, steps: int) -> None:
    class OneRun(Membership):
        def __init__(self) -> None:
            self.block = transaction.atomic()
            self.block.__enter__()
            super().__init__()

        def teardown(self) -> None:
            try:
                assert_integrity()
            finally:
                transaction.set_rollback(True)
                self.block.__exit__(None, None, None)

    run_state_machine_as_test(
        OneRun,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# Each run in a transaction of its own: in one around all of them PostgreSQL would look
# at every row that earlier runs have taken back.
@pytest.mark.django_db(transaction=True)
def test_members_follow_assignments_dates_and_moves():
    run_machine(runs=5, steps=20)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_members_follow_assignments_dates_and_moves_for_2000_steps():
    run_machine(runs=50, steps=40)
