"""What benchmarks/scale.py measures on: real companies, and copies of them.

Copies keep the structure of their hierarchy. Codes, numbers and the rare words of names
are others in each, so that a search finds about as much as it would among so many real
companies: common words in many names, rare ones in the few of one group.
"""

import csv
import gzip
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path

from stdnum.iso7064 import mod_97_10

HELD = (1_000, 10_000, 100_000)  # companies below one head company, if they fit
PART = 10  # such a hierarchy is at most that part of all
COMMON = 1_500  # words that stay as they are
COLUMNS = (
    "name",
    "legal_name",
    "country",
    "registration_id",
    "registration_agency",
    "lei",
    "tax_id",
)
WORDS = re.compile(r"[^\W\d_]{4,}")

type Row = dict[str, str]
type Hierarchy = list[Row]  # parents first


def read(paths: Iterable[Path]) -> list[Hierarchy]:
    """The hierarchies of all files, the largest first, then without any order."""
    rows: dict[str, Row] = {}
    leis: set[str] = set()
    for path in paths:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["lei"] in leis:  # two registers have the same company
                    row["lei"] = ""
                leis |= {row["lei"]} - {""}
                rows[row["code"]] = row
    below: dict[str, list[Row]] = defaultdict(list)
    for row in rows.values():
        below[row["parent_code"]].append(row)
    hierarchies = []
    for head in below[""]:
        hierarchy = [head]
        for row in hierarchy:  # grows while we walk
            hierarchy += below[row["code"]]
        hierarchies.append(hierarchy)
    random.Random(1).shuffle(hierarchies)
    largest = max(hierarchies, key=len)
    hierarchies.remove(largest)
    return [largest, *hierarchies]


def multiply(real: list[Hierarchy], number: int) -> Iterator[Hierarchy]:
    """So many companies: real ones, then copies; among them some of the sizes HELD."""
    copies = _without_end(real)
    left = number
    held = [size for size in HELD if size * PART <= number]
    left -= sum(held)
    while left:
        hierarchy = next(copies)
        if len(hierarchy) <= left:
            left -= len(hierarchy)
            yield hierarchy
    for size in held:
        head = _head(size)
        whole = [head]
        while len(whole) < size:
            hierarchy = next(copies)
            if len(whole) + len(hierarchy) <= size:
                top = hierarchy[0] | {"parent_code": head["code"]}
                whole += [top, *hierarchy[1:]]
        yield whole


def companies(hierarchies: Iterable[Hierarchy]) -> Iterator:
    """The objects that are loaded."""
    from companies.models import Company

    for hierarchy in hierarchies:
        made: dict[str, Company] = {}
        for row in hierarchy:
            made[row["code"]] = company = Company(
                code=row["code"],
                parent=made.get(row["parent_code"]),
                **{name: row[name] for name in COLUMNS},
            )
            yield company


def _head(size: int) -> Row:
    name = f"Holding of {size:,} companies"
    return dict.fromkeys(COLUMNS, "") | {
        "code": f"holding-{size}",
        "parent_code": "",
        "name": name,
        "country": "NL",
    }


def _without_end(real: list[Hierarchy]) -> Iterator[Hierarchy]:
    yield from real
    names = _Names(real)
    for copy in count(1):
        names.begin(copy)
        for hierarchy in real:
            yield [_copied(row, copy, names) for row in hierarchy]


def _copied(row: Row, copy: int, names: "_Names") -> Row:
    number = row["registration_id"]
    return row | {
        "code": f"{row['code']}-{copy}",
        "parent_code": row["parent_code"] and f"{row['parent_code']}-{copy}",
        "name": names.other(row["name"])[:250],
        "legal_name": names.other(row["legal_name"])[:250],
        "registration_id": _other_digits(number, copy),
        "lei": _other_lei(row["lei"], copy) if row["lei"] else "",
        "tax_id": "",
    }


class _Names:
    """Other names of the same kind: common words stay, rare ones become others.

    In one copy the same word becomes the same word, so a group keeps its common name.
    """

    def __init__(self, real: list[Hierarchy]) -> None:
        words = Counter(
            word.lower()
            for hierarchy in real
            for row in hierarchy
            for word in set(WORDS.findall(row["name"]))
        )
        ranked = [word for word, _times in words.most_common()]
        self.common = frozenset(ranked[:COMMON])
        self.rare = sorted(ranked[COMMON:])

    def begin(self, copy: int) -> None:
        self.chance = random.Random(copy)
        self.made: dict[str, str] = {}

    def other(self, name: str) -> str:
        return WORDS.sub(lambda found: self._word(found[0]), name)

    def _word(self, word: str) -> str:
        low = word.lower()
        if low in self.common:
            return word
        if low not in self.made:
            end = self.chance.choice(self.rare)
            self.made[low] = low[: len(low) // 2] + end[len(end) // 2 :]
        new = self.made[low]
        return new.upper() if word.isupper() else new.capitalize()


def _other_digits(number: str, copy: int) -> str:
    digits = str(int.from_bytes(blake2b(f"{number} {copy}".encode()).digest()))
    others = iter(digits[-len(number) :] if number else "")
    return "".join(next(others) if sign.isdigit() else sign for sign in number)


def _other_lei(lei: str, copy: int) -> str:
    body = f"{copy:04}" + _other_digits(lei[4:18], copy)
    return body + mod_97_10.calc_check_digits(body)
