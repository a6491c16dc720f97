"""How far a quote is. The numbers are stored."""

from enum import IntEnum


class QuoteState(IntEnum):
    """From being asked for to what became of it. `DELETED`: what was quoted is gone."""

    PENDING = 0
    ACCEPTED = 1
    REJECTED = 2
    REVOKED = 3
    DELETED = 4

    @property
    def word(self) -> str:
        """The REST API's spelling."""
        return self.name.lower()
