"""What would be decided with a rule that is not saved yet."""

from dataclasses import dataclass, replace

from approvals.drafts import Draft
from approvals.models import PurchaseRequest
from approvals.rules import Decision as Answer
from approvals.rules import Path, Purchase, RuleState
from approvals.situation import read_path, read_situation
from companies.models import Company, Contact
from config.money import Money

from .asking import answer_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A sample purchase, decided by today's rules and with the rule as written."""

    purchase: Purchase
    path: Path
    rule: RuleState | None  # as written; None: it does not count for the company
    today: Answer
    then: Answer

    @property
    def changes(self) -> bool:
        """Whether it would be decided otherwise, or somebody else would be asked."""
        return _essence(self.today) != _essence(self.then)


def _essence(answer: Answer) -> object:
    return answer.outcome, [(step.asked, step.quorum) for step in answer.steps]


def try_rule(
    draft: Draft,
    *,
    company: Company,
    requester: Contact,
    money: Money,
    kind: str = PurchaseRequest.Kind.CART,
) -> Trial:
    """Decide a sample purchase twice, from one reading. No effects."""
    path = read_path(company.pk)
    purchase = Purchase(amount=money.amount, currency=money.currency, kind=kind)
    today = read_situation(path, requester)
    then = replace(today, rules=draft.among(today.rules, path))
    answer, tried = answer_in(then, purchase), draft.state.id
    return Trial(
        purchase=purchase,
        path=path,
        rule=next((rule for rule in answer.rules if rule.id == tried), None),
        today=answer_in(today, purchase),
        then=answer,
    )
