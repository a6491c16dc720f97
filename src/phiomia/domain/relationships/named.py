"""Follows and blocks by the ids that servers gave them."""

from typing import NamedTuple

from sqlalchemy import Table, or_, select

from phiomia.domain.relationships.models import blocks, follow_requests, follows
from phiomia.platform.db import P, Query, ReadSession


class Pair(NamedTuple):
    """Who did it to whom."""

    account_id: int
    target_id: int


def _by_uri(table: Table) -> Query:
    return Query(
        select(table.c.account_id, table.c.target_id).where(
            table.c.account_id == P("account"), table.c.uri == P("uri", str), table.c.uri != ""
        )
    )


def _sent_to(table: Table) -> Query:
    return Query(
        select(table.c.account_id, table.c.target_id).where(
            table.c.target_id == P("target"), or_(table.c.id == P("number"), table.c.uri == P("uri", str))
        )
    )


_FOLLOWS, _REQUESTS, _BLOCKS = _by_uri(follows), _by_uri(follow_requests), _by_uri(blocks)
_SENT_REQUEST, _SENT_FOLLOW = _sent_to(follow_requests), _sent_to(follows)


async def find_follow(session: ReadSession, account_id: int, uri: str) -> Pair | None:
    """What the account of another server has called so: a follow, or a request for one."""
    for query in (_FOLLOWS, _REQUESTS):
        row = await session.one(query, account=account_id, uri=uri)
        if row is not None:
            return Pair(*row)
    return None


async def find_block(session: ReadSession, account_id: int, uri: str) -> Pair | None:
    """The block that the account of another server has called so."""
    return await session.view(Pair, _BLOCKS, account=account_id, uri=uri)


async def find_sent(session: ReadSession, target_id: int, number: int, uri: str) -> Pair | None:
    """The follow, or request, that a member sent to `target_id` under that number or id."""
    for query in (_SENT_REQUEST, _SENT_FOLLOW):
        row = await session.one(query, target=target_id, number=number, uri=uri)
        if row is not None:
            return Pair(*row)
    return None
