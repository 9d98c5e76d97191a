"""Who looks after some hierarchies sees these only: what the matrix does not ask."""

import json
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from companies.errors import CompanyInUse
from companies.models import Company, Contact, Import, KeyAccount, StaffSight
from companies.services import delete_company, move_company
from config.actors import SYSTEM
from tests.factories import (
    make_assignment,
    make_company,
    make_contact,
    make_link,
    make_user,
)
from tests.staff import act, in_role, page_of, said, save, superuser

pytestmark = pytest.mark.django_db


def looks_after(*heads: Company, role: str = "Administrator") -> Client:
    browser = in_role(role)
    for head in heads:
        KeyAccount.objects.create(staff=browser.user, company=head)
    return browser


def text_of(answer: Any) -> str:
    return answer.content.decode()


# --- what is in a portfolio


def test_without_key_accounts_everything_is_seen():
    company = make_company()

    assert list(Company.objects.visible_to(StaffSight(make_user()))) == [company]


def test_superusers_see_everything():
    # given
    own, other = make_company(), make_company()
    user = make_user(is_superuser=True)
    KeyAccount.objects.create(staff=user, company=own)

    # then
    assert set(Company.objects.visible_to(StaffSight(user))) == {own, other}


def test_only_whole_hierarchies_are_in_it():
    # given
    subsidiary = make_company(parent=make_company())

    # when
    with pytest.raises(ValidationError) as caught:
        KeyAccount(staff=make_user(), company=subsidiary).full_clean()

    # then
    assert caught.value.error_dict["company"][0].code == "not_a_head_company"


def test_the_last_key_account_does_not_go_with_its_company():
    """Else nothing would be left of the portfolio, and all be seen."""
    # given
    company = make_company()
    looks_after(company)

    # when
    with pytest.raises(CompanyInUse):
        delete_company(company, actor=SYSTEM)

    # then
    assert KeyAccount.objects.count() == 1


def test_an_administrator_gives_key_accounts_and_the_history_names_them():
    # given
    head, colleague = make_company(), make_user()
    browser = in_role("Administrator")

    # when
    save(
        browser,
        page_of(colleague),
        **{"key_accounts-TOTAL_FORMS": 1, "key_accounts-0-company": head.pk},
    )

    # then
    account = KeyAccount.objects.get()
    assert (account.staff, account.company) == (colleague, head)
    assert account.history.get().history_user_id == f"staff:{browser.user.pk}"


def test_a_hierarchy_that_was_moved_below_another_is_still_found():
    """And no more than it: what is above was never in the portfolio."""
    # given
    head, other = make_company(name="Mine"), make_company(name="Above")
    below = make_company(name="Below", parent=head)
    browser = looks_after(head)
    move_company(head, other, actor=SYSTEM)

    # when
    listed = text_of(browser.get(page_of(head, "changelist")))

    # then
    assert "Mine" in listed
    assert "Above" not in listed
    assert browser.get(page_of(below)).status_code == 200
    assert browser.get(page_of(other)).status_code == 302


# --- what is made


def test_no_head_company_is_made():
    # given
    head = make_company()
    browser = looks_after(head)
    values = {"name": "New", "code": "new", "attributes": "{}", "_save": "Save"}

    # when
    refused = browser.post(page_of(head, "add"), values)
    made = browser.post(page_of(head, "add"), values | {"parent": head.pk})

    # then
    assert "outside_portfolio" in text_of(refused)
    assert made.status_code == 302
    assert Company.objects.get(code="new").parent == head


