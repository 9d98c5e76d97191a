"""After an erasure none of the person's words are anywhere, and what they did is."""

import pytest
from django.db import connection

from approvals import services
from approvals.models import ApprovalGroup, Decision, PurchaseRequest
from companies.models import Contact
from companies.services import erase_contact
from config.actors import SYSTEM
from groups.models import CustomerGroup
from groups.services import add_member
from tests.approvals.makers import acting, make_limit, person, submit
from tests.factories import make_chain
from tests.staff import page_of, save, superuser

pytestmark = pytest.mark.django_db
CANARY = "zwickelmoser"
PHONE = "+49 30 9876501"


def tables_with(*words: str) -> list[str]:
    """The tables in which one of the words is, whatever the case."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            text = repr(cursor.fetchall()).casefold()
            if any(word.casefold() in text for word in words):
                found.append(table)
    return found


def test_nothing_is_left_of_an_erased_person_but_what_they_decided():
    # given: somebody who is known everywhere, by ways that people use
    _head, sub = make_chain(2)
    client = superuser()
    save(
        client,
        "/admin/companies/contact/add/",
        email=f"{CANARY}@example.com",
        first_name="Zenzi",
        last_name=CANARY.title(),
        phone=PHONE,
        job_title=f"Aide of {CANARY}",
        external_id=f"shop-{CANARY}",
        is_active="on",
    )
    contact = Contact.objects.get()
    save(
        client,
        page_of(sub),
        **{
            "assignments-TOTAL_FORMS": 1,
            "assignments-0-contact": contact.pk,
            "assignments-0-type": "CONTACT",
            "assignments-0-role": "ADMIN",
        },
    )
    save(client, page_of(contact), first_name=f"Zenz {CANARY}")
    person(sub, "ADMIN")
    add_group = f"/admin/approvals/approvalgroup/add/?company={sub.pk}"
    save(client, add_group, name="Approvers", people=[contact.pk])
    assert ApprovalGroup.objects.get().members.get() == contact
    group = CustomerGroup.objects.create(company=sub, name="Key accounts")
    add_member(group, contact, actor=SYSTEM)
    make_limit(company=sub, amount=10)
    make_limit(company=sub, amount=900, binds="CONTACT", contact=contact)
    buyer = person(sub, "BUYER")
    own = submit(sub, contact, note=f"For {CANARY}")
    other = submit(sub, buyer)
    services.approve_request(
        other, actor=acting(contact), expected_version=1, comment=f"Yes, {CANARY}"
    )
    known = tables_with(CANARY, PHONE)
    assert {"companies_contact", "companies_historicalcontact"} <= set(known)
    # when
    erase_contact(contact, actor=SYSTEM)
    # then
    assert tables_with(CANARY, "Zenz", PHONE) == []
    assert Decision.objects.get().contact_id == contact.pk
    assert PurchaseRequest.objects.get(pk=own.pk).requester_id == contact.pk
    for page in (page_of(other), page_of(contact), page_of(sub)):
        assert CANARY not in client.get(page).content.decode().casefold()
