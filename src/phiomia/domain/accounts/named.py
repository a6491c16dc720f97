"""Accounts by what others call them: names of ours, ids of theirs."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_OURS = Query(
    select(accounts.c.username_key, accounts.c.id).where(
        any_of(accounts.c.username_key, listed("names", str)),
        accounts.c.domain == "",
        accounts.c.state < P("state"),
    )
)
_THEIRS = Query(
    select(accounts.c.uri, accounts.c.id).where(any_of(accounts.c.uri, listed("uris", str)), accounts.c.uri != "")
)


async def find_ours(session: ReadSession, names: Sequence[str]) -> dict[str, int]:
    """The local accounts among the names, by their names in lower case; suspended ones are not among them."""
    wanted = [name.lower() for name in names]
    if not wanted:
        return {}
    rows = await session.all(_OURS, names=wanted, state=int(AccountState.SUSPENDED))
    return {row[0]: row[1] for row in rows}


async def find_theirs(session: ReadSession, uris: Sequence[str]) -> dict[str, int]:
    """The known accounts of other servers among the ids."""
    return {row[0]: row[1] for row in await session.all(_THEIRS, uris=list(uris))} if uris else {}
