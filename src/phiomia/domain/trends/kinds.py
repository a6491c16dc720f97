"""What can be talked about, and what moderators say of it."""

from enum import IntEnum


class TrendKind(IntEnum):
    """The kinds there are. The numbers are stored."""

    TAG = 0
    STATUS = 1
    LINK = 2

    @property
    def word(self) -> str:
        """As commands spell it."""
        return self.name.lower()


class Verdict(IntEnum):
    """What was decided about one of them. The numbers are stored."""

    ALLOWED = 1
    REJECTED = 2
