"""Whom somebody might like to follow, and why."""

from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, literal, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import exists_pair, not_blocked_or_muted
from phiomia.domain.relationships.models import follow_requests, follows, suggestion_dismissals
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession

_VIEWER = P("viewer")


class Source(StrEnum):
    """Why an account is suggested."""

    FRIENDS = "friends_of_friends"
    MOST_FOLLOWED = "most_followed"


class Suggestion(NamedTuple):
    """An account with the reasons."""

    account_id: int
    sources: list[Source]


class DirectoryPart(NamedTuple):
    """Which part of the directory; `newest` orders by age instead of activity."""

    limit: int
    offset: int
    newest: bool = False
    local: bool = False


_can_be_shown: ColumnElement[bool] = and_(
    accounts.c.state == AccountState.ACTIVE, accounts.c.moved_to_id.is_(None), accounts.c.discoverable.is_(True)
)
# What few accounts are in the way of is asked of few: those that lead before it is asked.
_LEADING: Final = 200
_unknown: ColumnElement[bool] = and_(accounts.c.id != _VIEWER, ~exists_pair(follows, _VIEWER, accounts.c.id))
_mine, _theirs, _friend = follows.alias("mine"), follows.alias("theirs"), accounts.alias("friend")
_ways = (
    select(_theirs.c.target_id, func.count().label("ways"))
    .select_from(
        _mine.join(_friend, _friend.c.id == _mine.c.target_id).join(_theirs, _theirs.c.account_id == _mine.c.target_id)
    )
    # Who hides whom they follow gives nobody away here either.
    .where(_mine.c.account_id == _VIEWER, func.coalesce(_friend.c.hide_collections, false()).is_(false()))
    .group_by(_theirs.c.target_id)
    .subquery("ways")
)


def _leading(source: FromClause, rank: ColumnElement[int], *conditions: ColumnElement[bool]) -> Query:
    """Of those that lead by `rank`, then by followers, the first that nothing is in the way of."""
    followers = accounts.c.followers_count
    leading = (
        select(accounts.c.id, rank.label("rank"), followers)
        .select_from(source)
        .where(_can_be_shown, _unknown, *conditions)
        .order_by(rank.desc(), followers.desc(), accounts.c.id)
        .limit(P("limit") + literal(_LEADING))
        .subquery("leading")
    )
    dismissed = suggestion_dismissals.alias("dismissed")
    refused = select(dismissed.c.target_id).where(
        dismissed.c.account_id == _VIEWER, dismissed.c.target_id == leading.c.id
    )
    return Query(
        select(leading.c.id)
        .where(
            ~exists_pair(follow_requests, _VIEWER, leading.c.id),
            not_blocked_or_muted(leading.c.id, _VIEWER),
            ~refused.correlate_except(dismissed).exists(),
        )
        .order_by(leading.c.rank.desc(), leading.c.followers_count.desc(), leading.c.id)
        .limit(P("limit"))
    )


_FRIENDS = _leading(_ways.join(accounts, accounts.c.id == _ways.c.target_id), _ways.c.ways)
_MOST_FOLLOWED = _leading(accounts, accounts.c.followers_count, accounts.c.followers_count > 0)
_DISMISS = Query(
    lambda insert: (
        insert(suggestion_dismissals).values(account_id=P("account"), target_id=P("target")).on_conflict_do_nothing()
    )
)


def _directory(newest: bool) -> Query:
    order = accounts.c.id.desc() if newest else func.coalesce(accounts.c.last_status_at, 0).desc()
    listing: Select[tuple[int]] = (
        select(accounts.c.id)
        .where(
            _can_be_shown,
            or_(accounts.c.domain == "", P("everywhere", bool)),
            not_blocked_or_muted(accounts.c.id, _VIEWER),
        )
        .order_by(order, accounts.c.id.desc())
        .limit(P("limit"))
        .offset(P("offset"))
    )
    return Query(listing)


_NEWEST, _MOST_ACTIVE = _directory(True), _directory(False)


async def suggest_accounts(session: ReadSession, viewer_id: int, limit: int, offset: int = 0) -> list[Suggestion]:
    """Whom the viewer might like to follow: whom those they follow do, then whom most do. Looks through follows."""
    asked = {"viewer": viewer_id, "now": now_ms(), "limit": limit + offset}
    found: dict[int, list[Source]] = {}
    for source, query in ((Source.FRIENDS, _FRIENDS), (Source.MOST_FOLLOWED, _MOST_FOLLOWED)):
        for account_id in await session.column(query, **asked):
            found.setdefault(account_id, []).append(source)
    return [Suggestion(*one) for one in found.items()][offset : offset + limit]


async def dismiss_suggestion(session: WriteSession, account_id: int, target_id: int) -> None:
    """Never suggests that account again. Raises NotFound."""
    await require_account(session, target_id)
    await session.execute(_DISMISS, account=account_id, target=target_id)


async def list_directory(session: ReadSession, viewer_id: int, part: DirectoryPart) -> list[int]:
    """Accounts that want to be found. Looks through the accounts."""
    return await session.column(
        _NEWEST if part.newest else _MOST_ACTIVE,
        viewer=viewer_id,
        now=now_ms(),
        everywhere=not part.local,
        limit=part.limit,
        offset=part.offset,
    )
