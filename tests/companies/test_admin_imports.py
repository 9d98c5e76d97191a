"""Imports in the console: upload, columns, preview, apply, report."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from companies.imports import jobs
from companies.models import Company, Import, ImportMapping
from tests.factories import make_company
from tests.imports import MESSY
from tests.staff import fields_of, page_of, said, staff, superuser

pytestmark = pytest.mark.django_db

ADD = reverse("admin:companies_import_add")
LIST = reverse("admin:companies_import_changelist")
RIGHTS = ("view_import", "add_import", "add_company", "change_company")


def upload(client, content: bytes, *, name: str = "x.csv", kind: str = "companies"):
    """Send a file; the page of its import."""
    file = SimpleUploadedFile(name, content)
    response = client.post(ADD, {"kind": kind, "file": file})
    assert response.status_code == 302, response.content.decode()[:2_000]
    return response.url


def do(client, url: str, what: str, **fields):
    """Press a button of the page, with what its forms have."""
    values = fields_of(client.get(url)) | fields | {"do": what}
    response = client.post(url, values)
    assert response.status_code == 302
    return response


def text_of(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_a_file_is_uploaded_previewed_and_applied():
    # given
    make_company(code="a", name="Old name")
    client = staff(*RIGHTS)
    # when
    url = upload(client, b"Code;Name;Size\na;New <b>name</b>;1\nb;B;2\n")
    # then nothing is planned before the columns were seen
    page = client.get(url)
    assert fields_of(page)["column-0"] == "code"
    assert "column-2" not in fields_of(page)
    assert Import.objects.get().state == "UPLOADED"
    # when
    do(client, url, "plan")
    # then
    text = text_of(client, url)
    assert "<del>Old name</del>" in text
    assert "New &lt;b&gt;name&lt;/b&gt;" in text
    assert "Not imported:" in text
    assert "All (2)" in text
    assert Company.objects.get().name == "Old name"
    # when
    do(client, url, "apply")
    # then
    assert Import.objects.get().state == "APPLIED"
    assert Company.objects.get(code="a").name == "New <b>name</b>"
    last = Company.history.order_by("history_id").last()
    assert last.history_user_id == f"staff:{client.user.pk}"
    assert "kz-button" not in text_of(client, url)
    assert "1 created, 1 changed" in text_of(client, LIST)


def test_bad_records_are_shown_and_left_out_only_if_one_wants_that():
    # given
    client = superuser()
    content = b"code,name,country\na,A,\nb,B,Nowhere\n"
    url = upload(client, content)
    do(client, url, "plan")
    # then
    text = text_of(client, f"{url}?action=refused")
    assert "country: " in text
    assert "(invalid_choice)" in text
    assert "Apply without the 1 refused" in text
    # when somebody sends the other button all the same
    do(client, url, "apply")
    # then
    assert Import.objects.get().state == "REFUSED"
    assert not Company.objects.exists()
    # when
    do(client, url, "plan")
    do(client, url, "apply_good")
    # then
    assert Company.objects.get().code == "a"


def test_columns_are_chosen_saved_and_used_again():
    # given
    client = superuser()
    content = (MESSY / "foreign_headers.csv").read_bytes()
    url = upload(client, content)
    headers = Import.objects.get().header
    chosen = {
        f"column-{headers.index('Kundennr.')}": "code",
        f"column-{headers.index('Firma')}": "name",
    }
    # when
    do(client, url, "save", mapping_name=" ERP  export ", **chosen)
    # then
    saved = ImportMapping.objects.get()
    assert (saved.kind, saved.name) == ("companies", "ERP export")
    assert saved.columns["Kundennr."] == "code"
    # when another file comes
    again = upload(client, content)
    assert fields_of(client.get(again)).get("column-0", "") == ""
    do(client, again, "load", saved="ERP export")
    # then
    page = fields_of(client.get(again))
    assert {name: page[name] for name in chosen} == chosen
    # when
    do(client, again, "plan")
    # then
    assert Import.objects.first().totals["created"] == 20


def test_without_a_name_no_mapping_is_saved():
    client = superuser()
    url = upload(client, b"code,name\n")
    response = do(client, url, "save", mapping_name=" ")
    assert "Give the mapping a name." in said(response)
    assert not ImportMapping.objects.exists()


@pytest.mark.parametrize("file", sorted(path.name for path in MESSY.iterdir()))
def test_every_faulty_file_has_a_page(file: str):
    # given
    client = superuser()
    # when
    url = upload(client, (MESSY / file).read_bytes(), name=file)
    page = text_of(client, url)
    if Import.objects.get().state == "UPLOADED":
        do(client, url, "plan")
        jobs.run_waiting_imports()
        page = text_of(client, url)
    # then
    job = Import.objects.get()
    assert job.state in ("PLANNED", "REFUSED")
    assert job.get_state_display() in page
    assert len(page) < 500_000


def test_an_import_that_waits_says_so_and_can_be_cancelled(settings):
    # given
    settings.IMPORT_AT_ONCE_BYTES = 0
    client = superuser()
    url = upload(client, b"code,name\na,A\n")
    do(client, url, "plan")
    # then
    text = text_of(client, url)
    assert "Waits for a worker." in text
    assert 'http-equiv="refresh"' in text
    # when
    do(client, url, "cancel")
    # then
    assert Import.objects.get().state == "CANCELLED"
    response = do(client, url, "plan")
    assert "(wrong_state)" in said(response)[0]


def test_a_plan_out_of_date_says_so():
    # given
    client = superuser()
    url = upload(client, b"code,name\na,A\n")
    do(client, url, "plan")
    make_company(code="a", name="Other")
    # when
    do(client, url, "apply")
    # then
    assert "(plan_outdated)" in text_of(client, url)
    assert Company.objects.get().name == "Other"


def test_records_are_shown_a_page_at_a_time():
    # given
    client = superuser()
    lines = [f"c{n},Company {n}" for n in range(150)]
    url = upload(client, "\n".join(["code,name", *lines]).encode())
    do(client, url, "plan")
    # then
    first = text_of(client, url)
    assert "Company 99<" in first
    assert "Company 100<" not in first
    assert "after=100" in first
    assert "Company 149<" in text_of(client, f"{url}?action=create&after=100")
    for query in ("?after=-1", "?after=x", "?action=zzz", "?after=99999999"):
        assert client.get(url + query).status_code == 200


def test_a_file_that_is_too_large_is_refused(settings):
    # given
    settings.IMPORT_MAX_BYTES = 5
    file = SimpleUploadedFile("x.csv", b"code,name\n")
    # when
    response = superuser().post(ADD, {"kind": "companies", "file": file})
    # then
    assert "The file is larger than" in response.content.decode()
    assert not Import.objects.exists()


def test_who_may_not_see_people_sees_no_imports_of_people():
    # given
    url = upload(superuser(), b"email\na@example.com\n", kind="contacts")
    client = staff(*RIGHTS)
    # then
    assert client.get(url).status_code == 404
    assert "x.csv" not in text_of(client, LIST)
    file = SimpleUploadedFile("x.csv", b"email\n")
    response = client.post(ADD, {"kind": "contacts", "file": file})
    assert response.status_code == 200
    assert Import.objects.count() == 1


def test_who_may_only_look_does_nothing():
    # given
    url = upload(superuser(), b"code,name\na,A\n")
    client = staff("view_import", "view_company")
    # then
    assert "kz-button" not in text_of(client, url)
    for what in ("plan", "apply", "cancel", "save", "load"):
        assert client.post(url, {"do": what}).status_code == 403
    assert client.get(ADD).status_code == 403
    assert Import.objects.get().state == "UPLOADED"
    # and without the right to move nothing is moved
    low, head = make_company(code="low", name="L"), make_company(code="head")
    mover = staff(*RIGHTS)
    moving = upload(mover, b"code,name,parent_code\nlow,L,head\n")
    do(mover, moving, "plan")
    assert "(forbidden)" in text_of(mover, moving)
    assert (low.parent, head.parent) == (None, None)


def test_the_page_of_a_mapping_deletes_it():
    # given
    mapping = ImportMapping.objects.create(kind="companies", name="ERP")
    # when
    client = superuser()
    client.post(page_of(mapping, "delete"), {"post": "yes"})
    # then
    assert not ImportMapping.objects.exists()
