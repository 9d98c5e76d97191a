"""What the demo tells: real companies, invented people, purchases in several states.

Each step looks for what an earlier run made, so that telling it twice changes nothing.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.crypto import salted_hmac

from approvals import membership, rulebook, services
from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
)
from companies.imports import import_files
from companies.models import Company, Contact, ContactAssignment
from config.actors import SYSTEM, Actor
from config.money import Money
from groups.models import CustomerGroup
from integrations.clients import create_api_client
from integrations.models import ApiClient

DATA = Path(__file__).parent / "data"
GROUP = "NIC-1275216"  # American Express Company: 399 companies on 14 levels
SUBSIDIARY = "NIC-3793536"  # its largest: 221 companies below
OTHER = "NIC-1068191"  # Huntington Bancshares, where nobody can approve
STAFF = "demo"
PASSWORD = "konzern-demo"  # noqa: S105  (of a demo that refuses to run in production)
COLLEAGUES = {  # with that password, too
    "viewer": "Viewer",
    "manager": "Key account manager",
    "controller": "Credit controller",
    "administrator": "Administrator",
}
ERP = "demo ERP"  # with rights of its own
SHOP = "demo shop"  # acts for people, with theirs
ACT = "act"
SCOPES = {
    ERP: " ".join(
        scope for scope in settings.OAUTH2_PROVIDER["SCOPES"] if scope != ACT
    ),
    SHOP: ACT,
}
CURRENCY = "USD"

Role = ContactAssignment.Role
Period = PurchaseLimit.Period


@dataclass(frozen=True, slots=True)
class Credentials:
    """What lets a person, an ERP and a shop in."""

    client_id: str
    client_secret: str
    shop_id: str
    shop_secret: str
    username: str = STAFF
    password: str = PASSWORD


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the head company, one subsidiary, their people, and one elsewhere."""

    head: Company
    subsidiary: Company
    admin: Contact
    buyer: Contact
    requester: Contact
    approver: Contact
    alone: Contact


def tell() -> tuple[Cast, Credentials]:
    """Make all of the demo, or what is missing of it."""
    load_companies()
    credentials = let_in()
    cast = engage_people()
    set_limits(cast)
    name_approvers(cast)
    agree_on_prices(cast)
    buy(cast, credentials)
    return cast, credentials


def is_told() -> bool:
    """Whether an earlier run has begun here."""
    return Company.objects.with_code(GROUP).exists()


def load_companies() -> None:
    if not is_told():
        companies = ("starter_companies.csv", "american_express.csv")
        with transaction.atomic():
            import_files("companies", *[DATA / c for c in companies], actor=SYSTEM)
            locations = DATA / "starter_locations.csv"
            import_files("locations", locations, actor=SYSTEM)


@transaction.atomic
def let_in() -> Credentials:
    """A superuser, a staff user for each role, and two API clients."""
    if not User.objects.filter(username=STAFF).exists():
        User.objects.create_superuser(STAFF, "demo@example.com", PASSWORD)
    for name, role in COLLEAGUES.items():
        if not User.objects.filter(username=name).exists():
            user = User.objects.create_user(
                name, f"{name}@example.com", PASSWORD, is_staff=True
            )
            user.groups.set(Group.objects.filter(name=role))
    return Credentials(*_client(ERP), *_client(SHOP))


def _client(name: str) -> tuple[str, str]:
    """The client's id and its secret, which is the same in every run.

    It is made of this installation's secret key, so that nothing has to keep it.
    """
    digest = salted_hmac("konzern demo", name, algorithm="sha256").digest()
    secret = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    client = ApiClient.objects.filter(name=name).first()
    if client is None:
        client, _unused = create_api_client(
            name, scopes=SCOPES[name], sees_all_hierarchies=True
        )
        client.client_id = hashlib.sha256(name.encode()).hexdigest()[:20]
        client.client_secret = secret
        client.save()
    return client.client_id, secret


@transaction.atomic
def engage_people() -> Cast:
    head, subsidiary, other = (
        Company.objects.with_code(code).get() for code in (GROUP, SUBSIDIARY, OTHER)
    )
    people = {
        "admin": ("Ada", "Example", head, Role.ADMIN, True),
        "approver": ("Grace", "Sample", head, "", False),
        "buyer": ("Ben", "Invented", subsidiary, Role.BUYER, True),
        "requester": ("Rita", "Madeup", subsidiary, Role.REQUESTER, False),
        "alone": ("Nora", "Placeholder", other, Role.REQUESTER, False),
    }
    found = {name: _person(*person) for name, person in people.items()}
    return Cast(head=head, subsidiary=subsidiary, **found)


