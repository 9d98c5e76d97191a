"""Every command of docs/api-guide.md, run in the order of the page."""

import re

from .pages import blocks_of, differences, run


def test_every_command_of_the_guide_gives_the_answer_that_is_shown(server):
    assert run("api-guide.md", server) == {}


def test_ten_calls_lead_to_a_checkout():
    commands = [text for kind, text in blocks_of("api-guide.md") if kind == "bash"]

    numbered = [re.match(r"# call (\d+) of 10\n", text) for text in commands]

    assert [int(found[1]) for found in numbered if found] == list(range(1, 11))
    assert len(commands) > 20


def test_a_difference_is_seen():
    shown = {"a": [1, {"b": "…"}], "…": "…"}

    assert differences(shown, {"a": [1, {"b": 5}], "c": 2}) == []
    assert differences(shown, {"a": [2, {"b": 5}]}) == ["/a/0: 2, not 1"]
    assert differences(shown, {"a": [1, {"b": 5, "c": 1}]}) == ["/a/1/c"]
    assert differences(shown, {"a": [1]}) != []
    assert differences(shown, {}) == ["/a"]
