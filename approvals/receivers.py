"""What happens here when companies and people change, or somebody asks what would."""

from collections.abc import Callable
from typing import Any

from companies.merging import Merging
from companies.models import Contact
from companies.preview import Standing

from . import services, stranding
from .merging import move_purchasing
from .standing import standing_of


def say_how_things_stand(company: int, **kwargs: Any) -> list[Standing]:
    return standing_of(company)


def watch_open_requests(
    contact: int | None, company: int | None, closing: bool, **kwargs: Any
) -> Callable[[], None]:
    if closing:
        return stranding.watch_closing(company)
    if contact is not None:
        return stranding.watch(stranding.concerning(contact))
    return stranding.watch(stranding.below(company))


def forget_texts(contact: Contact, **kwargs: Any) -> None:
    services.forget_texts_of(contact)


def move_along(merging: Merging, **kwargs: Any) -> None:
    move_purchasing(merging)
