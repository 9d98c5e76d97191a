"""docs/openapi.json is what the server says, and keeps what was promised."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from config.api import document
from config.api.contract import contract
from integrations.management.commands import write_openapi


def test_the_document_in_docs_is_what_the_server_says() -> None:
    current = document.current_document()
    written = document.read_document(document.CURRENT)

    assert written == current, f"docs/openapi.json is out of date: {document.RENEW}"


def test_nothing_that_callers_rely_on_is_broken() -> None:
    told = document.broken_promises()

    assert told == [], (
        "This breaks those who call us. If it must be: "
        f"{document.RENEW} --release --because 'what they have to know'"
    )


def test_it_says_what_null_and_nothing_mean() -> None:
    # given
    schemas = document.read_document(document.CURRENT)["components"]["schemas"]

    def fields(name: str) -> dict[str, Any]:
        return schemas[name]["properties"]

    # then a PATCH takes null where that resets, in groups of fields, too
    assert fields("Contact")["external_id"]["type"] == "string"
    assert fields("PatchedContact")["external_id"]["type"] == ["string", "null"]
    assert fields("PatchedContact")["email"]["type"] == "string"  # is required
    assert fields("PatchedLegalInfo")["tax_id"]["type"] == ["string", "null"]
    # and what is only read can be empty
    blank = {"$ref": "#/components/schemas/BlankEnum"}
    assert blank in fields("Person")["role"]["anyOf"]
    # and a PUT does not ask for what cannot be changed
    assert "company" in schemas["ApprovalGroup"]["required"]
    assert "company" not in schemas["ApprovalGroupReplacement"]["required"]


@pytest.fixture
def files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files of the command, in a place of their own."""
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    for module in (document, write_openapi):
        monkeypatch.setattr(module, "CURRENT", tmp_path / "openapi.json")
        monkeypatch.setattr(module, "RELEASED", tmp_path / "released.json")
    monkeypatch.setattr(write_openapi, "CHANGELOG", tmp_path / "CHANGELOG.md")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- Old.\n")
    return tmp_path


def test_the_same_document_is_the_same_bytes(files: Any) -> None:
    call_command("write_openapi")
    first = (files / "openapi.json").read_bytes()
    call_command("write_openapi")

    assert (files / "openapi.json").read_bytes() == first
    assert not (files / "released.json").exists()


def test_a_break_is_released_on_purpose_and_told(files: Any) -> None:
    # given callers who hold a document with an operation that there is no more
    call_command("write_openapi", release=True)
    released = files / "released.json"
    held = json.loads(released.read_text())
    held["paths"]["/api/v1/gone/"] = {"get": {"responses": {"200": {}}}}
    released.write_text(json.dumps(held))
    # when
    with pytest.raises(CommandError, match=r"GET /api/v1/gone/: is gone\."):
        call_command("write_openapi", release=True)
    # then
    assert json.loads(released.read_text()) == held
    assert "Breaks" not in (files / "CHANGELOG.md").read_text()
    # when
    call_command("write_openapi", release=True, because="gone/ is gone; use here/.")
    # then
    promised = contract(json.loads((files / "openapi.json").read_text()))
    assert json.loads(released.read_text()) == promised
    assert (files / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n## Unreleased\n\n"
        "- **Breaks callers**: gone/ is gone; use here/.\n- Old.\n"
    )
