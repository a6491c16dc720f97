"""What statuses quote, and what of it a viewer is shown."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import select

from phiomia.domain.statuses.models import quotes
from phiomia.platform.db import Query, ReadSession, any_of, listed


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


_QUOTES = Query(
    select(quotes.c.status_id, quotes.c.state, quotes.c.quoted_id, quotes.c.quoted_uri, quotes.c.approval_uri).where(
        any_of(quotes.c.status_id, listed("ids"))
    )
)


async def load_quotes(session: ReadSession, ids: Sequence[int]) -> dict[int, QuoteView]:
    """The quotes of statuses, by the quoting one."""
    return {row[0]: QuoteView(*row[1:]) for row in await session.all(_QUOTES, ids=list(ids))}
