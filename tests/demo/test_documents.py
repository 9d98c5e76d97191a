"""README and docs: what they link to is there, and what they tell you to run works."""

import json
import re
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = DOCUMENTS[0].read_text()
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_to_a_file(document):
    links = LINK.findall(document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_document_is_linked_from_another():
    linked = {
        (document.parent / link).resolve()
        for document in DOCUMENTS
        for link in LINK.findall(document.read_text())
    }

    assert [one.name for one in DOCUMENTS[1:] if one.resolve() not in linked] == []


def test_the_import_of_the_readme_changes_nothing_of_the_demo(server):
    command = re.search(r"^uv run (manage.py import_data .*)$", README, re.MULTILINE)[1]

    printed = server.bash(f"{sys.executable} {command}")

    counted = r"Dry run: 0 created, 0 updated, 0 moved, [1-9]\d* unchanged, 0 refused"
    assert re.match(counted, printed)


def test_the_call_of_the_readme_works(server):
    # given
    call = re.search(r"```\n(curl .*?)```", README, re.DOTALL)[1]
    login = re.search(r"^CLIENT=.*\n.*$", server.printed, re.MULTILINE)[0]

    # when
    script = call.replace("http://127.0.0.1:8000", server.address)
    answer = server.bash(f"{login}\n{script.replace('curl', 'curl -s', 1)}")

    # then
    assert json.loads(answer)["outcome"] == "APPROVAL_REQUIRED"
