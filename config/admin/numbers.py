"""Numbers with decimals as the reader writes them: "1.250,00" in German.

Never guessed: what has another form is refused, so that "1.250" is 1250 in German and
1.25 in English, and "1.25" is nothing in German.
"""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.formats import get_format, number_format
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget


def with_point(text: str) -> str:
    """A number in the form of the reader's language, in that of Python."""
    point, group = get_format("DECIMAL_SEPARATOR"), get_format("THOUSAND_SEPARATOR")
    whole = rf"[+-]?([0-9]+|[0-9]{{1,3}}({re.escape(group)}[0-9]{{3}})+)"
    if not re.fullmatch(rf"{whole}({re.escape(point)}[0-9]+)?", text.strip()):
        example = number_format(Decimal("1250.50"), 2, force_grouping=True)
        raise ValidationError(
            _("Not a number such as %(example)s."),
            code="invalid",
            params={"example": example},
        )
    return text.strip().replace(group, "").replace(point, ".")


class ReadersDecimalField(forms.DecimalField):
    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return number_format(value) if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Decimal | None:
        given = isinstance(value, str) and value.strip()
        return super().to_python(with_point(value) if given else value)


READERS_NUMBERS = {
    models.DecimalField: {
        "form_class": ReadersDecimalField,
        "widget": UnfoldAdminTextInputWidget,
    }
}
