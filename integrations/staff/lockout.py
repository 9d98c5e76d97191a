"""Failed logins: after some of them nothing is tried for a quarter of an hour.

Counted in the database, for all processes: of an account from one address, and ten
times as many of an account from wherever, and from an address for whatever account. So
a stranger locks nobody out of the own office, and who tries many accounts, or from many
addresses, is stopped, too. Names that are no accounts are counted alike, so that nobody
learns which are.
"""

import unicodedata

from django.conf import settings
from django.utils.crypto import salted_hmac

from integrations.models import CallCount
from integrations.rates import Rate, blocked, count_failure

SECONDS = 15 * 60
TIMES = 10  # as many of an account, or from an address, as of both together
HERE, ACCOUNT, ADDRESS = "login", "login_account", "login_address"


def begin(name: str, address: str) -> int:
    """Count a try before it is made; for how many seconds none may be made, 0: it may.

    Before, since of many that come at once each would else be let through.
    """
    account = _digest(name)
    waits = [blocked(_wide(ACCOUNT), account), blocked(_wide(ADDRESS), address)]
    return max(*waits, count_failure(_here(), f"{account}@{address}"))


def failed(name: str, address: str) -> None:
    """Count what has gone wrong also for the account, and for the address."""
    count_failure(_wide(ACCOUNT), _digest(name))
    count_failure(_wide(ADDRESS), address)


def succeeded(name: str, address: str) -> None:
    """Nobody who knows the password is guessing."""
    CallCount.objects.filter(pk=f"{HERE}:{_digest(name)}@{address}").delete()


def is_locked(name: str) -> bool:
    """Whether the account is locked, from one address at least."""
    account = _digest(name)
    counted = CallCount.objects.filter(pk__startswith=f"{HERE}:{account}@")
    places = [key.partition("@")[2] for key in counted.values_list("pk", flat=True)]
    return bool(blocked(_wide(ACCOUNT), account)) or any(
        blocked(_here(), f"{account}@{place}") for place in places
    )


def unlock(name: str) -> None:
    """Let the account be tried again at once, from wherever it was locked."""
    account = _digest(name)
    CallCount.objects.filter(pk__startswith=f"{HERE}:{account}@").delete()
    CallCount.objects.filter(pk=f"{ACCOUNT}:{account}").delete()


def _here() -> Rate:
    return Rate(HERE, settings.WRONG_PASSWORDS, SECONDS)


def _wide(name: str) -> Rate:
    return Rate(name, settings.WRONG_PASSWORDS * TIMES, SECONDS)


def _digest(name: str) -> str:
    """The account without its name: what people type there may be a password."""
    typed = unicodedata.normalize("NFKC", name).casefold().strip()
    digest = salted_hmac("konzern.login", typed, algorithm="sha256")
    return digest.hexdigest()[:40]
