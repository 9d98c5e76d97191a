"""How large a file may be, checked before and while it is read."""

from dataclasses import dataclass
from typing import Self

from django.conf import settings

MIB = 1024 * 1024
MOST_COLUMNS = 1_000
LONGEST_LINE = 4 * MIB  # characters: what stands between two ends of line
LONGEST_CELL = 32_767  # characters, as in spreadsheets
SMALL = MIB  # below this no ratio of packed to unpacked is suspicious


@dataclass(frozen=True, slots=True)
class Caps:
    """None: no cap, for those who may run commands on the server."""

    size: int | None = None  # bytes of the file
    records: int | None = None
    unpacked: int | None = None  # bytes
    ratio: int | None = None  # unpacked to packed
    seconds: int | None = None

    @classmethod
    def from_settings(cls) -> Self:
        """The caps of imports by API and admin."""
        return cls(
            size=settings.IMPORT_MAX_BYTES,
            records=settings.IMPORT_MAX_RECORDS,
            unpacked=settings.IMPORT_MAX_UNPACKED_BYTES,
            ratio=settings.IMPORT_MAX_RATIO,
            seconds=settings.IMPORT_MAX_SECONDS,
        )
