"""Contact assignments, with the customers they name, as records of people."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from django.utils.translation import gettext as _

from companies.models import Contact, ContactAssignment

from .findings import Findings
from .objects import Node
from .records import Records

Type = ContactAssignment.Type
BATCH = 1_000
COPY = {  # our column, and their field in an assignment's copy of the customer
    "first_name": "name",
    "last_name": "surname",
    "email": "email",
    "phone": "phone",
}
CUSTOMER = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "contactEmail",
    "phone": "contactPhone",
    "language": "preferredLanguage",
}
FIELDS = {
    "external_id": "customer.id",
    "company_code": "legalEntity.id",
    "type": "type",
    **{column: f"customer.{path}" for column, path in COPY.items()},
    "language": "customer.preferredLanguage",
}

type Values = dict[str, str | None]


class People:
    """Who is assigned where: assignments, the people of them, and their roles."""

    def __init__(
        self,
        assignments: dict[str, Node],
        customers: dict[str, Node],
        findings: Findings,
    ) -> None:
        self.customers, self.findings = customers, findings
        self.persons: dict[str, Values] = {}  # by the customer's id
        self.of_assignment: dict[str, str] = {}  # the customer's id
        self.entities_of: dict[str, set[str]] = defaultdict(set)  # of a customer
        self.pairs: list[tuple[Node, str, str]] = []  # with entity and customer
        for node in assignments.values():
            self._read(node)
        for customer in customers.values():
            if customer.name not in self.persons:
                findings.leave_out(customer.kind, "of no legal entity")

    def _read(self, node: Node) -> None:
        # Copies of the entity are not read; of the customer those fields that we have.
        node.seen.add("legalEntity")
        entity, part = node.text("legalEntity.id"), self._part(node)
        customer = part.text("id") if part else None
        for path, value in (("legalEntity.id", entity), ("customer.id", customer)):
            if not value and not node.is_bad():
                node.refuse("required", _("It is empty."), path)
        if part is None or not entity or not customer:
            return
        self.of_assignment[node.name] = customer
        self.entities_of[customer].add(entity)
        self.pairs.append((node, entity, customer))
        copy = {column: part.text(path) for column, path in COPY.items()}
        if customer in self.customers:
            if customer not in self.persons:
                self.persons[customer] = _of_list(self.customers[customer], copy)
            return
        self._compare(node, self.persons.setdefault(customer, copy), copy)

    def _part(self, node: Node) -> Node | None:
        """The customer; in some answers it goes by its former name."""
        name = "customer" if "customer" in node.data else "contact"
        return node.object(name)

    def _compare(self, node: Node, known: Values, copy: Values) -> None:
        for column, value in copy.items():
            if value and known[column] and known[column] != value:
                message = _("Another assignment says otherwise. Give the customers.")
                path = f"customer.{COPY[column]}"
                node.refuse("duplicate_person", message, path)
            known[column] = known[column] or value

    # --- as records

    def records(
        self,
        roles: dict[tuple[str, str], str],
        without: Collection[str],
    ) -> Records:
        """`roles` by entity and customer; `without`: entities that are refused."""
        records = Records(FIELDS)
        self._refuse_unknown()
        for node, entity, customer in self.pairs:
            values = {
                "external_id": customer,
                "company_code": entity,
                "type": self._type(node),
                "role": roles.get((entity, customer)),
                **self.persons[customer],
            }
            listed = self.customers.get(customer)
            is_bad = node.is_bad() or (listed is not None and listed.is_bad())
            if not is_bad and entity not in without:
                records.add(node, values)
        return records

    def _refuse_unknown(self) -> None:
        """Nothing but an id is told, and nobody of that id is stored."""
        bare = {name for name, person in self.persons.items() if not person["email"]}
        known: set[str] = set()
        names = sorted(bare)
        for start in range(0, len(names), BATCH):
            rows = Contact.objects.filter(external_id__in=names[start : start + BATCH])
            known.update(rows.order_by().values_list("external_id", flat=True))
        for node, _entity, customer in self.pairs:
            if customer in bare - known:
                if customer in self.customers:
                    message = _("A person needs an e-mail.")
                    self.customers[customer].refuse("required", message, "contactEmail")
                else:
                    message = _("Nothing says the e-mail of customer %s.") % customer
                    node.refuse("unknown_customer", message, "customer.id")

    def _type(self, node: Node) -> str | None:
        kind, is_primary = node.text("type"), node.flag("primary")
        if kind and kind not in Type.values:
            message = _("Give PRIMARY, BILLING, LOGISTICS or CONTACT.")
            node.refuse("invalid_choice", message, "type")
        if is_primary and kind not in (None, "", Type.PRIMARY):
            self.findings.leave_out(node.kind, f"type {kind} of a primary contact")
        if is_primary:
            return Type.PRIMARY
        return kind or Type.CONTACT


def _of_list(customer: Node, copy: Values) -> Values:
    """As the list of customers has them; what it does not say, as the assignment."""
    values = {column: customer.text(path) for column, path in CUSTOMER.items()}
    login = customer.text("email")
    values["email"] = values["email"] or login
    if login and login != values["email"]:
        customer.findings.leave_out(customer.kind, "email beside contactEmail")
    active, held = customer.flag("active"), customer.flag("onHold")
    if active is not None or held is not None:
        values["is_active"] = "true" if active is not False and not held else "false"
    customer.seen.update({"email", "b2b.legalEntities"})
    return copy | {name: one for name, one in values.items() if one is not None}


def assigned_below(
    entity: str, customer: str, people: People, parents: dict[str, str]
) -> bool:
    """Whether the customer is assigned somewhere below the entity."""
    return any(
        entity in set(_path(start, parents))
        for start in people.entities_of.get(customer, ())
    )


def _path(start: str, parents: dict[str, str]) -> Iterator[str]:
    seen = {start}
    while (start := parents.get(start, "")) and start not in seen:
        seen.add(start)
        yield start
