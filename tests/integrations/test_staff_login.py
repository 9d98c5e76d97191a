"""How staff get in: password, second factor, lockout; and how their sessions end."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from integrations.models import CallCount, StaffChange
from integrations.staff import second_factor
from tests.factories import make_user
from tests.staff import act, in_role, page_of, said, superuser

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
CODE, SET_UP = "/admin/second-factor/", "/admin/second-factor/set-up/"
CODES = "/admin/second-factor/codes/"
PASSWORD = "correct horse battery"
What = StaffChange.What


@pytest.fixture
def ada() -> User:
    user = make_user(username="ada", is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def strict(settings) -> None:
    settings.WRONG_PASSWORDS = 5


@pytest.fixture
def compulsory(settings) -> None:
    settings.SECOND_FACTOR_REQUIRED = True


def log_in(browser: Client, name: str = "ada", password: str = PASSWORD, **more: Any):
    return browser.post(LOGIN, {"username": name, "password": password}, **more)


def code_of(user: User, *, steps: int = 0) -> str:
    device = TOTPDevice.objects.filter(user=user).latest("pk")
    return f"{totp(device.bin_key, t0=-30 * steps):06}"


def enrolled(user: User) -> list[str]:
    """Set up an app for the user; the backup codes."""
    device, codes = second_factor.enrol(user, second_factor_code(user))
    # As if it were a while ago: the code of now was used up.
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=0)
    return codes


def second_factor_code(user: User) -> str:
    second_factor.offer(user)
    return code_of(user)


def is_in(browser: Client) -> bool:
    return browser.get("/admin/").status_code == 200


# --- Password only


def test_where_it_is_not_compulsory_the_password_is_enough(ada):
    # given
    browser = Client()

    # when
    answer = log_in(browser)

    # then
    assert answer["Location"] == "/admin/"
    assert is_in(browser)


def test_one_goes_on_to_where_one_wanted_to_go(ada):
    # given
    wanted = Client().get("/admin/companies/company/")

    # when
    answer = Client().post(
        wanted["Location"], {"username": "ada", "password": PASSWORD}
    )

    # then
    assert answer["Location"] == "/admin/companies/company/"


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "x:y"])
def test_but_not_to_another_host(ada, evil):
    answer = log_in(Client(), QUERY_STRING=f"next={evil}")

    assert answer["Location"] == "/admin/"


# --- Second factor


def test_who_has_none_must_set_one_up_where_it_is_compulsory(ada, compulsory):
    # given
    browser = Client()

    # when
    first = log_in(browser)
    page = browser.get(first["Location"])

    # then
    assert first["Location"].startswith(SET_UP)
    assert not is_in(browser)
    shown = page.content.decode()
    assert "<svg" in shown
    assert "http" not in shown.partition("<svg")[2].partition("</svg>")[0]
    secret = re.search(r'kz-secret">([A-Z2-7 ]+)<', shown)[1].replace(" ", "")
    assert len(secret) == 32

    # when
    wrong = browser.post(SET_UP, {"code": "000000"})
    TOTPDevice.objects.update(throttling_failure_count=0)  # as if time had passed
    right = browser.post(SET_UP, {"code": code_of(ada)})

    # then
    assert "is wrong" in wrong.content.decode()
    codes = re.findall(
        r"<code>([a-z2-7]{5}-[a-z2-7]{5})</code>", right.content.decode()
    )
    assert len(set(codes)) == 10
    assert is_in(browser)
    change = StaffChange.objects.get()
    assert (change.what, change.actor) == (What.ENROLLED, f"staff:{ada.pk}")


def test_who_has_one_gives_a_code(ada):
    # given
    enrolled(ada)
    browser = Client()

    # when
    answer = log_in(browser)

    # then
    assert answer["Location"].startswith(CODE)
    assert not is_in(browser)
    key = browser.session.session_key
    passed = browser.post(CODE, {"code": code_of(ada), "next": "/admin/auth/user/"})
    assert passed["Location"] == "/admin/auth/user/"
    assert is_in(browser)
    assert browser.session.session_key != key


def test_each_page_asks_for_the_code_first(ada):
    # given
    enrolled(ada)
    browser = Client()
    log_in(browser)

    # then
    for path in ("/admin/companies/company/", "/admin/password_change/", CODES):
        answer = browser.get(path, follow=True)
        assert answer.redirect_chain[-1][0].startswith(CODE), path
    assert browser.get(SET_UP, follow=True).redirect_chain[-1][0].startswith(CODE)
    assert browser.post(SET_UP, {"code": code_of(ada)}).status_code == 302
    assert TOTPDevice.objects.count() == 1


def test_a_code_counts_once(ada):
    # given
    enrolled(ada)
    code = code_of(ada)
    first, second = Client(), Client()
    log_in(first)
    log_in(second)

    # when
    first.post(CODE, {"code": code})
    again = second.post(CODE, {"code": code})

    # then
    assert is_in(first)
    assert not is_in(second)
    assert "used before" in again.content.decode()


@pytest.mark.parametrize("steps", [-3, 3])
def test_an_old_or_early_code_does_not_count(ada, steps):
    # given
    enrolled(ada)
    browser = Client()
    log_in(browser)

    # when
    browser.post(CODE, {"code": code_of(ada, steps=steps)})

    # then
    assert not is_in(browser)


def test_each_backup_code_lets_in_once_and_is_stored_as_a_digest(ada):
    # given
    codes = enrolled(ada)
    stored = set(StaticToken.objects.values_list("token", flat=True))
    assert stored.isdisjoint({*codes, *(code.replace("-", "") for code in codes)})

    # when
    results = []
    for typed in (codes[0].upper().replace("-", " "), codes[0], codes[1]):
        browser = Client()
        log_in(browser)
        browser.post(CODE, {"code": typed})
        results.append(is_in(browser))
        ada.staticdevice_set.update(throttling_failure_count=0)

    # then
    assert results == [True, False, True]
    assert second_factor.backup_codes_left(ada) == 8


def test_the_codes_of_others_do_not_count(ada):
    # given
    bob = make_user(username="bob")
    theirs = enrolled(bob)
    enrolled(ada)
    browser = Client()
    log_in(browser)

    # when
    for typed in (code_of(bob), theirs[0]):
        browser.post(CODE, {"code": typed})

    # then
    assert not is_in(browser)


@pytest.mark.parametrize(
    "typed",
    ["", " ", "x", "\uff11\uff12\uff13\uff14\uff15\uff16", "\0", "9" * 21, "--"],
)
def test_what_is_no_code_is_refused(ada, typed):
    # given
    enrolled(ada)
    browser = Client()
    log_in(browser)

    # then
    assert browser.post(CODE, {"code": typed}).status_code == 200
    assert not is_in(browser)


def test_backup_codes_are_made_anew(ada):
    # given
    old = enrolled(ada)
    browser = Client()
    log_in(browser)
    browser.post(CODE, {"code": old[0]})

    # when
    left = browser.get(CODES).content.decode()
    shown = browser.post(CODES).content.decode()

    # then
    assert "9 backup codes are left" in left
    new = re.findall(r"<code>(\S+?)</code>", shown)
    assert len(new) == 10
    assert set(new).isdisjoint(old)
    assert second_factor.verify(ada, old[1]) is None
    assert [one.what for one in StaffChange.objects.order_by("pk")] == [
        *(What.ENROLLED, What.BACKUP_CODES),
    ]


def test_another_app_takes_the_place_of_the_first(ada):
    # given
    codes = enrolled(ada)
    browser = Client()
    log_in(browser)
    browser.post(CODE, {"code": codes[0]})
    browser.get(SET_UP)
    assert TOTPDevice.objects.count() == 2

    # when
    browser.post(SET_UP, {"code": code_of(ada)})

    # then
    assert is_in(browser)
    assert TOTPDevice.objects.get().confirmed


def test_who_is_not_staff_sees_none_of_these_pages():
    # given
    browser = Client()
    browser.force_login(make_user(is_staff=False))

    # then
    for path in (CODE, SET_UP, CODES):
        for answer in (browser.get(path), browser.post(path), Client().get(path)):
            assert answer["Location"] == LOGIN
    assert TOTPDevice.objects.count() == 0


def test_an_administrator_resets_it_and_the_history_says_so(ada):
    # given
    bob = make_user(username="bob")
    enrolled(bob)
    browser = in_role("Administrator")
    asked = act(browser, bob, "reset_second_factor")

    # when
    done = act(browser, bob, "reset_second_factor", reason="Phone lost, asked by video")

    # then
    assert "Make sure" in asked.content.decode()
    assert "bob sets up another second factor" in said(done)[0]
    assert not second_factor.is_enrolled(bob)
    assert second_factor.backup_codes_left(bob) == 0
    change = StaffChange.objects.get(what=What.RESET)
    assert (change.subject_id, change.actor) == (bob.pk, f"staff:{browser.user.pk}")
    assert change.reason == "Phone lost, asked by video"
    assert "second factor reset" in browser.get(page_of(bob)).content.decode()


def test_but_not_that_of_a_superuser(ada):
    # given
    enrolled(ada)

    # when
    act(in_role("Administrator"), ada, "reset_second_factor", reason="x")

    # then
    assert second_factor.is_enrolled(ada)


def test_after_a_reset_an_open_session_asks_again(ada, compulsory):
    # given
    codes = enrolled(ada)
    browser = Client()
    log_in(browser)
    browser.post(CODE, {"code": codes[0]})
    assert is_in(browser)

    # when
    act(superuser(), ada, "reset_second_factor", reason="x")
    second_factor.reset(ada, actor="test")

    # then
    assert not is_in(browser)


# --- Lockout


def test_after_five_wrong_passwords_the_right_one_is_not_looked_at(ada, strict):
    # given
    browser = Client()
    for _try in range(5):
        assert log_in(browser, password="wrong").status_code == 200

    # when
    answer = log_in(browser)

    # then
    assert answer.status_code == 429
    assert 14 * 60 < int(answer["Retry-After"]) <= 15 * 60
    assert "Try again in 15 minutes" in answer.content.decode()
    assert not is_in(browser)


def test_a_right_one_before_that_begins_the_count_anew(ada, strict):
    # given
    for _round in range(3):
        for _try in range(4):
            log_in(Client(), password="wrong")

        # then
        assert log_in(Client()).status_code == 302


def test_from_another_address_one_gets_in(ada, strict):
    # given
    for _try in range(6):
        log_in(Client(), password="wrong", REMOTE_ADDR="192.0.2.1")

    # then
    assert log_in(Client(), REMOTE_ADDR="192.0.2.1").status_code == 429
    assert log_in(Client(), REMOTE_ADDR="192.0.2.2").status_code == 302


def test_from_many_addresses_one_account_is_not_guessed(ada, strict):
    # given
    for number in range(50):
        log_in(Client(), password="wrong", REMOTE_ADDR=f"192.0.2.{number}")

    # then
    assert log_in(Client(), REMOTE_ADDR="198.51.100.1").status_code == 429


def test_from_one_address_not_many_accounts(ada, strict):
    # given
    for number in range(50):
        log_in(Client(), name=f"user{number}", password="Summer2026")

    # then
    assert log_in(Client()).status_code == 429


def test_who_does_not_exist_is_locked_like_who_does(ada, strict):
    # given
    answers = {"ada": [], "nobody": []}
    for name, got in answers.items():
        for _try in range(6):
            answer = log_in(Client(), name=name, password="wrong", REMOTE_ADDR=name)
            text = re.sub(r'value="[^"]*"', "", answer.content.decode())
            got.append((answer.status_code, text, answer.get("Retry-After")))

    # then
    codes = [status for status, _text, _wait in answers["ada"]]
    assert codes == [200] * 5 + [429]
    assert [a[:2] for a in answers["ada"]] == [a[:2] for a in answers["nobody"]]


def test_who_may_not_log_in_is_told_no_more(ada, strict):
    # given
    for name, fields in (("off", {"is_active": False}), ("shop", {"is_staff": False})):
        user = make_user(username=name, **fields)
        user.set_password(PASSWORD)
        user.save()

    # then
    shown = {
        re.sub(r'value="[^"]*"', "", log_in(Client(), name=name).content.decode())
        for name in ("off", "shop", "nobody")
    }
    assert len(shown) == 1


def test_nothing_typed_is_stored(ada, strict):
    # when
    log_in(Client(), name="my-password-by-mistake", password="wrong")

    # then
    keys = " ".join(CallCount.objects.values_list("key", flat=True))
    assert keys
    assert "mistake" not in keys


def test_an_administrator_unlocks_an_account(ada, strict):
    # given
    bob = make_user(username="Bob")
    bob.set_password(PASSWORD)
    bob.save()
    for _try in range(6):
        log_in(Client(), name="bob", password="wrong")  # in another case, too
    browser = in_role("Administrator")
    assert "Unlock" in browser.get(page_of(bob)).content.decode()

    # when
    done = act(browser, bob, "unlock")

    # then
    assert said(done) == ["Bob may log in again."]
    assert log_in(Client(), name="Bob").status_code == 302
    assert "Unlock" not in browser.get(page_of(bob)).content.decode()
    change = StaffChange.objects.get()
    assert (change.what, change.actor) == (What.UNLOCKED, f"staff:{browser.user.pk}")


def test_wrong_codes_are_counted_too(ada, strict):
    # given
    codes = enrolled(ada)
    browser = Client()
    log_in(browser)
    for _try in range(5):
        browser.post(CODE, {"code": "000000"})

    # when
    answer = browser.post(CODE, {"code": codes[0]})

    # then
    assert answer.status_code == 429
    assert not is_in(browser)
    assert second_factor.backup_codes_left(ada) == 10


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_are_no_more_than_five(ada, strict):
    """Counted before the password is looked at."""
    # given
    start = Barrier(8)

    def attempt(number: int) -> int:
        try:
            start.wait()
            return log_in(Client(), password=f"guess {number}").status_code
        finally:
            connections.close_all()

    # when
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, range(8)))

    # then
    assert statuses == [200] * 5 + [429] * 3


# --- Sessions


@pytest.fixture
def clock(monkeypatch) -> Iterator[Any]:
    now = {"at": time.time()}
    monkeypatch.setattr("config.sessions.time.time", lambda: now["at"])
    return now


@pytest.mark.parametrize(
    ("waits", "inside"),
    [
        ([29], True),
        ([30], False),
        ([29, 29, 29], True),
        ([29] * 24, True),
        ([29] * 25, False),  # 12 hours are over
    ],
)
def test_sessions_end_when_idle_and_after_a_day(ada, clock, waits, inside):
    # given
    browser = Client()
    log_in(browser)
    browser.get("/admin/")

    # when
    for minutes in waits[:-1]:
        clock["at"] += minutes * 60
        browser.get("/admin/")
    clock["at"] += waits[-1] * 60

    # then
    assert is_in(browser) is inside


def test_without_limits_they_do_not(ada, clock, settings):
    # given
    settings.SESSION_IDLE_MINUTES = settings.SESSION_HOURS = 0
    browser = Client()
    log_in(browser)
    browser.get("/admin/")

    # when
    clock["at"] += 10**6

    # then
    assert is_in(browser)


def test_one_is_told_why_and_goes_on_from_there(ada, clock):
    # given
    browser = Client()
    log_in(browser)
    browser.get("/admin/")
    clock["at"] += 3600

    # when
    answer = browser.get("/admin/companies/company/", follow=True)

    # then
    assert "Your session has ended" in answer.content.decode()
    assert answer.redirect_chain[-1][0].endswith("?next=/admin/companies/company/")


def test_calls_of_one_minute_write_the_session_once(ada, clock):
    # given
    browser = Client()
    log_in(browser)
    browser.get("/admin/")
    stored = browser.session["seen_at"]

    # when
    clock["at"] += 59
    browser.get("/admin/")

    # then
    assert browser.session["seen_at"] == stored
    clock["at"] += 1
    browser.get("/admin/")
    assert browser.session["seen_at"] == stored + 60


def test_a_password_that_was_changed_ends_other_sessions(ada):
    # given
    one, other = Client(), Client()
    log_in(one)
    log_in(other)

    # when
    new = "another horse battery"
    values = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    one.post("/admin/password_change/", values)

    # then
    assert is_in(one)
    assert not is_in(other)
    assert StaffChange.objects.get().what == What.PASSWORD
