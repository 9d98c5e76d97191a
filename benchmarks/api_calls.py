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
        self.numbers = iter(range(time.time_ns() // 1_000, 10**18))
        rows = Company.objects.order_by("pk").values_list("pk", flat=True)
        self.companies, self.heads = list(rows), list(rows.heads())
        # Each but once: nobody else has changed its version, or is assigned there.
        self.once = iter(self.chance.sample(self.companies, len(self.companies)))
        contacts = Contact.objects.order_by("-pk").values_list("pk", flat=True)
        self.contacts = contacts.iterator()
        taken = ContactAssignment.objects.values_list("contact", "company")
        self.taken = set(taken.iterator())
        buyers = ContactAssignment.objects.filter(role="BUYER").order_by("pk")
        # Half of them: the others are assigned elsewhere meanwhile.
        most = min(len(buyers) // 2, 10_000)
        self.buyers = list(buyers.values_list("contact", "company")[:most])
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
            "people": self.people,
            "pricing": self.pricing,
            "create": self.create,
            "patch": self.patch,
            "bulk": self.bulk,
            "assign": self.assign,
            "check": self.check,
            "submit": self.submit,
        }

    @property
    def naive(self) -> dict[str, Callable[[], Call]]:
        """The same of an ordinary DRF program, as far as it has it (api_naive.py)."""
        some = self.chance.choice
        pages = range(1, len(self.pages) + 1)
        return {
            "get": lambda: self._naive(f"companies/{some(self.companies)}/"),
            "list": lambda: self._naive(f"companies/?page={some(pages)}"),
            "list, count": lambda: self._naive(f"companies/?page={some(pages)}"),
            "search": lambda: self._naive(f"companies/?search={quote(self._words())}"),
            "deep page": lambda: self._naive(
                f"companies/?ordering=name&page={self.offset // 50 + 1}"
            ),
            "descendants": lambda: self._naive(
                f"companies/{some(self.heads)}/descendants/"
            ),
            "people": lambda: self._naive(f"companies/{some(self.companies)}/people/"),
            "create": lambda: self._naive("companies/", self._new_company()),
            "patch": lambda: self._naive(
                f"companies/{next(self.once)}/",
                {"name": f"Other {next(self.numbers)}"},
                "PATCH",
            ),
            "assign": lambda: self._naive(
                "contact-assignments/", self._new_assignment()
            ),
        }

    def get(self) -> Pair:
        pk = self.chance.choice(self.companies)
        return self._get(f"companies/{pk}/"), bare(f"get?id={pk}")

    def one_page(self) -> Pair:
        path, last = self.chance.choice(self.pages)
        return self._get(path), bare(f"list?after={last}")

    def page_with_count(self) -> Pair:
        path, last = self.chance.choice(self.pages)
        return self._get(f"{path}&count=true"), bare(f"counted?after={last}")

    def search(self) -> Pair:
        words = self._words()
        first, second = [quote(f"%{w.replace('ü', 'u')}%") for w in words.split()]
        return (
            self._get(f"companies/?q={quote(words)}"),
            bare(f"search?first={first}&second={second}"),
        )

    def deep_page(self) -> Pair:
        return self._get(self.deep), bare(f"deep?offset={self.offset}")

    def descendants(self) -> Pair:
        pk = self.chance.choice(self.heads)
        return self._get(f"companies/{pk}/descendants/"), bare(f"descendants?id={pk}")

    def people(self) -> Pair:
        pk = self.chance.choice(self.companies)
        return self._get(f"companies/{pk}/people/"), bare(f"people?id={pk}")

    def pricing(self) -> Pair:
        contact, company = self.chance.choice(self.buyers)
        query = f"contact={contact}&company={company}"
        return self._get(f"pricing-context/?{query}"), bare(f"pricing?{query}")

    def create(self) -> Pair:
        ours, its = self._new_company(), self._new_company()
        return self._post("companies/", ours), bare("create", its)

    def patch(self) -> Pair:
        ours, its = next(self.once), next(self.once)
        version = Company.objects.values_list("version", flat=True).get(pk=ours)
        body = {"name": f"Other {next(self.numbers)}"}
        headers = self.sent | {"If-Match": f'"{version}"'}
        return (
            Call("PATCH", f"/api/v1/companies/{ours}/", body, headers),
            bare("patch", body | {"id": its}),
        )

    def bulk(self) -> Pair:
        """A thousand new companies, in hierarchies of twenty."""

        def body(*, below: bool) -> dict[str, Any]:
            numbers = [next(self.numbers) for _ in range(1_000)]
            companies = [{"code": f"n-{n}", "name": f"New {n}"} for n in numbers]
            for place in range(1_000) if below else ():
                if place % 20:
                    head = companies[place - place % 20]
                    companies[place]["parent_code"] = head["code"]
            return {"companies": companies}

        return (
            self._post("companies/bulk/", body(below=True)),
            bare("bulk", body(below=False)),
        )

    def assign(self) -> Pair:
        ours, its = self._new_assignment(), self._new_assignment()
        return self._post("contact-assignments/", ours), bare("assign", its)

    def check(self) -> Pair:
        requester, company = self.chance.choice(self.buyers)
        body = {"company": company, "requester": requester}
        money = {"amount": "249.90", "currency": "EUR"}
        return (
            self._post("purchase-requests/check/", body | {"money": money}),
            bare("check", body | money),
        )

    def submit(self) -> Pair:
        def body() -> dict[str, Any]:
            requester, company = self.chance.choice(self.buyers)
            reference = f"cart-{next(self.numbers)}"
            return {"company": company, "requester": requester, "reference": reference}

        money, ours, its = {"amount": "2.90", "currency": "EUR"}, body(), body()
        call = self._post("purchase-requests/", ours | {"kind": "CART", "money": money})
        key = {"Idempotency-Key": ours["reference"]}
        return call._replace(headers=call.headers | key), bare("submit", its | money)

    def _words(self) -> str:
        return " ".join(self.chance.choice(WORDS).lower() for _ in range(2))

    def _new_company(self) -> dict[str, Any]:
        number = next(self.numbers)
        parent = self.chance.choice(self.heads)
        return {"name": f"New {number}", "code": f"n-{number}", "parent": parent}

    def _new_assignment(self) -> dict[str, int]:
        pairs = zip(self.contacts, self.once, strict=True)
        pair = next(pair for pair in pairs if pair not in self.taken)
        return {"contact": pair[0], "company": pair[1]}

    def _naive(self, path: str, body: Any = None, method: str = "") -> Call:
        method = method or ("GET" if body is None else "POST")
        return Call(method, f"/api/{path}", body, self.sent)

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


def bare(path: str, body: Any = None) -> Call:
    return Call("GET" if body is None else "POST", f"/{path}", body, {})
