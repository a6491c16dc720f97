"""Where filters hold and what becomes of what they meet. The numbers are stored."""

from collections.abc import Iterable
from enum import IntEnum, IntFlag
from functools import cache


class Context(IntFlag):
    """Where a filter holds: one or several."""

    HOME = 1
    NOTIFICATIONS = 2
    PUBLIC = 4
    THREAD = 8
    ACCOUNT = 16

    @classmethod
    def of(cls, names: Iterable[str]) -> "Context":
        """The contexts of these names."""
        sum_ = cls(0)
        for name in names:
            sum_ |= cls[name.upper()]
        return sum_

    @property
    def words(self) -> tuple[str, ...]:
        """Their names."""
        return _name(self.value)


@cache
def _name(contexts: int) -> tuple[str, ...]:
    return tuple(one.name.lower() for one in Context if one & contexts and one.name)


class FilterAction(IntEnum):
    """What becomes of a status: a warning stands before it, it is not shown, its media are blurred."""

    WARN = 0
    HIDE = 1
    BLUR = 2
