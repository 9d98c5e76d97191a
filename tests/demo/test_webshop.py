"""The sample shop of the documents, run as the demo prints it."""

import re


def test_the_shop_plays_from_login_to_order(server):
    # given
    login = re.search(r"^CLIENT=.*$", server.printed, re.MULTILINE)[0]
    line = re.search(r"^python3 docs/.*\\\n.*\\\n.*$", server.printed, re.MULTILINE)[0]

    # when
    printed = server.bash(f"{login}\n{line}")
    small = server.bash(f"{login}\n{line} --amount 10.00")
    yen = server.bash(f"{login}\n{line} --amount 1000 --currency JPY")

    # then
    told = [re.sub(r"\d+", "N", sentence) for sentence in printed.splitlines()]
    assert told[0].startswith("Ben Invented is BUYER at ")
    assert "price lists, the first one counts: TRAVEL-NET, GROUP-N" in told
    assert "may they buy for N.N USD? APPROVAL_REQUIRED" in told
    assert told[-4:] == [
        "request N is PENDING; sent twice it is one",
        "waits in the approver's inbox: True",
        "approved: APPROVED",
        "ordered as SO-N: ORDERED",
    ]
    assert "? ALLOWED" in small
    assert small.splitlines()[-1].endswith("ORDERED")
    assert "JPY? APPROVAL_REQUIRED" in yen  # limits in others, none in this currency