def _person(
    first: str, last: str, company: Company, role: str, covers_subsidiaries: bool
) -> Contact:
    email = f"{first}.{last}@example.com".lower()
    contact = Contact.objects.with_email(email).first()
    if contact is None:
        contact = Contact(email=email, first_name=first, last_name=last, language="en")
        contact.by(SYSTEM, "demo").full_clean()
        contact.save()
        assignment = ContactAssignment(
            contact=contact,
            company=company,
            role=role,
            covers_subsidiaries=covers_subsidiaries,
        )
        assignment.by(SYSTEM, "demo").full_clean()
        assignment.save()
    return contact


@transaction.atomic
def set_limits(cast: Cast) -> None:
    """50,000 a month for all of the group together; 5,000 at once in one subsidiary."""
    for company, amount, period in (
        (cast.head, "50000", Period.MONTH),
        (cast.subsidiary, "5000", Period.PURCHASE),
    ):
        if not PurchaseLimit.objects.filter(company=company).exists():
            money = Money.parse(amount, CURRENCY)
            limit = PurchaseLimit(
                company=company,
                amount=money.amount,
                currency=money.currency,
                period=period,
            )
            limit.by(SYSTEM, "demo").full_clean()
            limit.save()


@transaction.atomic
def name_approvers(cast: Cast) -> None:
    """A board approves; from 20,000 on an admin has to agree, too."""
    if not ApprovalGroup.objects.filter(company=cast.head).exists():
        membership.create_approval_group(
            company=cast.head,
            name="Procurement board",
            actor=SYSTEM,
            members=[cast.approver],
        )
    if not ApprovalRule.objects.filter(company=cast.head).exists():
        board = ApprovalGroup.objects.filter(company=cast.head).earliest("pk")
        large = Money.parse("20000", CURRENCY)
        rulebook.create_rule(
            company=cast.head,
            name="Large purchases",
            covers_subsidiaries=True,
            amount_from=large.amount,
            currency=large.currency,
            steps=[{"approval_group": board}, {"role": Role.ADMIN}],
            actor=SYSTEM,
        )


@transaction.atomic
def agree_on_prices(cast: Cast) -> None:
    """A price list for everybody in the group, and one for buyers of a subsidiary."""
    for company, kind, price_list in (
        (cast.head, CustomerGroup.Kind.CONTACTS, "GROUP-2026"),
        (cast.subsidiary, CustomerGroup.Kind.BUYERS, "TRAVEL-NET"),
    ):
        group = CustomerGroup.objects.get(company=company, kind=kind)
        if not group.price_list:
            group.price_list = price_list
            group.by(SYSTEM, "demo").full_clean()
            group.save()


def buy(cast: Cast, credentials: Credentials) -> None:
    """One purchase for each way that it can go."""
    client = ApiClient.objects.get(client_id=credentials.client_id)
    for reference, person, amount, then in (
        ("demo-1", cast.buyer, "1200.00", "order"),
        ("demo-2", cast.buyer, "24000.00", ""),
        ("demo-3", cast.requester, "450.00", "approve"),
        ("demo-4", cast.requester, "2999.00", "decline"),
        ("demo-5", cast.requester, "75.50", "withdraw"),
        ("demo-6", cast.alone, "320.00", ""),
    ):
        if not PurchaseRequest.objects.filter(reference=reference).exists():
            _buy(cast, client, reference, person, amount, then)


@transaction.atomic
def _buy(
    cast: Cast,
    client: ApiClient,
    reference: str,
    person: Contact,
    amount: str,
    then: str,
) -> None:
    def acting(contact: Contact) -> Actor:
        return Actor.client(client.pk, contact_id=contact.pk)

    _decision, request = services.submit_request(
        company=person.assignments.get().company,
        requester=person,
        kind=PurchaseRequest.Kind.CART,
        reference=reference,
        money=Money.parse(amount, CURRENCY),
        actor=acting(person),
    )
    said = {"expected_version": request.version, "comment": "Told by the demo."}
    match then:
        case "approve":
            services.approve_request(request, actor=acting(cast.approver), **said)
        case "decline":
            services.decline_request(request, actor=acting(cast.approver), **said)
        case "withdraw":
            services.withdraw_request(request, actor=acting(person), **said)
        case "order":
            services.order_request(
                request, number="4711", actor=Actor.client(client.pk), **said
            )