def test_a_person_who_is_assigned_nowhere_is_seen_by_who_has_entered_them():
    # given
    head = make_company()
    mine, others = looks_after(head), looks_after(head)
    values = {"email": "ada@example.com", "is_active": "on", "_save": "Save"}
    inline = {"assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}

    # when
    mine.post(page_of(make_contact(), "add"), values | inline)

    # then
    ada = Contact.objects.get(email="ada@example.com")
    assert mine.get(page_of(ada)).status_code == 200
    assert others.get(page_of(ada)).status_code == 302


def test_rows_on_a_page_take_nobody_of_another_hierarchy():
    # given
    head, stranger = make_company(), make_assignment().contact
    browser = looks_after(head)
    row = {"assignments-TOTAL_FORMS": 1, "assignments-0-type": "CONTACT"}

    # when
    refused = save(
        browser, page_of(head), **row, **{"assignments-0-contact": stranger.pk}
    )
    mine = make_assignment(company=make_company(parent=head)).contact
    made = save(browser, page_of(head), **row, **{"assignments-0-contact": mine.pk})

    # then
    assert refused.status_code == 200
    assert made.status_code == 302
    assert list(head.assignments.values_list("contact", flat=True)) == [mine.pk]


# --- people of two hierarchies


def test_somebody_who_also_works_elsewhere_is_shown_and_not_changed():
    # given
    head, other = make_company(name="Mine"), make_company(name="Elsewhere")
    contact = make_assignment(company=head).contact
    make_assignment(company=other, contact=contact)
    browser = looks_after(head)

    # when
    shown = text_of(browser.get(page_of(contact)))
    listed = text_of(browser.get(page_of(contact, "changelist")))
    changed = browser.post(page_of(contact), {"first_name": "X", "_save": "Save"})
    erased = act(browser, contact, "erase", seen_version=contact.version)

    # then
    assert "Mine" in shown
    assert "Elsewhere" not in shown + listed
    assert changed.status_code == 403
    assert any("outside_portfolio" in text for text in said(erased))
    contact.refresh_from_db()
    assert (contact.erased_at, contact.version) == (None, 1)


# --- what is left of other hierarchies


def test_the_list_of_people_counts_only_companies_that_are_seen():
    # given
    own, other = make_company(), make_company()
    contact = make_contact()
    for company in (own, other):
        make_assignment(contact=contact, company=company)
    people = reverse("admin:companies_contact_changelist")

    # when
    lists = [browser.get(people) for browser in (looks_after(own), superuser())]

    # then
    counts = [answer.context["cl"].result_list[0].companies_count for answer in lists]
    assert counts == [1, 2]


def test_the_history_does_not_name_companies_of_other_hierarchies():
    # given
    old, head = make_company(name="Canary"), make_company(name="Mine")
    company = make_company(parent=old)
    move_company(company, head, actor=SYSTEM)

    # when
    shown = text_of(looks_after(head).get(page_of(company)))
    everything = text_of(superuser().get(page_of(company)))

    # then
    assert "Canary" not in shown
    assert f"no. {old.pk}" in shown
    assert "Canary" in everything


def test_the_structure_of_another_day_leaves_out_what_is_not_seen():
    # given
    head, other = make_company(name="Mine"), make_company(name="Other")
    gone = make_company(name="Canary", parent=head)
    move_company(gone, other, actor=SYSTEM)
    Company.history.filter(id=gone.pk, history_type="~").delete()  # not yet that day
    url = reverse("admin:companies_company_structure")
    today = {"as_of": timezone.localdate().isoformat()}

    # when
    browser = looks_after(head)
    heads = text_of(browser.get(url, today))
    tree = text_of(browser.get(url, today | {"company": head.pk}))
    foreign = browser.get(url, today | {"company": other.pk})

    # then
    assert "Mine" in heads
    assert "Other" not in heads
    assert "Canary" not in tree
    assert foreign.status_code == 404


def test_links_to_other_hierarchies_are_in_no_page_and_no_file():
    # given
    head, other = make_company(code="mine"), make_company(name="Canary", code="canary")
    make_link(company=head, other=other)
    make_link(company=other, other=head)
    browser = looks_after(head)
    file = reverse("admin:companies_company_export_hierarchy", args=[head.pk, "zip"])

    # when
    page = text_of(browser.get(page_of(head)))
    taken = ZipFile(BytesIO(b"".join(browser.get(file).streaming_content)))
    as_json = browser.get(file.replace("zip", "json"))

    # then
    assert "canary" not in page.lower()
    assert "canary" not in taken.read("company-links.csv").decode()
    assert json.loads(b"".join(as_json.streaming_content))["company-links"] == []


def test_duplicates_of_other_hierarchies_are_not_told():
    # given
    head = make_company(name="Acme Industries", country="DE")
    make_company(name="Acme Industries", country="DE", code="canary")
    browser = looks_after(head)
    pages = [
        reverse("admin:companies_company_duplicates"),
        reverse("admin:companies_company_duplicates_hint") + "?name=Acme Industries",
        page_of(head),
    ]

    # then
    for page in pages:
        assert "canary" not in text_of(browser.get(page))
        assert "canary" in text_of(superuser().get(page))


# --- imports


def imported(browser: Client, text: str) -> Import:
    file = SimpleUploadedFile("x.csv", text.encode())
    url = reverse("admin:companies_import_add")
    browser.post(url, {"kind": "companies", "file": file})
    job = Import.objects.latest("pk")
    header = text.partition("\n")[0].split(",")
    columns = {f"column-{place}": name for place, name in enumerate(header)}
    browser.post(page_of(job), {"do": "plan"} | columns)
    job.refresh_from_db()
    return job


def test_an_import_changes_only_what_is_seen():
    # given
    head, other = make_company(code="mine"), make_company(code="other", name="Canary")
    make_company(code="below", parent=head)
    browser = looks_after(head)

    # when
    records = "code,name,parent_code\n" + "\n".join(
        ["mine,Mine,", "below,Below,mine", "new,New,mine", "top,Top,", "other,X,mine"]
    )
    job = imported(browser, records)

    # then
    results, _rest = job.results()
    assert [one["action"] for one in results] == [
        *("update", "update", "create", "refused", "refused"),
    ]
    assert "Canary" not in json.dumps(results)
    browser.post(page_of(job), {"do": "apply_good"})
    other.refresh_from_db()
    assert other.name == "Canary"
    assert Company.objects.get(code="new").parent == head


def test_imports_of_colleagues_are_not_seen():
    # given
    head = make_company(code="mine")
    job = imported(superuser(), "code,name\nmine,Mine\n")
    browser = looks_after(head)

    # then
    assert browser.get(page_of(job)).status_code == 404
    assert "x.csv" not in text_of(browser.get(page_of(job, "changelist")))
