"""What statuses quote, and what of it a viewer is shown."""

from enum import IntEnum
from typing import NamedTuple


class QuoteView(NamedTuple):
    """The quote of a status, the same for every viewer. `quoted_id` is None for what is gone or not known."""

    state: int
    quoted_id: int | None
    quoted_uri: str = ""
    approval_uri: str = ""


class Standing(IntEnum):
    """How a viewer stands to what is quoted. All but the second are shown it, some with a warning."""

    FINE = 0
    UNAUTHORIZED = 1
    BLOCKED_ACCOUNT = 2
    BLOCKED_DOMAIN = 3
    MUTED_ACCOUNT = 4
