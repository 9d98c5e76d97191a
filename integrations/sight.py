"""Whoever sees some hierarchies, or all: an API client, or a member of staff."""

from typing import Any, Protocol


class Viewer(Protocol):
    """What `visible_to()` of every queryset asks of somebody."""

    sees_all_hierarchies: bool

    @property
    def pk(self) -> int: ...

    @property
    def allowed_hierarchies(self) -> Any:
        """Companies: with all below them they are what is seen."""

    def visible_companies(self) -> Any: ...
