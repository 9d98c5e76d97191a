"""The OpenAPI document as files: what we say now, and what callers were promised."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from .contract import breaking_changes, contract

CURRENT = settings.BASE_DIR / "docs" / "openapi.json"
RELEASED = settings.BASE_DIR / "docs" / "openapi-released.json"
RENEW = "uv run manage.py write_openapi"


def current_document() -> dict[str, Any]:
    """What the server publishes, whatever its database is."""
    with GENERATOR_STATS.silence():
        described = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(json.dumps(described))  # lazy texts become texts


def read_document(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Always the same bytes for the same document."""
    text = json.dumps(document, ensure_ascii=False, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")


def broken_promises() -> list[str]:
    """What those who call us by the released document can no longer rely on."""
    return breaking_changes(read_document(RELEASED), contract(current_document()))
