"""Staff pages of what other systems get."""

from . import (  # noqa: F401  (register their pages)
    access,
    home,
    names,
    search,
    staff,
    webhooks,
)
