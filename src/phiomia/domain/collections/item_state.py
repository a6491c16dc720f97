"""Whether who is in a collection agrees to that."""

from enum import IntEnum


class ItemState(IntEnum):
    """The states there are. The numbers are stored."""

    PENDING = 0
    ACCEPTED = 1
    REJECTED = 2
    REVOKED = 3

    @property
    def word(self) -> str:
        """As the API spells it."""
        return self.name.lower()
