"""What happens here when companies and people change."""

from typing import Any

from companies.models import Company, Contact

from . import services
from .preview import preview_move


def tell_what_a_move_changes(
    company: Company, parent: Company | None, **kwargs: Any
) -> list[str]:
    return preview_move(company, parent)


def forget_texts(contact: Contact, **kwargs: Any) -> None:
    services.forget_texts_of(contact)
