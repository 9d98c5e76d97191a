"""What happens here when companies and people change."""

from typing import Any

from companies.models import Contact

from . import services


def forget_texts(contact: Contact, **kwargs: Any) -> None:
    services.forget_texts_of(contact)
