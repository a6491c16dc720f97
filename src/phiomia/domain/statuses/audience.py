"""Whom what an account posts may concern: one look, which spares those who would find nothing their own."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, case, exists, literal, select, true

from phiomia.domain.accounts.models import accounts
from phiomia.domain.peers.models import relays
from phiomia.domain.peers.relays import RelayState
from phiomia.domain.relationships.models import follows, list_accounts
from phiomia.platform import limits
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.db.together import json_of_rows


class Audience(NamedTuple):
    """What may be so as far as anybody knows; where nothing is said, everything."""

    followers: int | None = None
    indexable: bool = False  # everybody may search what the author says in public
    bells: bool = True  # a follower wants to be told of each status
    elsewhere: bool = True  # somebody on another server follows
    relays: bool = True  # what is public is passed on
    lists: Sequence[int] | None = None  # those the author is in


# The limit also keeps planners to their order: from the followers to who they are.
_followers = (
    select(follows.c.account_id, follows.c.notify)
    .where(follows.c.target_id == P("id"))
    .limit(literal(limits.FAN_OUT_AT_ONCE))
    .subquery("followers")
)
_follower = accounts.alias("follower")
_domain = select(_follower.c.domain).where(_follower.c.id == _followers.c.account_id).scalar_subquery()


def _one_follower(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    # A crowd is not looked through: what is asked of it may well be so.
    crowd = accounts.c.followers_count > limits.FAN_OUT_AT_ONCE
    there = select(_followers.c.account_id).where(condition).limit(literal(1)).scalar_subquery().is_not(None)
    return case((crowd, true()), else_=there)


_LOOK = Query(
    select(
        accounts.c.followers_count,
        accounts.c.indexable,
        _one_follower(_followers.c.notify),
        _one_follower(_domain != ""),
        exists(select(relays.c.id).where(relays.c.state == RelayState.ACCEPTED)),
        select(json_of_rows(list_accounts.c.list_id)).where(list_accounts.c.account_id == P("id")).scalar_subquery(),
    ).where(accounts.c.id == P("id"))
)
_decode = msgspec.json.Decoder(list[tuple[int]]).decode


async def load_audience(session: ReadSession, account_id: int) -> Audience:
    """Whom the next status of an account may concern."""
    row = await session.one(_LOOK, id=account_id)
    if row is None:
        return Audience()
    followers, indexable, bells, elsewhere, relayed, lists = row
    listed = [list_id for (list_id,) in _decode(lists)] if lists else []
    return Audience(followers, bool(indexable), bool(bells), bool(elsewhere), bool(relayed), listed)
