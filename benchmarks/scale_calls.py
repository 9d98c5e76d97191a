"""What benchmarks/scale.py calls: each kind of work, the same of both programs."""

import random
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from api_calls import Call, Pair, bare
from django.core import signing
from oauth2_provider.models import AccessToken
from scale_data import HELD

from companies.models import Company
from config.api.pagination import SALT
from config.text import fold

SMALL = range(10, 41)  # companies in a hierarchy "of 20"
SEEN = 2_000  # companies by which words are chosen
COMMON = ("gmbh", "limited", "university", "bank", "holding")
RARELY_TOGETHER = (("gmbh", "university"), ("limited", "stiftung"), ("bank", "clinic"))


class Calls:
    """Makes calls; what they name is chosen at random."""

    def __init__(self, token: str) -> None:
        self.sent = {"Authorization": f"Bearer {token}"}
        self.client = AccessToken.objects.latest("pk").application_id
        self.chance = random.Random()
        self.numbers = iter(range(int(time.time() * 1000), 10**15))
        rows = Company.objects.order_by("pk")
        self.count = rows.count()
        self.first, self.last = rows.first().pk, rows.last().pk
        ids = self.chance.sample(range(self.first, self.last), SEEN)
        self.some = list(rows.filter(pk__in=ids))
        names = " ".join(fold(company.name) for company in self.some)
        self.words = re.findall(r"[a-z]{8,}", names)
        self.numbered = [one for one in self.some if one.registration_id]
        heads = rows.heads().with_place()
        small = heads.filter(descendants_count__in=[n - 1 for n in SMALL])
        self.small = list(small.values_list("pk", flat=True)[:200])
        self.largest = heads.filter(descendants_count__range=(2_500, 3_500)).first()
        held = heads.filter(code__in=[f"holding-{size}" for size in HELD])
        self.held = {int(one.code.partition("-")[2]): one.pk for one in held}
        self.is_placed = False  # the hierarchy that is moved, below another one
        self.target = self.small[0]
        middle = rows.order_by("name", "pk")[self.count // 2]
        self.deep_name = [middle.name, middle.pk]
        self.deep_id = (self.first + self.last) // 2

    @property
    def reads(self) -> dict[str, Callable[[], Pair]]:
        return {
            "company by id": self.get,
            "list, first page": self.first_page,
            "list, page in the middle": self.deep_page,
            "list by name, in the middle": self.deep_page_by_name,
            "list with count": self.page_with_count,
            "search: middle of a word": self.middle_of_a_word,
            "search: three words": self.three_words,
            "search: rare word": self.rare_word,
            "search: common word": self.common_word,
            "search: common, rarely together": self.rarely_together,
            "search: two letters": self.two_letters,
            "search: no hit": self.no_hit,
            "search: code": self.search_code,
            "search: register number": self.search_number,
            "filter: code": self.by_code,
            "filter: register number": self.by_number,
            "tree of 2,920": self.tree,
            "descendants of 2,920": self.descendants,
            "descendants of 20": self.few_descendants,
        }

    @property
    def writes(self) -> dict[str, tuple[Callable[[], Pair], int]]:
        """With how many calls there are in a round; the first is not measured."""
        made: dict[str, tuple[Callable[[], Pair], int]] = {
            "move of 1,000": (self.move, 3),
            "insert, hierarchy of 20": (
                lambda: self.insert(self.chance.choice(self.small)),
                8,
            ),
        }
        for size, head in self.held.items():
            made[f"insert, hierarchy of {size:,}"] = (
                lambda head=head: self.insert(head),
                {1_000: 8, 10_000: 4}.get(size, 2),
            )
        return made

    # --- reads

    def get(self) -> Pair:
        pk = self.chance.choice(self.some).pk
        return self._get(f"companies/{pk}/"), bare(f"get?id={pk}")

    def first_page(self) -> Pair:
        return self._get("companies/"), bare("list?after=0")

    def deep_page(self) -> Pair:
        last = self.deep_id + self.chance.randrange(1_000)
        path = f"companies/?cursor={self._cursor([last])}"
        return self._get(path), bare(f"list?after={last}")

    def deep_page_by_name(self) -> Pair:
        cursor = self._cursor(self.deep_name, ("ordering", "name"))
        name, last = self.deep_name
        return (
            self._get(f"companies/?ordering=name&cursor={cursor}"),
            bare(f"by-name?after={last}&name={quote(name)}"),
        )

    def page_with_count(self) -> Pair:
        return self._get("companies/?count=true"), bare("counted?after=0")

    def middle_of_a_word(self) -> Pair:
        word = self.chance.choice(self.words)
        begin = (len(word) - 5) // 2
        return self._search(word[begin : begin + 5])

    def three_words(self) -> Pair:
        while True:
            company = self.chance.choice(self.some)
            words = list(dict.fromkeys(re.findall(r"\w{3,}", fold(company.name))))
            if len(words) >= 3:
                return self._search(*self.chance.sample(words, 3))

    def rare_word(self) -> Pair:
        return self._search(self.chance.choice(self.words))

    def common_word(self) -> Pair:
        return self._search(self.chance.choice(COMMON))

    def rarely_together(self) -> Pair:
        return self._search(*self.chance.choice(RARELY_TOGETHER))

    def two_letters(self) -> Pair:
        return self._search(self.chance.choice(("qz", "xj", "vq", "银行", "大学")))

    def no_hit(self) -> Pair:
        return self._search(f"qx{self.chance.randrange(10**6)}zj")

    def search_code(self) -> Pair:
        return self._search(fold(self.chance.choice(self.some).code))

    def search_number(self) -> Pair:
        return self._search(
            *fold(self.chance.choice(self.numbered).registration_id).split()[:3]
        )

    def by_code(self) -> Pair:
        code = self.chance.choice(self.some).code
        return self._get(f"companies/?code={code}"), bare(f"code?code={code.lower()}")

    def by_number(self) -> Pair:
        number = quote(self.chance.choice(self.numbered).registration_id)
        return (
            self._get(f"companies/?registration_id={number}"),
            bare(f"number?number={number}"),
        )

    def tree(self) -> Pair:
        pk = self.largest.pk
        return self._get(f"companies/{pk}/tree/"), bare(f"tree?id={pk}")

    def descendants(self) -> Pair:
        pk = self.largest.pk
        return self._get(f"companies/{pk}/descendants/"), bare(f"descendants?id={pk}")

    def few_descendants(self) -> Pair:
        pk = self.chance.choice(self.small)
        return self._get(f"companies/{pk}/descendants/"), bare(f"descendants?id={pk}")

    # --- writes

    def move(self) -> Pair:
        """Below a hierarchy of 20, and next time to the top again."""
        pk = self.held[HELD[0]]
        self.is_placed = not self.is_placed
        parent = self.target if self.is_placed else None
        body = {"parent": parent, "reason": "benchmark"}
        work = "move" if self.is_placed else "lift"
        return (
            self._post(f"companies/{pk}/move/", body),
            bare(work, {"id": pk, "parent": parent}),
        )

    def insert(self, head: int) -> Pair:
        """Below any company of the hierarchy."""
        parent = Company.objects.filter(tree_id=head).order_by("?").first()
        number = next(self.numbers)
        body = {"name": f"New {number}", "code": f"n-{number}", "parent": parent.pk}
        return self._post("companies/", body), bare("create", body)

    # --- what they are made of

    def _search(self, *words: str) -> Pair:
        asked = urlencode({f"word{n}": f"%{word}%" for n, word in enumerate(words)})
        return (
            self._get(f"companies/?q={quote(' '.join(words))}"),
            bare(f"search{len(words)}?{asked}"),
        )

    def _cursor(self, position: list[Any], *asked: tuple[str, str]) -> str:
        """As the API would sign it, without turning ten thousand pages."""
        salt = f"{SALT}:{self.client}:/api/v1/companies/:{sorted(asked)!r}"
        return quote(signing.dumps([False, False, position], salt=salt))

    def _get(self, path: str) -> Call:
        return Call("GET", f"/api/v1/{path}", None, self.sent)

    def _post(self, path: str, body: Any) -> Call:
        return Call("POST", f"/api/v1/{path}", body, self.sent)
