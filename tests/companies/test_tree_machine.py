"""The tree against a dict of parents, with objects as stale as they may get."""

from typing import Any

import pytest
from django.db import transaction
from django.db.models import ProtectedError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from companies.errors import ParentClosed, ParentGone, TooDeep, WouldCloseCycle
from companies.models import Company
from companies.tree.check import find_tree_faults
from config.errors import StaleVersion
from tests.factories import make_company

DEPTH = 5


class Tree(RuleBasedStateMachine):
    """Every handle is an object that was read some time ago."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.parents: dict[int, int | None] = {}
        self.versions: dict[int, int] = {}
        self.closed: set[int] = set()

    # What the dict of parents says

    def path(self, pk: int) -> list[int]:
        path = [pk]
        while (parent := self.parents[path[-1]]) is not None:
            path.append(parent)
        return path

    def below(self, pk: int) -> set[int]:
        return {each for each in self.parents if pk in self.path(each)}

    def refusal_of_place(self, parent: int, height: int) -> type[Exception] | None:
        if parent in self.closed:
            return ParentClosed
        if len(self.path(parent)) + 1 + height > DEPTH:
            return TooDeep
        return None

    def refusal_of_move(
        self, company: Company, parent: int | None
    ) -> type[Exception] | None:
        pk = company.pk
        if pk not in self.parents:
            # Only a move looks for the row; another save finds no such version.
            return Company.DoesNotExist
        if parent is not None and parent not in self.parents:
            return ParentGone
        if self.versions[pk] != company.version:
            return StaleVersion
        if parent is None or parent == self.parents[pk]:
            return None
        below = self.below(pk)
        if parent in self.closed:
            return ParentClosed
        if parent in below:
            return WouldCloseCycle
        height = max(len(self.path(each)) for each in below) - len(self.path(pk))
        return self.refusal_of_place(parent, height)

    def attempt(self, work: Any, refusal: type[Exception] | None) -> bool:
        """Do it, and see that it is refused for the predicted reason or not at all."""
        if refusal is None:
            with transaction.atomic():
                work()
            return True
        with pytest.raises(refusal) as refused, transaction.atomic():
            work()
        assert refused.type is refusal
        return False

    # What people do

    @rule(target=handles)
    def create_head(self) -> Company:
        company = make_company()
        self.parents[company.pk], self.versions[company.pk] = None, 1
        return company

    @rule(target=handles, parent=handles)
    def create_subsidiary(self, parent: Company) -> Company:
        refusal = (
            self.refusal_of_place(parent.pk, 0)
            if parent.pk in self.parents
            else ParentGone
        )
        made: list[Company] = []
        if self.attempt(lambda: made.append(make_company(parent=parent)), refusal):
            pk = made[0].pk
            self.parents[pk], self.versions[pk] = parent.pk, 1
            return made[0]
        return parent

    @precondition(lambda self: self.parents)
    @rule(target=handles, data=st.data())
    def read(self, data: st.DataObject) -> Company:
        pk = data.draw(st.sampled_from(sorted(self.parents)))
        return Company.objects.get(pk=pk)

    @rule(company=handles, parent=st.one_of(st.none(), handles))
    def move(self, company: Company, parent: Company | None) -> None:
        parent_pk = parent.pk if parent else None
        was = company._mptt_cached_fields["parent"]
        refusal = self.refusal_of_move(company, parent_pk)
        if parent_pk == was:  # for the object no move, but a save as any other
            refusal = self.refusal_of_save(company)
        if self.attempt(lambda: company.move(parent), refusal):
            self.parents[company.pk] = parent_pk
            self.versions[company.pk] += 1
        else:
            company.parent_id = was

    def refusal_of_save(self, company: Company) -> type[Exception] | None:
        stale = self.versions.get(company.pk) != company.version
        return StaleVersion if stale else None

    @rule(company=handles, everything=st.booleans())
    def rename(self, company: Company, everything: bool) -> None:
        company.name += "!"
        fields = None if everything else ["name"]
        saved = self.attempt(
            lambda: company.save(update_fields=fields), self.refusal_of_save(company)
        )
        if saved:
            self.versions[company.pk] += 1

    @rule(company=handles)
    def close(self, company: Company) -> None:
        refusal = self.refusal_of_save(company)
        if company.pk not in self.parents:
            refusal = Company.DoesNotExist if company.status == "ACTIVE" else refusal
        status, company.status = company.status, "CLOSED"
        if self.attempt(lambda: company.save(update_fields=["status"]), refusal):
            self.versions[company.pk] += 1
            self.closed.add(company.pk)
        else:
            company.status = status

    @rule(company=handles)
    def delete(self, company: Company) -> None:
        pk = company.pk
        refusal = ProtectedError if pk in self.parents.values() else None
        if self.attempt(company.delete, refusal):
            self.parents.pop(pk, None)
            self.versions.pop(pk, None)
            self.closed.discard(pk)
        company.pk = pk  # so that it can be tried again, as a second tab would

    @rule(company=handles)
    def refresh(self, company: Company) -> None:
        if company.pk in self.parents:
            company.refresh_from_db()

    # What must always hold

    @invariant()
    def parents_and_versions_are_as_told(self) -> None:
        rows = Company.objects.order_by().values_list("pk", "parent_id", "version")
        stored = {pk: (parent, version) for pk, parent, version in rows}
        assert stored == {
            pk: (parent, self.versions[pk]) for pk, parent in self.parents.items()
        }

    @invariant()
    def tree_is_sound(self) -> None:
        assert find_tree_faults() == []

    @precondition(lambda self: self.parents)
    @rule(data=st.data())
    def under_and_above_are_what_parents_say(self, data: st.DataObject) -> None:
        pk = data.draw(st.sampled_from(sorted(self.parents)))
        above = Company.objects.above(pk).nearest_first().values_list("pk", flat=True)
        under = Company.objects.under(pk).values_list("pk", flat=True)
        assert list(above) == self.path(pk)
        assert set(under) == self.below(pk)


def run_machine(*, runs: int, steps: int) -> None:
    class OneRun(Tree):
        def __init__(self) -> None:
            super().__init__()
            self.block = transaction.atomic()
            self.block.__enter__()

        def teardown(self) -> None:
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


@pytest.fixture(autouse=True)
def _shallow(settings):
    settings.COMPANY_MAX_DEPTH = DEPTH


@pytest.mark.django_db
def test_the_tree_does_what_a_dict_of_parents_does():
    run_machine(runs=20, steps=30)


@pytest.mark.long
@pytest.mark.django_db
def test_the_tree_does_what_a_dict_of_parents_does_for_6000_steps():
    run_machine(runs=150, steps=60)
