from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from approvals.explanations import Section, explain_answer, explain_request
from approvals.models import PurchaseRequest
from approvals.rules import Purchase
from approvals.services import check_purchase
from companies.models import Company, Contact
from config.commands import KonzernCommand
from config.money import Money


class Command(KonzernCommand):
    help = "Tell why a purchase was decided so, by whom, and what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("request", nargs="?", type=int, metavar="ID")
        what.add_argument(
            "--check",
            nargs=4,
            metavar=("COMPANY", "CONTACT", "AMOUNT", "CURRENCY"),
            help="What would be answered: company by id or code, contact by id or "
            "e-mail. Nothing is stored.",
        )
        parser.add_argument(
            "--kind", choices=PurchaseRequest.Kind.values, default="CART"
        )
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="As of that moment (ISO 8601), by what is known now.",
        )

    def handle(
        self,
        *,
        request: int | None,
        check: list[str] | None,
        kind: str,
        at: str | None,
        **options: Any,
    ) -> None:
        if check is not None:
            self._print(_what_if(*check, kind=kind, at=at))
            return
        if at is not None:
            raise CommandError("--at is for --check: a stored request is as it was.")
        found = PurchaseRequest.objects.filter(pk=request).select_related("company")
        stored = found.first()
        if stored is None:
            raise CommandError(f"There is no purchase request {request}.")
        self._print(explain_request(stored))

    def _print(self, sections: Iterable[Section]) -> None:
        for number, section in enumerate(sections):
            if number:
                self.stdout.write("")
            self.stdout.write(section.title)
            for line in section.lines:
                self.stdout.write(f"  {line}")


def _what_if(
    company: str, contact: str, amount: str, currency: str, *, kind: str, at: str | None
) -> list[Section]:
    try:
        money = Money.parse(amount, currency.upper())
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    if not money.amount:
        raise CommandError("The amount must be more than 0.")
    decision = check_purchase(
        company=_one(company, "company", Company.objects.with_code(company)),
        requester=_one(contact, "contact", Contact.objects.with_email(contact)),
        money=money,
        kind=kind,
        at=_moment(at),
    )
    purchase = Purchase(amount=money.amount, currency=money.currency, kind=kind)
    return explain_answer(decision, purchase)


def _one[M: Model](key: str, what: str, by_key: QuerySet[M]) -> M:
    """By its id, if that is a number of such a row; else by its own key."""
    found = None
    if key.isascii() and key.isdigit() and len(key) < 19:
        found = by_key.model._default_manager.filter(pk=int(key)).first()
    found = found or by_key.first()
    if found is None:
        raise CommandError(f"There is no {what} {key}.")
    return found


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"Not a moment of ISO 8601: {text}")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
