"""Business customers of Emporix, from the JSON of its API.

Its legal entities, locations, contact assignments and groups become our companies,
locations, people, limits and groups: by our own imports and services, all or nothing.
What has no place here is counted by field. See docs/coming-from-emporix.md.
"""

from .findings import EmporixRefused, Refusal
from .running import Report, import_emporix

__all__ = ["EmporixRefused", "Refusal", "Report", "import_emporix"]
