"""Who a status is meant for. The numbers are stored."""

from enum import IntEnum


class Visibility(IntEnum):
    """From everybody to those mentioned."""

    PUBLIC = 0
    UNLISTED = 1
    PRIVATE = 2
    DIRECT = 3

    @property
    def word(self) -> str:
        """The REST API's spelling."""
        return self.name.lower()


WORDS = {visibility.word: visibility for visibility in Visibility}
