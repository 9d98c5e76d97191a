"""The locations of a company on a map: drawn here, asking no other service.

In tenths of a degree, west and north are less, as in static/konzern/countries.svg. Away
from the equator degrees of longitude are shorter; the whole map is squeezed as it is in
its middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians

from companies.models import Company, Location

AT_ONCE = 200  # locations
TURN = 3_600  # around the earth
LEAST, MOST = 400, (3_600, 1_450)  # width at least; width and height at most
MARGIN = 0.12  # of the width and height, on each side
RATIO = 2.2  # width by height
TOP, BOTTOM = -850, 600  # without the poles
MARK, LETTERS = 0.008, 0.016  # the radius of a mark, and its name; of the width
NAMED = 12  # marks; more names would hide each other


@dataclass(frozen=True, slots=True)
class Mark:
    """A location where it is on the map."""

    place: Location
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """Marks, and the part of the earth around them."""

    marks: Sequence[Mark]
    left: float
    top: float
    width: float
    height: float
    squeeze: float

    @property
    def radius(self) -> float:
        return self.width * MARK

    @property
    def letters(self) -> float:
        """The size of names; 0 where there are too many."""
        return self.width * LETTERS if len(self.marks) <= NAMED else 0

    @property
    def lines(self) -> float:
        """The width of borders."""
        return self.width / 900

    @property
    def copies(self) -> tuple[int, ...]:
        """Where the earth begins again: the map may go over 180 degrees."""
        return (-TURN, 0, TURN)


def map_of(company: Company) -> PlaceMap | None:
    """Of its own locations and of those it may use; None if none has coordinates."""
    places = Location.objects.usable_by(company).filter(latitude__isnull=False)
    return draw(list(places.order_by("pk")[:AT_ONCE]))


def draw(places: Sequence[Location]) -> PlaceMap | None:
    if not places:
        return None
    south = [-10 * float(place.latitude) for place in places]
    east = _side_by_side([10 * float(place.longitude) for place in places])
    squeeze = max(cos(radians((min(south) + max(south)) / 20)), 0.2)
    east = [value * squeeze for value in east]
    width = max((max(east) - min(east)) * (1 + 2 * MARGIN), LEAST)
    height = max((max(south) - min(south)) * (1 + 2 * MARGIN), LEAST / RATIO)
    width = min(max(width, height * RATIO), MOST[0] * squeeze)
    height = min(max(height, width / RATIO), MOST[1])
    left = (min(east) + max(east) - width) / 2
    top = (min(south) + max(south) - height) / 2
    top = min(max(top, TOP), BOTTOM - height)
    marks = [Mark(*mark) for mark in zip(places, east, south, strict=True)]
    return PlaceMap(marks, left, top, width, height, squeeze)


def _side_by_side(east: Sequence[float]) -> list[float]:
    """The same longitudes, in the narrowest strip: over 180 degrees where that is less.

    The strip begins behind the widest gap between two of them.
    """
    ordered = sorted(set(east))
    following = [*ordered[1:], ordered[0] + TURN]
    gaps = [after - one for one, after in zip(ordered, following, strict=True)]
    first = ordered[(gaps.index(max(gaps)) + 1) % len(ordered)]
    return [value if value >= first else value + TURN for value in east]
