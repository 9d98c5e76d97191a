"""The second factor of staff: codes of an app (TOTP, RFC 6238), and backup codes.

Secrets and codes are kept by django-otp, which lets each code be used once, and makes
whoever types wrong ones wait. Of backup codes only keyed digests are stored.
"""

import base64
import secrets
from typing import Any

import segno
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.crypto import salted_hmac
from django_otp import verify_token
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.actors import Actor
from integrations.models import StaffChange

BACKUP_CODES = 10
CHARACTERS = 10  # of a backup code, five bits each
DIGEST = 16  # characters that the table of the library has room for: 80 bits


def is_enrolled(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user.pk, confirmed=True).exists()


def has_passed(user: Any) -> bool:
    """Whether the session of the user has seen a code; nobody's who just logged in."""
    return getattr(user, "otp_device", None) is not None


def is_satisfied(user: Any) -> bool:
    """Whether somebody who has given the password need not give a code, or has."""
    if has_passed(user):
        return True
    return not settings.SECOND_FACTOR_REQUIRED and not is_enrolled(user)


def offer(user: User) -> TOTPDevice:
    """What an app has to know; counts once a code of it was given."""
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None:
        device = TOTPDevice(user=user, name="app", confirmed=False)
        device.save()
    return device


def secret_of(device: TOTPDevice) -> str:
    """The secret as people type it: base32, in groups of four."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def picture_of(device: TOTPDevice) -> dict[str, Any]:
    """A QR code for the app, as the path of an SVG of so many squares."""
    rows = segno.make(device.config_url, error="m").matrix
    squares = (
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, is_dark in enumerate(row)
        if is_dark
    )
    return {"size": len(rows), "path": "".join(squares)}


@transaction.atomic
def enrol(user: User, code: str) -> tuple[Device, list[str]] | None:
    """Take the app that the code is of, in the place of any other; with backup codes.

    None if the code is wrong.
    """
    device = verify_token(user, offer(user).persistent_id, _digits(code))
    if device is None:
        return None
    TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = _make_backup_codes(user)
    what = StaffChange.What.ENROLLED
    StaffChange.note(user, what, actor=Actor.staff(user.pk))
    return device, codes


def verify(user: User, code: str) -> Device | None:
    """The device that the code is of, which is used up by it; None if it is wrong."""
    for devices, typed in (
        (TOTPDevice.objects.filter(user=user, confirmed=True), _digits(code)),
        (StaticDevice.objects.filter(user=user, confirmed=True), _digest(user, code)),
    ):
        is_app = devices.model is TOTPDevice
        if is_app != typed.isdecimal():
            continue
        for device in devices:
            found = verify_token(user, device.persistent_id, typed)
            if found is not None:
                return found
    return None


@transaction.atomic
def renew_backup_codes(user: User) -> list[str]:
    """Other backup codes; those before them count no more. Shown once."""
    codes = _make_backup_codes(user)
    what = StaffChange.What.BACKUP_CODES
    StaffChange.note(user, what, actor=Actor.staff(user.pk))
    return codes


def backup_codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user.pk).count()


@transaction.atomic
def reset(user: User, *, actor: Actor, reason: str = "") -> None:
    """Forget app and backup codes: whoever has lost both sets up others."""
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    StaffChange.note(user, StaffChange.What.RESET, actor=actor, reason=reason)


def _make_backup_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="backup codes")
    codes = []
    for _number in range(BACKUP_CODES):
        code = base64.b32encode(secrets.token_bytes(10)).decode().lower()[:CHARACTERS]
        codes.append(f"{code[:5]}-{code[5:]}")
        device.token_set.create(token=_digest(user, code))
    return codes


def _digits(code: str) -> str:
    return "".join(code.split()) if code.isascii() else ""


def _digest(user: User, code: str) -> str:
    typed = code.strip().lower().replace("-", "").replace(" ", "")
    if typed.isdecimal() or not typed:
        return "0"  # no backup code
    made = salted_hmac(f"konzern.backup:{user.pk}", typed, algorithm="sha256").digest()
    return base64.b32encode(made).decode()[:DIGEST]
