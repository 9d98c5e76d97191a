"""Runs the commands of a page in its order, and compares what they print with it.

A block of bash is run; the block behind it, unless that is bash again, is what it has
to print: JSON by its values, text as it is. "…" stands for anything.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

DOCS = Path(settings.BASE_DIR) / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "--- next block ---"
ENDING = "jobs -p | xargs -r kill || true"
ANY = "…"


def blocks_of(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block that names a language."""
    return BLOCK.findall((DOCS / page).read_text())


def run(page: str, server: Any, **places: str) -> dict[str, Any]:
    """Each command that does not print what is shown, with the differences.

    `places`: what is somewhere else here than on the page.
    """
    blocks = blocks_of(page)
    commands = [text for kind, text in blocks if kind == "bash"]
    login = re.search(r"^CLIENT=.*$", server.printed, re.MULTILINE)[0]
    script = f"echo '{MARK}'\n".join(f"{command}\necho\n" for command in commands)
    script = script.replace("http://127.0.0.1:8000", server.address)
    script = script.replace("uv run manage.py", f"{sys.executable} manage.py")
    for shown, here in places.items():
        script = script.replace(shown.strip("_"), here)
    # Whatever fails: nothing that the page has started stays behind.
    printed = server.bash(f"trap '{ENDING}' EXIT\n{login}\n{script}").split(MARK)
    assert len(printed) == len(commands)
    answers, wrong = iter(printed), {}
    following = [*blocks[1:], ("", "")]
    for (kind, text), (shows, shown) in zip(blocks, following, strict=True):
        if kind == "bash":
            found = _compare(shows, shown, next(answers).strip(), places)
            if found:
                wrong[text] = found
    return wrong


def _compare(kind: str, shown: str, given: str, places: dict[str, str]) -> list[str]:
    for there, here in places.items():
        shown = shown.replace(there.strip("_"), here)
    if kind == "json":
        return differences(json.loads(shown), json.loads(given))
    if kind == "text":
        pattern = re.escape(shown.strip()).replace(re.escape(ANY), ".*?")
        return [] if re.fullmatch(pattern, given) else [given]
    return []


def differences(shown: Any, given: Any, at: str = "") -> list[str]:
    """Where an answer is not what the page shows; "…" stands for anything."""
    if shown == ANY:
        return []
    if isinstance(shown, dict) and isinstance(given, dict):
        more = shown.keys() - {ANY} - given.keys()
        if ANY not in shown:
            more |= given.keys() - shown.keys()
        found = [f"{at}/{key}" for key in more]
        for key in shown.keys() & given.keys():
            found += differences(shown[key], given[key], f"{at}/{key}")
        return found
    if isinstance(shown, list) and isinstance(given, list) and len(shown) == len(given):
        pairs = enumerate(zip(shown, given, strict=True))
        return [d for n, (s, g) in pairs for d in differences(s, g, f"{at}/{n}")]
    return [] if shown == given else [f"{at}: {given!r}, not {shown!r}"]
