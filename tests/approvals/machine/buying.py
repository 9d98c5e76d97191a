"""Somebody wants to buy, others decide, and it is bought."""

from collections.abc import Sequence
from typing import Any

from tests.approvals.machine.caller import Caller
from tests.approvals.machine.purchases import Answer, Refusal, Request, Step
from tests.approvals.machine.world import text

REFERENCES = [f"cart-{number}" for number in range(6)]


class Buying(Caller):
    """Purchases of people, around every border."""

    # Somebody wants to buy

    def wish(self) -> dict[str, Any]:
        model = self.model
        deeper = [pk for pk in model.companies for _ in model.path(pk)]
        company = self.pick(deeper)
        bound = sorted(model.holding(company, ["BUYER", "REQUESTER"]))
        admins = sorted(model.holding(company, ["ADMIN"]))
        person = self.pick([*bound * 40, *admins * 15, *model.active])
        currency = self.pick(["EUR"] * 8 + ["JPY"])
        return {
            "company": company,
            "requester": person,
            "kind": self.pick(["CART", "ORDER"]),
            "currency": currency,
            "amount": self.pick(self.borders(company, currency)),
        }

    def borders(
        self, company: int, currency: str, without: Request | None = None
    ) -> Sequence[int]:
        """Amounts at which the answer might turn, and one unit around each."""
        model = self.model
        path = model.path(company)
        edges = [100]
        for pk in model.reaching(company):
            left = model.left(pk, self.now, without)
            if model.limits[pk].currency == currency and left is not None:
                edges += [left, left, left, left // 2, left // 5, left * 2]
        edges += [
            rule.amount_from
            for rule in model.rules.values()
            if rule.company in path and rule.currency == currency and rule.amount_from
        ]
        around = (edge + step for edge in edges for step in (-1, 0, 1))
        return sorted(amount for amount in around if amount > 0)

    def predict(self, wish: dict[str, Any], without: Request | None = None) -> Answer:
        named = ("company", "requester", "amount", "currency", "kind")
        return self.model.answer(*(wish[name] for name in named), self.now, without)

    def body(self, wish: dict[str, Any]) -> dict[str, Any]:
        amount = text(wish["amount"], wish["currency"])
        return {
            "company": wish["company"],
            "requester": wish["requester"],
            "kind": wish["kind"],
            "money": {"amount": amount, "currency": wish["currency"]},
        }

    def is_answer(self, told: Any, answer: Answer, wish: dict[str, Any]) -> None:
        """The decision, each reason, and the steps with those who could act in them."""
        assert told["outcome"] == answer.outcome
        reasons = [
            (reason["code"], (reason["limit"] or reason["rule"] or {"id": None})["id"])
            for reason in told["reasons"]
        ]
        assert reasons == answer.reasons
        out = {wish["requester"]}
        assert [self.shown(step) for step in told["steps"]] == [
            self.step(wish["company"], number, step, out)
            for number, step in enumerate(answer.steps, 1)
        ]

    def shown(self, step: Any) -> tuple[Any, ...]:
        people = {approver["contact"] for approver in step["approvers"]}
        named = ("position", "company", "approval_groups", "roles", "quorum")
        return (*(step[name] for name in named), people, step["staff"])

    def step(
        self, company: int, position: int, step: Step, out: set[int], **how: bool
    ) -> tuple[Any, ...]:
        whom = (step.company, list(step.groups), list(step.roles))
        people, staff = self.model.deciders(company, step, out, **how)
        return (position, *whom, step.quorum, people, staff)

    def check(self) -> None:
        wish = self.wish()

        status, told = self.call("post", "purchase-requests/check/", self.body(wish))

        assert status == 200, told
        self.is_answer(told, self.predict(wish), wish)
        limits = told["considered"]["limits"]
        assert {limit["id"]: limit["remaining"] for limit in limits} == {
            pk: None if left is None else text(left, self.model.limits[pk].currency)
            for pk in self.model.reaching(wish["company"])
            for left in [self.model.left(pk, self.now)]
        }

    def submit(self) -> None:
        wish = self.wish()
        often = [f"only-{self.calls}"] * 20
        wish["reference"] = self.pick([*often, *REFERENCES])
        answer = self.predict(wish)
        taken = any(
            request.is_open
            and (request.company, request.kind, request.reference)
            == (wish["company"], wish["kind"], wish["reference"])
            for request in self.model.requests.values()
        )

        body = self.body(wish) | {"reference": wish["reference"]}
        status, told = self.call("post", "purchase-requests/", body)

        if answer.outcome == "BLOCKED":
            assert status == 200, told
        elif taken:
            self.as_predicted(status, told, (409, "open_request_exists"))
            return
        else:
            assert status == 201, told
            self.model.submit(told["id"], wish, answer, self.now)
        self.is_answer(told["decision"], answer, wish)

    def change(self) -> None:
        pk = self.pick_request("PENDING")
        request = self.model.requests[pk]
        edges = self.borders(request.company, request.currency, request)
        amount = self.pick([*edges, request.amount])
        wish = {
            "company": request.company,
            "requester": request.requester,
            "amount": amount,
            "currency": request.currency,
            "kind": request.kind,
        }
        answer = self.predict(wish, request)
        refusal = None
        if request.status != "PENDING":
            refusal = (409, "purchase_request_not_pending")

        body = self.money(amount, request) | {"contact": request.requester}
        done, told = self.act_on(pk, "change", body, refusal)

        if done and answer.outcome != "BLOCKED":
            self.model.change(pk, amount, answer, self.now)
            assert told["status"] == self.model.requests[pk].status
        elif done:
            self.is_answer(told["decision"], answer, wish)

    # Others decide

    def ask_who_can_decide(self) -> None:
        pk = self.pick_request("PENDING")
        request = self.model.requests[pk]

        status, told = self.call("get", f"purchase-requests/{pk}/approvers/")

        assert status == 200, told
        if request.status != "PENDING":
            assert told == {"step": None}
            return
        position = request.steps.index(request.step) + 1
        out = {request.requester, *request.decided}
        assert self.shown(told["step"]) == self.step(
            request.company, position, request.step, out, escalated=request.escalated
        )

    def approve(self) -> None:
        pk, person = self.pick_decision()
        refusal = self.model.refusal_of_decision(pk, person)
        if self.decide(pk, person, "approve", refusal):
            self.model.approve(pk, person, self.now)

    def decline(self) -> None:
        pk, person = self.pick_decision()
        refusal = self.model.refusal_of_decision(pk, person)
        if self.decide(pk, person, "decline", refusal):
            self.model.end(pk, "DECLINED", self.now)

    def withdraw(self) -> None:
        pk = self.pick_request("PENDING")
        requester = self.model.requests[pk].requester
        person = self.pick([*[requester] * 20, *self.model.active])
        refusal = self.model.refusal_of_withdrawal(pk, person)
        if self.decide(pk, person, "withdraw", refusal):
            self.model.end(pk, "WITHDRAWN", self.now)

    def act_on_an_old_version(self) -> None:
        verb = self.pick(["approve", "decline", "withdraw"])
        pk = self.pick_request("PENDING")
        request = self.model.requests[pk]
        refusal = (412, "stale_version")
        if request.status != "PENDING":
            refusal = (409, "purchase_request_not_pending")
        old = request.version - 1 or 7
        self.decide(pk, request.requester, verb, refusal, version=old)

    def pick_decision(self) -> tuple[int, int]:
        pk = self.pick_request("PENDING")
        people: list[int] = []
        if self.model.requests[pk].status == "PENDING":
            people = sorted(self.model.asked_now(pk)[0])
        return pk, self.pick([*people * 8, *self.model.active])

    def decide(
        self,
        pk: int,
        person: int,
        verb: str,
        refusal: Refusal,
        *,
        version: int | None = None,
    ) -> bool:
        return self.act_on(pk, verb, {"contact": person}, refusal, version=version)[0]

    def act_on(
        self,
        pk: int,
        verb: str,
        body: dict[str, Any],
        refusal: Refusal,
        *,
        version: int | None = None,
    ) -> tuple[bool, Any]:
        """Do it on the current version; whether it was done, and the answer."""
        version = version or self.model.requests[pk].version
        path = f"purchase-requests/{pk}/{verb}/"
        status, said = self.call("post", path, body, version=version)
        return self.as_predicted(status, said, refusal), said

    # What is bought

    def parts(self, whole: int) -> list[int]:
        """All of it, all but one unit, one unit, one too many."""
        return [amount for amount in (whole, whole - 1, 1, whole + 1) if amount > 0]

    def order(self) -> None:
        pk = self.pick_request("APPROVED")
        request = self.model.requests[pk]
        amount = self.pick([request.amount, *self.parts(request.amount)])
        body = self.money(amount, request) | {"number": f"SO-{pk}"}
        if self.act_on(pk, "order", body, self.model.refusal_of_order(pk, amount))[0]:
            self.model.order(pk, amount, self.now)

    def cancel(self) -> None:
        pk = self.pick_request("APPROVED")
        approved = self.model.requests[pk].status == "APPROVED"
        refusal = None if approved else (409, "purchase_request_not_approved")
        if self.act_on(pk, "cancel", {"comment": "No."}, refusal)[0]:
            self.model.end(pk, "CANCELLED", self.now)

    def refund(self) -> None:
        pk = self.pick_request("ORDERED")
        request = self.model.requests[pk]
        amount = self.pick(self.parts((request.ordered or 1) - request.refunded))
        refusal = self.model.refusal_of_refund(pk, amount)
        if self.act_on(pk, "refund", self.money(amount, request), refusal)[0]:
            self.model.refund(pk, amount, self.now)

    def money(self, amount: int, request: Request) -> dict[str, Any]:
        currency = request.currency
        return {"money": {"amount": text(amount, currency), "currency": currency}}
