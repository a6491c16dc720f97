"""What could not be had from where it lives."""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


class Unresolved(Exception):
    """Something could not be had from where it lives. `retry` says whether trying later makes sense."""

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


class Gone(Unresolved):
    """Its server says that it does not exist, or (`for_good`) no more."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good
