"""Sellers and companies set limits, groups and rules."""

import copy
from typing import Any

from tests.approvals.machine.caller import Caller
from tests.approvals.machine.purchases import Limit, Refusal, Rule
from tests.approvals.machine.world import text

CAPS = [1000, 2500, 900, 1001, 100, 1, 0]


class Ruling(Caller):
    """What purchases are checked against."""

    # Limits

    def set_limit(self) -> None:
        binds = self.pick(["ALL"] * 4 + ["ROLES"] * 2 + ["CONTACT"])
        limit = Limit(
            company=self.pick(self.model.companies),
            cap=self.pick([*CAPS[:4] * 3, *CAPS, None]),
            currency=self.pick(["EUR"] * 8 + ["JPY"]),
            period=self.pick(["MONTH"] * 3 + ["PURCHASE", "DAY"]),
            scope=self.pick(["HIERARCHY"] * 3 + ["COMPANY"]),
            binds=binds,
            on_exceed=self.pick(["APPROVE"] * 2 + ["WARN", "BLOCK"]),
        )
        if binds == "ROLES":
            limit.roles = self.pick([("BUYER",), ("ADMIN", "REQUESTER")])
        elif binds == "CONTACT":
            limit.contact = self.pick(self.model.active)
        body = {
            "company": limit.company,
            "currency": limit.currency,
            "period": limit.period,
            "scope": limit.scope,
            "binds": binds,
            "roles": list(limit.roles),
            "contact": limit.contact,
            "on_exceed": limit.on_exceed,
        } | self.cap(limit.cap, limit.currency)

        status, said = self.call("post", "purchase-limits/", body)

        if self.as_predicted(status, said, self.refusal_of_limit(limit)):
            self.model.limits[said["id"]] = limit

    def cap(self, cap: int | None, currency: str) -> dict[str, Any]:
        if cap is None:
            return {"amount": None, "unlimited": True}
        return {"amount": text(cap, currency), "unlimited": False}

    def refusal_of_limit(self, limit: Limit, pk: int | None = None) -> Refusal:
        model = self.model
        new = pk is None and limit.contact is not None
        if new and not model.is_in_hierarchy(limit.contact, limit.company):
            return 400, "not_in_hierarchy"
        others = [one for key, one in model.limits.items() if key != pk and one.active]
        if limit.active and limit.likeness in [one.likeness for one in others]:
            return 400, "equal_limit"
        return None

    def change_limit(self) -> None:
        pk = self.pick(self.model.limits)
        limit = copy.copy(self.model.limits[pk])
        what = self.pick(["amount", "amount", "amount", "active", "period", "to"])
        body: dict[str, Any] = {}
        match what:
            case "amount":
                current = limit.cap or 0
                limit.cap = self.pick([*CAPS, current + 1, max(current - 1, 0), None])
                body = self.cap(limit.cap, limit.currency)
            case "active":
                limit.active = not limit.active
                body = {"is_active": limit.active}
            case "period":
                limit.period = self.pick(["PURCHASE", "DAY", "MONTH"])
                body = {"period": limit.period}
            case "to":
                limit.on_exceed = self.pick(["APPROVE", "BLOCK", "WARN"])
                body = {"on_exceed": limit.on_exceed}
        refusal = self.refusal_of_limit(limit, pk)
        if self.write("patch", "purchase-limits", pk, body, refusal):
            self.model.limits[pk] = limit

    def delete_limit(self) -> None:
        pk = self.pick(self.model.limits)
        refusal = (409, "in_use") if self.model.limits[pk].was_used else None
        if self.write("delete", "purchase-limits", pk, None, refusal):
            del self.model.limits[pk]

    # Approval groups and rules

    def make_group(self) -> None:
        company = self.pick(self.model.companies)
        members = self.members(company)
        body = {"company": company, "name": "Approvers", "members": sorted(members)}

        status, said = self.call("post", "approval-groups/", body)

        assert status == 201, said
        self.model.groups[said["id"]] = (company, members)
        self.versions["approval-groups", said["id"]] = said["version"]

    def members(self, company: int) -> set[int]:
        known = [
            person
            for person in self.model.active
            if self.model.is_in_hierarchy(person, company)
        ]
        return set(
            self.random.sample(known, min(len(known), self.random.randint(0, 3)))
        )

    def change_members(self) -> None:
        pk = self.pick(self.model.groups)
        company, _members = self.model.groups[pk]
        members = self.members(company)
        body = {"members": sorted(members)}
        if self.write("patch", "approval-groups", pk, body, None):
            self.model.groups[pk] = (company, members)

    def delete_group(self) -> None:
        pk = self.pick(self.model.groups)
        asked = {step[0] for rule in self.model.rules.values() for step in rule.steps}
        refusal = (409, "in_use") if pk in asked else None
        if self.write("delete", "approval-groups", pk, None, refusal):
            del self.model.groups[pk]

    def make_rule(self) -> None:
        currency = self.pick(["", "EUR"])
        company = self.pick(self.model.companies)
        steps = []
        for _ in range(self.pick([1, 1, 2])):
            group = self.pick([None, *self.model.groups])
            role = "" if group else self.pick(["ADMIN", "BUYER"])
            steps.append((group, role, self.pick([1, 1, 2])))
        rule = Rule(
            company=company,
            covers=self.pick([True, False]),
            amount_from=self.pick([None, 0, 600]) if currency else None,
            currency=currency,
            roles=tuple(self.pick([[], ["BUYER"], ["ADMIN", "REQUESTER"]])),
            kinds=tuple(self.pick([[], ["CART"]])),
            steps=steps,
        )
        amount = rule.amount_from
        body = {
            "company": company,
            "name": "Rule",
            "covers_subsidiaries": rule.covers,
            "amount_from": None if amount is None else text(amount, "EUR"),
            "currency": currency,
            "roles": list(rule.roles),
            "kinds": list(rule.kinds),
            "steps": [
                {"approval_group": group, "role": role, "quorum": quorum}
                for group, role, quorum in steps
            ],
        }

        status, said = self.call("post", "approval-rules/", body)

        if self.as_predicted(status, said, self.refusal_of_rule(rule)):
            self.model.rules[said["id"]] = rule

    def refusal_of_rule(self, rule: Rule) -> Refusal:
        path = self.model.path(rule.company)
        for group, _role, quorum in rule.steps:
            if group is not None and self.model.groups[group][0] not in path:
                return 400, "group_not_on_path"
            members = self.model.members([group] if group else [], rule.company)
            if group is not None and quorum > len(members):
                return 400, "quorum_too_high"
        return None

    def switch_rule(self) -> None:
        pk = self.pick(self.model.rules)
        rule = self.model.rules[pk]
        body = {"is_active": not rule.active}
        if self.write("patch", "approval-rules", pk, body, None):
            rule.active = not rule.active

    def delete_rule(self) -> None:
        pk = self.pick(self.model.rules)
        if self.write("delete", "approval-rules", pk, None, None):
            del self.model.rules[pk]
