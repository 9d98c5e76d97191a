"""Small pieces of pages, all through format_html: names are never markup."""

import json
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def badge(value: str, text: Any = None) -> SafeString:
    """A state as a coloured word; static/konzern/admin.css has the colours."""
    return format_html(
        '<span class="kz-badge kz-{}">{}</span>',
        value.lower(),
        value if text is None else text,
    )


def link(obj: models.Model, text: Any = None) -> SafeString:
    """A link to the staff page of a row."""
    opts = obj._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk])
    return format_html(
        '<a class="kz-link" href="{}">{}</a>', url, obj if text is None else text
    )


def plain(value: Any) -> str:
    """A value of a history entry as people read it."""
    if value is None or value == "":
        return "\N{EN DASH}"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def joined(*parts: Any) -> str:
    """What there is of the parts, as one line."""
    return " · ".join(str(part) for part in parts if part)
