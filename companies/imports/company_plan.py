"""Where the companies of files are to stand, found over files and database together."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import batched

from django.conf import settings
from django.utils.translation import gettext as _

from companies.errors import MergedCompany, ParentClosed, TooDeep, WouldCloseCycle
from companies.models import Company, Location
from companies.models.company import Status
from config.tables.faults import printable

from .company_records import BATCH, PLACE, REGISTERED, CompanyReader, Row
from .duplicates import note_possible_duplicates
from .kinds import Caller
from .plans import Action, Change, Outcome, Plan
from .progress import Progress
from .records import Reading

MOST_ROUNDS = 30
MOST_NAMED = 10  # companies of a cycle
PART = 20_000  # companies that are stored at once


@dataclass(slots=True)
class Work:
    """What to store, in this order; companies come behind their parents.

    `parents` has the key of the parent of all that is created or moved; `stored` the
    primary keys of stored companies by their keys.
    """

    created: list[Row] = field(default_factory=list)
    saved: list[Row] = field(default_factory=list)
    # New locations of stored companies: whether each is their default.
    placed: list[tuple[Row, bool]] = field(default_factory=list)
    readdressed: list[tuple[Row, list[str]]] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)


def plan_companies(reading: Reading, caller: Caller, progress: Progress) -> Plan:
    """Companies are created, changed and moved until they are as the records say.

    What the files do not name, and what they have no column for, stays as it is.
    """
    reader = CompanyReader(caller)
    reader.read(reading, progress)
    planner = _Planner(reader, caller, complete=reading.is_complete)
    return Plan(reader.outcomes, work=planner.plan(progress))


class _Planner:
    def __init__(
        self, reader: CompanyReader, caller: Caller, *, complete: bool
    ) -> None:
        self.reader, self.caller, self.complete = reader, caller, complete
        self.rows = reader.rows

    def plan(self, progress: Progress) -> Work:
        progress.begin("compare")
        told = {row.parent for row in self.rows.values() if row.parent}
        self.reader.find(told - self.reader.asked)
        self.stored = self.reader.stored
        self.keys = {one.pk: key for key, one in self.stored.items()}
        self._refuse_merged()
        self._refuse_double_leis()
        self._refuse_parents()
        self._read_places()
        depths = self._settle()
        good = [row for row in self.rows.values() if not row.outcome.is_refused]
        good.sort(key=lambda row: depths.get(row.key, 0))
        return self._work(good)

    # --- what is known of places; keys of companies beyond the files are their ids

    def _read_places(self) -> None:
        """The parents, up to the head companies, of all that decides about new places.

        Where a company moves, all below it counts for the depth.
        """
        placed = [row for row in self.rows.values() if self._is_placed(row)]
        moved = [self.stored[r.key].pk for r in placed if r.key in self.stored]
        parents = {self.stored[r.parent].pk for r in placed if r.parent in self.stored}
        self.above: dict[int, int | None] = {}
        for rows, pks in (
            (Company.objects.above_any, parents.union(moved)),
            (Company.objects.under_any, moved),
        ):
            for batch in batched(pks, 2 * BATCH):
                found = rows(batch).order_by()
                self.above.update(found.values_list("pk", "parent_id"))

    def _is_placed(self, row: Row) -> bool:
        """Whether the record gives the company another place than it has."""
        stored = self.stored.get(row.key)
        return stored is None or stored.moves_to(row.parent)

    def _parent_of(self, node: str | int) -> str | int | None:
        """Above whom it will stand nobody (None), a stored company or a record.

        A record that is refused leaves its company where it is.
        """
        key = self.keys.get(node) if isinstance(node, int) else node
        row = self.rows.get(key) if key is not None else None
        if row is not None and not row.outcome.is_refused and self._is_placed(row):
            parent = row.parent or None
            return self.stored[parent].pk if parent in self.stored else parent
        if isinstance(node, int):
            return self.above.get(node)
        return self.above.get(self.stored[node].pk) if node in self.stored else None

    def _node(self, key: str) -> str | int:
        return self.stored[key].pk if key in self.stored else key

    # --- what is wrong

    def _refuse_merged(self) -> None:
        """An old code answers with another company; first the merge is taken back."""
        for row in self.rows.values():
            stored = self.stored.get(row.key)
            if stored and stored.is_merged and not row.outcome.is_refused:
                message = MergedCompany.default_message
                row.outcome.refuse(MergedCompany.code, message, "code")

    def _refuse_double_leis(self) -> None:
        claims: dict[str, list[Row]] = {}
        for row in self.rows.values():
            if row.lei and not row.outcome.is_refused:
                claims.setdefault(row.lei, []).append(row)
        self._refuse_stored_leis(claims)
        for lei, rows in claims.items():
            rows = [row for row in rows if not row.outcome.is_refused]
            # Of several only one whose code is the LEI itself is surely right.
            owners = [row for row in rows if row.key == lei.lower()]
            if len(rows) > 1:
                for row in rows:
                    if row not in owners:
                        other = next(r for r in (*owners, *rows) if r is not row)
                        message = _("The LEI of record %s.") % other.outcome.number
                        row.outcome.refuse("duplicate_lei", message, "lei")

    def _refuse_stored_leis(self, claims: dict[str, list[Row]]) -> None:
        for batch in batched(claims, BATCH):
            rows = Company.objects.filter(lei__in=batch).order_by()
            seen = self.caller.sees_company()
            for code, lei, is_seen in rows.values_list("code", "lei", seen):
                others = [r for r in claims[lei] if r.key != code.lower()]
                message = _("The LEI is taken.")
                if is_seen:
                    message = _("The company %s has this LEI.") % code
                for row in others:
                    row.outcome.refuse("duplicate_lei", message, "lei")

    def _refuse_parents(self) -> None:
        for row in self.rows.values():
            if row.outcome.is_refused or not self._is_placed(row):
                continue
            if not row.parent:
                self._refuse_top(row)
                continue
            stored = self.stored.get(row.parent)
            if stored is not None and stored.status == Status.CLOSED:
                message = ParentClosed.default_message
                row.outcome.refuse(ParentClosed.code, message, "parent_code")
            elif stored is None and row.parent not in self.rows:
                self._refuse_unknown(row)
            else:
                self._refuse_move(row)

    def _refuse_move(self, row: Row) -> None:
        """Of a stored company: who moves it sees both its places, and may move."""
        stored = self.stored.get(row.key)
        if stored is None:
            return
        if stored.parent_code is None:
            message = _("You do not see where the company is now.")
            row.outcome.refuse("out_of_sight", message, "parent_code")
        elif not self.caller.may_move:
            message = _("You may not move companies.")
            row.outcome.refuse("forbidden", message, "parent_code")

    def _refuse_top(self, row: Row) -> None:
        if not self.caller.sees_all:
            message = _("Out of what you see: it would be a head company.")
            row.outcome.refuse("out_of_sight", message, "parent_code")
        else:
            self._refuse_move(row)

    def _refuse_unknown(self, row: Row) -> None:
        refused = self.reader.refused.get(row.parent or "")
        if refused is not None:
            self._refuse_below(row, refused)
            return
        message = _("There is no company %s.")
        if not self.complete:
            message = _("No company %s is stored or in a readable record.")
        code = printable(row.parent_code)
        row.outcome.refuse("unknown_parent", message % code, "parent_code")

    def _refuse_below(self, row: Row, parent: Outcome) -> None:
        message = _("Its parent %(code)s, record %(record)s, is refused.") % {
            "code": printable(row.parent_code),
            "record": parent.number,
        }
        row.outcome.refuse("parent_refused", message, "parent_code")

    # --- cycles and depth

    def _settle(self) -> dict[str, int]:
        """Refuse until what is left fits together; how deep each will stand.

        What is refused stays where it is, which may be in the way of others.
        """
        for number in range(MOST_ROUNDS + 2):
            if number == MOST_ROUNDS:
                self._refuse_all_moves()
            depths, refused_any = self._walk()
            if not refused_any:
                break
        return {key: depths[self._node(key)] for key in self.rows}

    def _walk(self) -> tuple[dict[str | int, int], bool]:
        depths: dict[str | int, int] = {}
        cycles: list[list[str | int]] = []
        refused_any = False
        for start in self._starts():
            path: dict[str | int, None] = {}  # with the order of a list
            node: str | int | None = start
            while node is not None and node not in depths and node not in path:
                path[node] = None
                node = self._parent_of(node)
            walked = list(path)
            if node is not None and node in path:
                cycles.append(walked[walked.index(node) :])
                depths.update(dict.fromkeys(walked, 0))  # until the next round
                continue
            depth = depths[node] if node is not None else -1
            for one in reversed(walked):
                depth += 1
                depths[one] = depth
                refused_any |= self._refuse_orphan(one)
                if depth >= settings.COMPANY_MAX_DEPTH:
                    refused_any |= self._refuse_deep(one)
        self._refuse_cycles(cycles)
        return depths, refused_any or bool(cycles)

    def _starts(self) -> Iterator[str | int]:
        yield from (self._node(key) for key in self.rows)
        yield from self.above  # what is below companies that move

    def _row(self, node: str | int) -> Row | None:
        key = self.keys.get(node) if isinstance(node, int) else node
        return self.rows.get(key) if key is not None else None

    def _placed(self, node: str | int) -> Row | None:
        row = self._row(node)
        if row is None or row.outcome.is_refused or not self._is_placed(row):
            return None
        return row

    def _refuse_cycles(self, cycles: list[list[str | int]]) -> None:
        shown = [nodes[:MOST_NAMED] for nodes in cycles]
        codes = self._codes_of({node for nodes in shown for node in nodes})
        for nodes, first in zip(cycles, shown, strict=True):
            names = " → ".join([codes.get(node, "…") for node in first])
            message = _("The company would be below itself: %s.") % names
            for row in filter(None, map(self._placed, nodes)):
                row.outcome.refuse(WouldCloseCycle.code, message, "parent_code")

    def _codes_of(self, nodes: set[str | int]) -> dict[str | int, str]:
        """The codes as files and database have them, of those that the caller sees."""
        codes: dict[str | int, str] = {}
        unknown: list[int] = []
        for node in nodes:
            if isinstance(node, str):
                codes[node] = self._code(node)
            elif node in self.keys:
                codes[node] = self.stored[self.keys[node]].code
            else:
                unknown.append(node)
        for batch in batched(unknown, 2 * BATCH):
            rows = self.caller.sees(Company.objects.filter(pk__in=batch)).order_by()
            codes.update(rows.values_list("pk", "code"))
        return codes

    def _code(self, key: str) -> str:
        if key in self.stored:
            return self.stored[key].code
        row = self.rows.get(key)
        return row.values()["code"] if row and row.new else key

    def _refuse_orphan(self, node: str | int) -> bool:
        """A record below one that is refused, and is not stored, has no place."""
        row = self._placed(node)
        if row is None or not row.parent or row.parent in self.stored:
            return False
        parent = self.rows[row.parent]
        if not parent.outcome.is_refused:
            return False
        self._refuse_below(row, parent.outcome)
        return True

    def _refuse_deep(self, low: str | int) -> bool:
        """The nearest record on the way up that is given a place: it is too low."""
        node: str | int | None = low
        for _step in range(settings.COMPANY_MAX_DEPTH + 1):
            if node is None:
                break
            if row := self._placed(node):
                message = TooDeep.default_message
                row.outcome.refuse(TooDeep.code, message, "parent_code")
                return True
            node = self._parent_of(node)
        return False

    def _refuse_all_moves(self) -> None:
        message = _("These moves are in each other's way. Import them in parts.")
        for row in self.rows.values():
            if row.key in self.stored and self._placed(self._node(row.key)):
                row.outcome.refuse(WouldCloseCycle.code, message, "parent_code")

    # --- what is to be done

    def _work(self, good: list[Row]) -> Work:
        work = Work(stored={key: one.pk for key, one in self.stored.items()})
        for row in good:
            stored = self.stored.get(row.key)
            if stored is None:
                work.created.append(row)
                work.parents[row.key] = row.parent or ""
                continue
            if self._is_placed(row):
                code = self._code(row.parent) if row.parent else ""
                change = Change("parent_code", stored.parent_code or "", code)
                row.outcome.changes = [*row.outcome.changes, change]
                row.outcome.action = Action.MOVE
                row.fields = (*row.fields, "parent")
                work.parents[row.key] = row.parent or ""
            if row.fields:
                work.saved.append(row)
        if len(work.created) > PART:
            self._keep_hierarchies_together(work.created)
        if self.caller.finds_duplicates:
            new = ((row.outcome, row.values()) for row in work.created)
            note_possible_duplicates(new, self.caller)
        self._plan_locations(work, good)
        return work

    def _keep_hierarchies_together(self, created: list[Row]) -> None:
        """They are stored in parts: one that is in two parts is numbered twice."""
        tops: dict[str, str] = {}  # of each its topmost new company
        for row in created:  # parents first
            tops[row.key] = tops.get(row.parent or "", row.parent or row.key)
        ranks = {top: rank for rank, top in enumerate(dict.fromkeys(tops.values()))}
        created.sort(key=lambda row: ranks[tops[row.key]])

    def _plan_locations(self, work: Work, good: list[Row]) -> None:
        addressed = [r for r in good if r.address is not None and r.key in self.stored]
        for batch in batched(addressed, BATCH):
            pks = [self.stored[row.key].pk for row in batch]
            found, with_default = {}, set()
            for location in Location.objects.filter(company__in=pks).order_by():
                found[location.company_id, location.code.lower()] = location
                if location.is_default_billing:
                    with_default.add(location.company_id)
            for row in batch:
                pk = self.stored[row.key].pk
                location = found.get((pk, REGISTERED))
                self._plan_location(work, row, location, has_default=pk in with_default)

    def _plan_location(
        self, work: Work, row: Row, location: Location | None, *, has_default: bool
    ) -> None:
        read = dict(zip(PLACE, row.address or (), strict=True))
        old = {name: getattr(location, name, "") for name in row.addressed}
        changes = [
            Change(name, old[name], read[name])
            for name in row.addressed
            if old[name] != read[name]
        ]
        if location is None:
            work.placed.append((row, not has_default))
        elif changes:
            for change in changes:
                setattr(location, change.field, change.new)
            row.location = location
            work.readdressed.append((row, [change.field for change in changes]))
        else:
            return
        known = {change.field for change in row.outcome.changes}
        row.outcome.changes = [
            *row.outcome.changes,
            *[change for change in changes if change.field not in known],
        ]
        if row.outcome.action == Action.UNCHANGED:
            row.outcome.action = Action.UPDATE
