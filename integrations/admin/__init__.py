"""Staff pages of what other systems get."""

from . import access, home, staff, webhooks  # noqa: F401  (register their pages)
