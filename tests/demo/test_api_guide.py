"""Every command of docs/api-guide.md, run in the order of the page."""

import json
import re
from pathlib import Path
from typing import Any

from django.conf import settings

GUIDE = Path(settings.BASE_DIR) / "docs" / "api-guide.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "--- next block ---"
ANY = "…"


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


def test_every_command_of_the_guide_gives_the_answer_that_is_shown(server):
    # given
    blocks = BLOCK.findall(GUIDE.read_text())
    commands = [text for kind, text in blocks if kind == "bash"]
    login = re.search(r"^CLIENT=.*$", server.printed, re.MULTILINE)[0]
    script = f"echo '{MARK}'\n".join(f"{command}\necho\n" for command in commands)
    script = script.replace("http://127.0.0.1:8000", server.address)

    # when
    printed = server.bash(f"{login}\n{script}").split(MARK)

    # then
    assert len(printed) == len(commands) > 20
    answers, wrong = iter(printed), {}
    for (kind, text), (shows, shown) in zip(
        blocks, [*blocks[1:], ("", "")], strict=True
    ):
        if kind != "bash":
            continue
        given = next(answers).strip()
        if shows == "json":
            found = differences(json.loads(shown), json.loads(given))
        else:
            found = [] if shows == "bash" or given == shown.strip() else [given]
        if found:
            wrong[text] = found
    assert wrong == {}


def test_a_difference_is_seen():
    shown = {"a": [1, {"b": "…"}], "…": "…"}

    assert differences(shown, {"a": [1, {"b": 5}], "c": 2}) == []
    assert differences(shown, {"a": [2, {"b": 5}]}) == ["/a/0: 2, not 1"]
    assert differences(shown, {"a": [1, {"b": 5, "c": 1}]}) == ["/a/1/c"]
    assert differences(shown, {"a": [1]}) != []
    assert differences(shown, {}) == ["/a"]
