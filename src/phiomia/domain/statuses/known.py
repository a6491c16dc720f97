"""Statuses by the names that other servers call them by."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.statuses.models import poll_options, polls, statuses
from phiomia.platform.db import P, Query, ReadSession, any_of, listed


class Known(NamedTuple):
    """A status that is stored here, ours or another server's."""

    id: int
    uri: str
    account_id: int
    local: bool
    visibility: int
    created_at: int
    edited_at: int | None
    reblog_of_id: int | None
    in_reply_to_id: int | None
    poll_id: int | None


_known = select(*[statuses.c[name] for name in Known._fields])
_BY_URI = Query(_known.where(statuses.c.uri == P("uri", str), statuses.c.uri != ""))
_BY_URIS = Query(
    select(statuses.c.uri, statuses.c.id).where(any_of(statuses.c.uri, listed("uris", str)), statuses.c.uri != "")
)
_OURS = Query(
    _known.join(accounts, accounts.c.id == statuses.c.account_id).where(
        statuses.c.id == P("id"), accounts.c.username_key == P("username", str), accounts.c.domain == ""
    )
)
_BY_ID = Query(_known.where(statuses.c.id == P("id")))
_ANSWERS = Query(
    select(polls.c.id, poll_options.c.title, poll_options.c.position)
    .join(poll_options, poll_options.c.poll_id == polls.c.id)
    .where(polls.c.status_id == P("id"))
    .order_by(poll_options.c.position)
)


async def find_by_uri(session: ReadSession, uri: str) -> Known | None:
    """The status of another server with that id, if it is stored."""
    return await session.view(Known, _BY_URI, uri=uri)


async def find_ids_by_uri(session: ReadSession, uris: Sequence[str]) -> dict[str, int]:
    """The numbers here of those that are stored."""
    return {row[0]: row[1] for row in await session.all(_BY_URIS, uris=list(uris))} if uris else {}


async def find_ours(session: ReadSession, username: str, status_id: int) -> Known | None:
    """A local account's status."""
    return await session.view(Known, _OURS, id=status_id, username=username.lower())


async def find_by_id(session: ReadSession, status_id: int) -> Known | None:
    """A status by its number, whoever may see it."""
    return await session.view(Known, _BY_ID, id=status_id)


async def find_answers(session: ReadSession, status_id: int) -> tuple[int, dict[str, int]] | None:
    """The id of a status's poll with the places of its answers; None if it has no poll."""
    rows = await session.all(_ANSWERS, id=status_id)
    return (rows[0][0], {row[1]: row[2] for row in rows}) if rows else None
