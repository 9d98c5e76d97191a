"""Asks the API for what it must refuse, and looks whether anything happened.

Each refusal: the status expected, a problem document that repeats little of what was
sent, nothing stored. Each acceptance: all lists and the object can still be read.
"""

from typing import Any

from django.db.models import Sum
from rest_framework.test import APIClient

from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from companies.services import erase_contact
from config.actors import SYSTEM
from groups.models import CustomerGroup
from integrations.models import Event
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_link,
    make_location,
)

LEI = "529900T8BM49AURSDO55"
OTHER_LEI = "5493001KJTIIGC8Y1R12"
RECORDED = (Company, Contact, ContactAssignment, CompanyLink, Location)
LISTS = ("companies", "contacts", "contact-assignments", "company-links", "locations")
ECHOED = 100  # characters of what was sent, at most
REPEATED = "x" * (ECHOED + 1)
GOOD = {
    "companies": {"name": "New"},
    "contacts": {"email": "new@example.com"},
    "contact-assignments": {"contact": "<free>", "company": "<sub>"},
    "locations": {"company": "<head>"},
    "company-links": {"company": "<sub>", "other": "<head>", "kind": "OWNS"},
}


class World:
    """A hierarchy, another one, and people; `ids` has their ids by name."""

    def __init__(self, http: APIClient) -> None:
        self.http = http
        head, sub = make_chain(2)
        low = make_company(parent=sub)
        contact = make_contact(email="taken@example.com", external_id="taken")
        other = make_company(code="other")
        Company.objects.filter(pk=head.pk).update(lei=LEI, code="taken")
        self.ids = {
            "head": head.pk,
            "sub": sub.pk,
            "low": low.pk,
            "other": other.pk,
            "closed": make_company(status="CLOSED").pk,
            "contact": contact.pk,
            "free": make_contact().pk,
            "erased": erase_contact(make_contact(), actor=SYSTEM).pk,
            "assignment": make_assignment(contact=contact, company=head).pk,
            "location": make_location(company=head, code="taken").pk,
            "elsewhere": make_location(company=other).pk,
            "link": make_link(company=head, other=sub).pk,
        }

    def filled(self, value: Any) -> Any:
        """The value with each "<name>" replaced by the id of that name."""
        match value:
            case dict():
                return {name: self.filled(inner) for name, inner in value.items()}
            case str() if value[:1] == "<" and value[1:-1] in self.ids:
                return self.ids[value[1:-1]]
        return value

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`path` is behind /api/v1/; "<name>" in it is an id. Bytes go as they are."""
        for name, pk in self.ids.items():
            path = path.replace(f"<{name}>", str(pk))
        url = f"/api/v1/{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = sent.pop("Content-Type", "application/json")
        if isinstance(body, bytes):
            return self.http.generic(method, url, body, kind, headers=sent)
        send = getattr(self.http, method.lower())
        return send(url, self.filled(body), headers=sent)

    def create(self, resource: str, **change: Any) -> Any:
        """A good body with some other fields, sent to be created."""
        return self.ask("POST", f"{resource}/", GOOD[resource] | change)

    def refuses(self, status: int, code: str | None, *call: Any, **headers: str) -> Any:
        """Ask; the answer is this refusal, and nothing happened."""
        before = stored()
        answer = self.ask(*call, **headers)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["request_id"]
        codes = [error["code"] for error in problem.get("errors", ())]
        assert code is None or code in (problem["code"], *codes), problem
        assert REPEATED not in answer.content.decode()
        assert stored() == before
        return answer

    def accepts(self, *call: Any, **headers: str) -> dict[str, Any]:
        """Ask; it is done, and what was stored can be read alone and in lists."""
        answer = self.ask(*call, **headers)
        assert answer.status_code in (200, 201, 204), answer.content
        self.reads_everything()
        if answer.status_code == 204:
            return {}
        found = answer.json()
        resource = call[1].split("/")[0]
        again = self.http.get(f"/api/v1/{resource}/{found['id']}/")
        assert (again.status_code, again.json()) == (200, found)
        return found

    def reads_everything(self) -> None:
        for name in LISTS:
            assert self.http.get(f"/api/v1/{name}/").status_code == 200
        tree = f"/api/v1/companies/{self.ids['head']}/tree/"
        assert self.http.get(tree).status_code in (200, 404)


def stored() -> list[object]:
    """How much there is, and how often it was changed."""
    return [
        *[
            (model.objects.count(), model.objects.aggregate(sum=Sum("version")))
            for model in RECORDED
        ],
        [model.history.count() for model in RECORDED],
        CustomerGroup.objects.count(),
        Event.objects.count(),
    ]
