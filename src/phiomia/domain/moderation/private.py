"""What belongs to an account and to nobody else: it goes with the account, though its row stays."""

from functools import cache
from typing import Final

from sqlalchemy import delete

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, WriteSession

# What was written and done goes through verbs before, votes count on without a name, moderators keep their files,
# and media is cleaned up with what is stored of it.
_ELSEWHERE: Final = frozenset(
    {"favourites", "follows", "follow_requests", "media", "poll_votes", "reports", "statuses"}
)


async def forget_private(session: WriteSession, account_id: int) -> None:
    """Deletes lists, filters, bookmarks, notifications and whatever else hangs on an account."""
    for query in _queries():
        await session.execute(query, id=account_id)


@cache
def _queries() -> list[Query]:
    """One for each column that points at the account and would go with its row."""
    return [
        Query(delete(table).where(column == P("id")))
        for table in reversed(accounts.metadata.sorted_tables)
        if table.name not in _ELSEWHERE
        for column in table.columns
        for key in column.foreign_keys
        if key.column is accounts.c.id and key.ondelete == "CASCADE"
    ]
