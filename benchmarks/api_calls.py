"""What benchmarks/api.py calls: each kind of work, the same of both programs."""

import json
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from api_data import WORDS
from django.test import Client

from companies.models import Company, Contact, ContactAssignment


class Call(NamedTuple):
    method: str
    path: str
    body: Any
    headers: dict[str, str]


type Pair = tuple[Call, Call]  # the next call of Konzern, and of the bare function


class Calls:
    """Makes calls; what they name is chosen at random."""

    def __init__(self, token: str) -> None:
        self.sent = {"Authorization": f"Bearer {token}"}
        self.chance = random.Random()
        self.numbers = iter(range(int(time.time() * 1000), 10**15))
        rows = Company.objects.order_by("pk").values_list("pk", flat=True)
        self.companies, self.heads = list(rows), list(rows.heads())
        # Each but once: nobody else has changed its version, or is assigned there.
        self.once = iter(self.chance.sample(self.companies, len(self.companies)))
        contacts = Contact.objects.order_by("-pk").values_list("pk", flat=True)
        self.contacts = contacts.iterator()
        buyers = ContactAssignment.objects.filter(role="BUYER").order_by("pk")
        self.buyers = list(buyers.values_list("contact", "company")[:10_000])
        self.pages = self._pages()
        self.offset = len(self.companies) // 2
        self.deep = self._page_at(self.offset)

    @property
    def works(self) -> dict[str, Callable[[], Pair]]:
        return {
            "get": self.get,
            "list": self.one_page,
            "list, count": self.page_with_count,
            "search": self.search,
            "deep page": self.deep_page,
            "descendants": self.descendants,
            "create": self.create,
            "patch": self.patch,
            "assign": self.assign,
            "check": self.check,
        }

    def get(self) -> Pair:
        pk = self.chance.choice(self.companies)
        return self._get(f"companies/{pk}/"), _bare(f"get?id={pk}")

    def one_page(self) -> Pair:
        path, last = self.chance.choice(self.pages)
        return self._get(path), _bare(f"list?after={last}")

    def page_with_count(self) -> Pair:
        path, last = self.chance.choice(self.pages)
        return self._get(f"{path}&count=true"), _bare(f"counted?after={last}")

    def search(self) -> Pair:
        words = [self.chance.choice(WORDS).lower() for _ in range(2)]
        first, second = [quote(f"%{word.replace('ü', 'u')}%") for word in words]
        return (
            self._get(f"companies/?q={quote(' '.join(words))}"),
            _bare(f"search?first={first}&second={second}"),
        )

    def deep_page(self) -> Pair:
        return self._get(self.deep), _bare(f"deep?offset={self.offset}")

    def descendants(self) -> Pair:
        pk = self.chance.choice(self.heads)
        return self._get(f"companies/{pk}/descendants/"), _bare(f"descendants?id={pk}")

    def create(self) -> Pair:
        def body() -> dict[str, Any]:
            number = next(self.numbers)
            parent = self.chance.choice(self.heads)
            return {"name": f"New {number}", "code": f"n-{number}", "parent": parent}

        return self._post("companies/", body()), _bare("create", body())

    def patch(self) -> Pair:
        ours, its = next(self.once), next(self.once)
        version = Company.objects.values_list("version", flat=True).get(pk=ours)
        body = {"name": f"Other {next(self.numbers)}"}
        headers = self.sent | {"If-Match": f'"{version}"'}
        return (
            Call("PATCH", f"/api/v1/companies/{ours}/", body, headers),
            _bare("patch", body | {"id": its}),
        )

    def assign(self) -> Pair:
        def body() -> dict[str, int]:
            return {"contact": next(self.contacts), "company": next(self.once)}

        return self._post("contact-assignments/", body()), _bare("assign", body())

    def check(self) -> Pair:
        requester, company = self.chance.choice(self.buyers)
        body = {"company": company, "requester": requester}
        money = {"amount": "249.90", "currency": "EUR"}
        return (
            self._post("purchase-requests/check/", body | {"money": money}),
            _bare("check", body | money),
        )

    def _get(self, path: str) -> Call:
        return Call("GET", f"/api/v1/{path}", None, self.sent)

    def _post(self, path: str, body: Any) -> Call:
        return Call("POST", f"/api/v1/{path}", body, self.sent)

    def _after(self, query: str, size: int, cursor: str = "") -> tuple[str, Any]:
        """The cursor of the page after so many companies, and the last of these."""
        query = f"{query}&page_size={size}&fields=id" + (cursor and f"&cursor={cursor}")
        body = in_process(self._get(f"companies/?{query}"))
        (cursor,) = parse_qs(urlsplit(body["next"]).query)["cursor"]
        return quote(cursor), body["results"][-1]["id"]

    def _pages(self) -> list[tuple[str, int]]:
        """Some pages by id: the path of each, and the company that it comes after."""
        pages, cursor = [], ""
        for _ in range(min(40, len(self.companies) // 50 - 1)):
            cursor, last = self._after("", 50, cursor)
            pages.append((f"companies/?cursor={cursor}", last))
        return pages

    def _page_at(self, offset: int) -> str:
        """The path of the page by name that begins there."""
        cursor = ""
        while offset:
            size = min(offset, 200)
            cursor, _last = self._after("ordering=name", size, cursor)
            offset -= size
        return f"companies/?ordering=name&cursor={cursor}"


def in_process(call: Call) -> Any:
    answer = Client().generic(
        call.method,
        call.path,
        b"" if call.body is None else json.dumps(call.body),
        content_type="application/json",
        headers=call.headers | {"Host": "127.0.0.1"},
    )
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def _bare(path: str, body: Any = None) -> Call:
    return Call("GET" if body is None else "POST", f"/{path}", body, {})
