"""Why somebody is reported."""

from enum import IntEnum


class ReportCategory(IntEnum):
    """The reasons there are. The numbers are stored."""

    OTHER = 0
    SPAM = 1
    LEGAL = 2
    VIOLATION = 3

    @property
    def word(self) -> str:
        """As the API spells it."""
        return self.name.lower()
