"""Which groups count for a purchase, in which order, and why: pure, over values."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .models import Kind, Mode

# By hand before by role, and the rarer role before the one that everybody has.
ORDER = (Kind.CUSTOM, Kind.ADMINS, Kind.BUYERS, Kind.REQUESTERS, Kind.CONTACTS)


class Way(StrEnum):
    """How somebody comes to be in a group."""

    DIRECT = "direct"
    UPWARD = "upward"
    DOWNWARD = "downward"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Held:
    """The automatic group of a company that an assignment gives."""

    kind: str
    company: int
    assignment: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group that might count; `company` is None across companies."""

    id: int
    kind: str
    company: int | None
    name: str
    code: str
    price_list: str


@dataclass(frozen=True, slots=True)
class Why:
    """By which assignment to which company somebody counts in a group; none by hand."""

    way: Way
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    group: Group
    why: Why


def counting_groups(
    *,
    path: Sequence[int],
    parents: Mapping[int, int | None],
    mode: str,
    held: Collection[Held],
    automatic: Collection[Group],
    by_hand: Collection[Group],
) -> tuple[Counting, ...]:
    """The groups that count for a purchase of the first company of the path, in order.

    `path` leads up to the head company; `parents` has every company that is above one
    of `held`. An automatic group counts if the person holds it, or holds the same one
    of a company below (UPWARD) or above (DOWNWARD); of several reasons the nearest is
    given. `by_hand` are custom groups of the path and across companies that the person
    is in. The nearest company comes first, within one ORDER; groups across companies
    are last.
    """
    steps = {company: number for number, company in enumerate(path)}
    reasons: dict[tuple[int, str], tuple[tuple[int, bool, int], Why]] = {}
    for one in held:
        for company, way, distance in _reach(one, path, steps, parents, mode):
            nearness = (distance, one.company not in steps, one.assignment)
            place, found = (company, one.kind), (nearness, Why(way, one))
            if place not in reasons or nearness < reasons[place][0]:
                reasons[place] = found
    counting = [Counting(group, Why(Way.BY_HAND)) for group in by_hand] + [
        Counting(group, reasons[group.company, group.kind][1])
        for group in automatic
        if (group.company, group.kind) in reasons
    ]
    return tuple(sorted(counting, key=lambda one: _place(one.group, steps)))


def _reach(
    one: Held,
    path: Sequence[int],
    steps: Mapping[int, int],
    parents: Mapping[int, int | None],
    mode: str,
) -> Iterator[tuple[int, Way, int]]:
    """The companies of the path in whose group it counts, how, and over how far."""
    if one.company in steps:
        yield one.company, Way.DIRECT, 0
    if mode == Mode.UPWARD:
        above, distance = parents.get(one.company), 1
        while above is not None:
            if above in steps:
                yield above, Way.UPWARD, distance
            above, distance = parents.get(above), distance + 1
    if mode == Mode.DOWNWARD and one.company in steps:
        place = steps[one.company]
        for number, company in enumerate(path[:place]):
            yield company, Way.DOWNWARD, place - number


def _place(group: Group, steps: Mapping[int, int]) -> tuple[int, int, int]:
    far = len(steps) if group.company is None else steps[group.company]
    return far, ORDER.index(Kind(group.kind)), group.id


def price_lists(counting: Sequence[Counting]) -> dict[str, int]:
    """The price lists in order, each once, with the first group that gives it."""
    found: dict[str, int] = {}
    for one in counting:
        if one.group.price_list:
            found.setdefault(one.group.price_list, one.group.id)
    return found
