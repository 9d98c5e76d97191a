import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from companies.errors import (
    CompanyInUse,
    ContactErased,
    ParentClosed,
    ParentGone,
    WouldCloseCycle,
)
from companies.models import Company, Contact
from companies.services import (
    create_company,
    delete_company,
    erase_contact,
    move_company,
    set_status,
)
from companies.signals import contact_erased
from companies.tree.check import find_tree_faults
from config.actors import Actor
from config.errors import StaleVersion
from integrations.models import Event
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_location,
)

pytestmark = pytest.mark.django_db

STAFF = Actor.staff(1)


@pytest.fixture(autouse=True)
def _tree_is_sound_after_each_test(db):
    yield
    assert find_tree_faults() == []


def events() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def test_a_company_is_created_below_its_parent_by_somebody():
    head = make_company()

    company = create_company(actor=STAFF, name="New", parent=head)

    assert company.parent_id == company.head_id == head.pk
    assert company.history.get().history_user_id == "staff:1"


def test_a_company_without_name_is_not_created():
    with pytest.raises(ValidationError):
        create_company(actor=STAFF, name="")

    assert Company.objects.count() == 0
    assert events() == []


def test_nothing_is_created_below_a_closed_or_deleted_parent():
    closed, gone = make_company(status="CLOSED"), make_company()
    Company.objects.get(pk=gone.pk).delete()

    with pytest.raises(ParentClosed):
        create_company(actor=STAFF, name="New", parent=closed)
    with pytest.raises(ParentGone):
        create_company(actor=STAFF, name="New", parent=gone)

    assert Company.objects.get() == closed


def test_a_company_is_moved_with_who_and_why():
    _, middle, low = make_chain(3)
    other = make_company()

    moved = move_company(middle, other, actor=STAFF, reason="sold", expected_version=1)

    assert (moved.parent_id, moved.head_id, moved.version) == (other.pk, other.pk, 2)
    entry = moved.history.first()
    assert (entry.history_user_id, entry.history_change_reason) == ("staff:1", "sold")
    assert Company.objects.get(pk=low.pk).head_id == other.pk
    assert events().count("company.moved") == 1


def test_a_move_to_where_it_is_changes_nothing():
    head, middle = make_chain(2)
    before = events()

    assert move_company(middle, head, actor=STAFF).version == 1
    assert events() == before


def test_a_refused_move_changes_nothing():
    head, middle = make_chain(2)
    gone = make_company()
    closed = make_company(status="CLOSED")
    Company.objects.get(pk=gone.pk).delete()
    before = events()

    for parent, version, refusal in (
        (middle, 1, WouldCloseCycle),
        (head, 1, WouldCloseCycle),
        (closed, 1, ParentClosed),
        (gone, 1, ParentGone),
        (None, 7, StaleVersion),
    ):
        with pytest.raises(refusal):
            move_company(head, parent, actor=STAFF, expected_version=version)
    with pytest.raises(Company.DoesNotExist):
        move_company(gone, None, actor=STAFF)

    assert Company.objects.get(pk=head.pk).version == 1
    assert events() == before


def test_a_status_is_set_with_a_reason():
    company = make_company()

    held = set_status(company, "ON_HOLD", actor=STAFF, reason="unpaid")
    again = set_status(company, "ON_HOLD", actor=STAFF, reason="unpaid")

    assert (held.status, held.version, again.version) == ("ON_HOLD", 2, 2)
    assert held.history.first().history_change_reason == "unpaid"
    with pytest.raises(StaleVersion):
        set_status(company, "ACTIVE", actor=STAFF, reason="", expected_version=1)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "read",
    [
        lambda company: company,
        lambda company: Company.objects.get(pk=company.pk),
        lambda company: Company.objects.only("name").get(pk=company.pk),
        lambda company: Company.objects.defer("status").get(pk=company.pk),
    ],
)
def test_saving_a_status_locks_the_hierarchy(read):
    company = read(make_company())
    company.status = "ON_HOLD"

    assert locks_of(lambda: company.save(update_fields=["status"])) == 2
    assert locks_of(lambda: company.save(update_fields=["name"])) == 0
    assert locks_of(company.save) == 0


def locks_of(work) -> int:
    """How many advisory locks the work takes: the gate and the hierarchy."""
    taken = []

    def note(execute, sql, params, many, context):
        taken.extend(params if "pg_advisory" in sql else ())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        work()
    return len(taken)


def test_an_unused_company_is_deleted_with_its_locations():
    head, company = make_chain(2)
    make_location(company=company)

    delete_company(company, actor=STAFF, expected_version=1)

    assert Company.objects.get() == head
    assert events()[-1] == "company.deleted"
    assert company.history.model.objects.filter(id=company.pk)[0].history_type == "-"


@pytest.mark.parametrize("use", ["subsidiary", "assignment"])
def test_a_used_company_is_not_deleted(use):
    company = make_company()
    if use == "subsidiary":
        make_company(parent=company)
    else:
        make_assignment(company=company)
    before = events()

    with pytest.raises(CompanyInUse):
        delete_company(company, actor=STAFF)

    assert Company.objects.filter(pk=company.pk).exists()
    assert events() == before


def test_a_company_of_another_version_is_not_deleted():
    company = make_company()
    Company.objects.get(pk=company.pk).save()

    with pytest.raises(StaleVersion):
        delete_company(company, actor=STAFF, expected_version=1)

    assert Company.objects.count() == 1


def test_an_erased_person_is_a_pseudonym_everywhere_and_stays_assigned():
    contact = make_contact(
        first_name="Erika", last_name="Muster", phone="+49 30 123", external_id="e-1"
    )
    contact.job_title = "Buyer Erika"
    contact.save()
    assignment = make_assignment(contact=contact, role="ADMIN")
    make_assignment(company=assignment.company)
    told = []

    def hear(sender, contact, **kwargs):
        told.append(contact.pk)

    contact_erased.connect(hear)
    try:
        erased = erase_contact(contact, actor=STAFF, expected_version=2)
    finally:
        contact_erased.disconnect(hear)

    everything = [
        *Contact.objects.filter(pk=contact.pk).values(),
        *Contact.history.filter(id=contact.pk).values(),
    ]
    text = repr(everything)
    for personal in ("Erika", "Muster", "+49 30 123", "'e-1'", contact.email):
        assert personal not in text
    assert len(everything) == 4
    assert erased.email == f"erased-{contact.pk}@invalid.example"
    assert not erased.is_active
    assert erased.assignments.get() == assignment
    assert told == [contact.pk]


def test_a_person_is_erased_once():
    contact = erase_contact(make_contact(), actor=STAFF)

    with pytest.raises(ContactErased):
        erase_contact(contact, actor=STAFF)

    assert Contact.objects.get().version == 2


def test_an_erased_person_is_not_assigned_again():
    contact = erase_contact(make_contact(), actor=STAFF)
    assignment = make_assignment()
    assignment.contact = contact

    with pytest.raises(ValidationError) as refusal:
        assignment.full_clean()

    assert refusal.value.error_dict["contact"][0].code == "contact_erased"
