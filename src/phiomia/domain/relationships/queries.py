"""Reading what holds between accounts: one pair, one viewer and many, and the lists."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, Table, and_, false, func, literal, or_, select, true, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import (
    exists_pair,
    is_blocked_between,
    is_followed,
    is_of_blocked_domain,
    lasts,
    not_blocked,
    not_blocked_or_muted,
)
from phiomia.domain.relationships.models import account_notes, blocks, endorsements, follow_requests, follows, mutes
from phiomia.domain.relationships.views import Entry, FollowView, MuteEntry, RelationshipView
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.session import Row
from phiomia.platform.paging import Page, Paged

_VIEWER = P("viewer")
_decode_languages = msgspec.json.Decoder(tuple[str, ...]).decode


def _from_viewer(table: FromClause, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(table.c.account_id == _VIEWER, table.c.target_id == accounts.c.id, *more)


_RELATIONSHIPS = Query(
    select(
        accounts.c.id,
        follows.c.id.is_not(None),
        func.coalesce(follows.c.show_boosts, follow_requests.c.show_boosts, false()),
        func.coalesce(follows.c.notify, follow_requests.c.notify, false()),
        func.coalesce(follows.c.languages, follow_requests.c.languages),
        exists_pair(follows, accounts.c.id, _VIEWER),
        exists_pair(blocks, _VIEWER, accounts.c.id),
        exists_pair(blocks, accounts.c.id, _VIEWER),
        mutes.c.id.is_not(None),
        func.coalesce(mutes.c.hide_notifications, false()),
        mutes.c.expires_at,
        follow_requests.c.id.is_not(None),
        exists_pair(follow_requests, accounts.c.id, _VIEWER),
        is_of_blocked_domain(accounts.c.id, _VIEWER),
        exists_pair(endorsements, _VIEWER, accounts.c.id),
        func.coalesce(account_notes.c.comment, literal("")),
    )
    .select_from(accounts)
    .outerjoin(follows, _from_viewer(follows))
    .outerjoin(follow_requests, _from_viewer(follow_requests))
    .outerjoin(mutes, _from_viewer(mutes, lasts(mutes)))
    .outerjoin(account_notes, _from_viewer(account_notes))
    .where(
        any_of(accounts.c.id, listed("ids")),
        or_(accounts.c.state != AccountState.SUSPENDED, P("with_suspended", bool)),
    )
)


async def load_relationships(
    session: ReadSession, viewer_id: int, ids: Sequence[int], *, with_suspended: bool = True
) -> list[RelationshipView]:
    """What holds between the viewer and each of `ids`, in their order; those that don't exist are left out."""
    if not ids:
        return []
    rows = await session.all(
        _RELATIONSHIPS, viewer=viewer_id, ids=list(ids), now=now_ms(), with_suspended=with_suspended
    )
    views = {row[0]: _relationship(row) for row in rows}
    return [views[id_] for id_ in dict.fromkeys(ids) if id_ in views]


def _relationship(row: Row) -> RelationshipView:
    # SQLite gives 0 and 1 for what is not a column.
    return RelationshipView(
        row[0],
        bool(row[1]),
        bool(row[2]),
        bool(row[3]),
        None if row[4] is None else _decode_languages(row[4]),
        bool(row[5]),
        bool(row[6]),
        bool(row[7]),
        bool(row[8]),
        bool(row[9]),
        row[10],
        bool(row[11]),
        bool(row[12]),
        bool(row[13]),
        bool(row[14]),
        row[15],
    )


_IS_FOLLOWING = Query(select(is_followed(P("target"), P("account"))))
_IS_BLOCKED_BETWEEN = Query(select(is_blocked_between(P("one"), P("other"))))


async def is_following(session: ReadSession, account_id: int, target_id: int) -> bool:
    """Whether the one follows the other."""
    return bool(await session.value(_IS_FOLLOWING, account=account_id, target=target_id))


async def are_blocked(session: ReadSession, one_id: int, other_id: int) -> bool:
    """Whether either blocks the other."""
    return bool(await session.value(_IS_BLOCKED_BETWEEN, one=one_id, other=other_id))


def _follow_view(column: str, *names: str) -> Query:
    return Query(
        union_all(
            *(
                select(*(table.c[name] for name in ("id", "account_id", "target_id", "uri")), pending).where(
                    *(table.c[name] == P(name) for name in (column, *names))
                )
                for table, pending in ((follows, false()), (follow_requests, true()))
            )
        )
    )


_FOLLOW_BY_ID = _follow_view("id")
_FOLLOW_OF_PAIR = _follow_view("account_id", "target_id")


async def find_follow(session: ReadSession, follow_id: int) -> FollowView | None:
    """The follow or request of an id, which it keeps when the one becomes the other."""
    row = await session.one(_FOLLOW_BY_ID, id=follow_id)
    return None if row is None else FollowView(row[0], row[1], row[2], row[3], bool(row[4]))


async def find_follow_between(session: ReadSession, account_id: int, target_id: int) -> FollowView | None:
    """The follow or request of one account towards another."""
    row = await session.one(_FOLLOW_OF_PAIR, account_id=account_id, target_id=target_id)
    return None if row is None else FollowView(row[0], row[1], row[2], row[3], bool(row[4]))


def _listing(table: Table, owner: str, shown: str, *conditions: ColumnElement[bool], more: Sequence[Any] = ()) -> Paged:
    """Rows of one account in `table`, without those who are suspended."""
    return Paged(
        select(table.c.id, table.c[shown], *more)
        .join(accounts, accounts.c.id == table.c[shown])
        .where(table.c[owner] == P("account"), accounts.c.state != AccountState.SUSPENDED, *conditions),
        table.c.id,
    )


def _may_list() -> ColumnElement[bool]:
    """The viewer may see whom the account follows and who follows it."""
    owner = accounts.alias("owner")
    open_to_all = and_(
        func.coalesce(owner.c.hide_collections, false()).is_(false()), ~exists_pair(blocks, owner.c.id, _VIEWER)
    )
    return (
        select(owner.c.id)
        .where(
            owner.c.id == P("account"),
            owner.c.state != AccountState.SUSPENDED,
            or_(owner.c.id == _VIEWER, open_to_all),
        )
        .correlate_except(owner)
        .exists()
    )


def _public_listing(owner: str, shown: str) -> Paged:
    return _listing(follows, owner, shown, _may_list(), not_blocked_or_muted(follows.c[shown], P("unwanted_by")))


_FOLLOWERS = _public_listing("target_id", "account_id")
_FOLLOWING = _public_listing("account_id", "target_id")
_BLOCKS = _listing(blocks, "account_id", "target_id")
_MUTES = _listing(mutes, "account_id", "target_id", lasts(mutes), more=(mutes.c.expires_at,))
_REQUESTS = _listing(follow_requests, "target_id", "account_id")
_ENDORSEMENTS = _listing(endorsements, "account_id", "target_id", not_blocked(endorsements.c.account_id, _VIEWER))


async def list_followers(session: ReadSession, account_id: int, page: Page, viewer_id: int = 0) -> list[Entry]:
    """Who follows the account, as far as the viewer (0: nobody) may know."""
    return await _list_for_viewer(session, _FOLLOWERS, account_id, page, viewer_id)


async def list_following(session: ReadSession, account_id: int, page: Page, viewer_id: int = 0) -> list[Entry]:
    """Whom the account follows, as far as the viewer (0: nobody) may know."""
    return await _list_for_viewer(session, _FOLLOWING, account_id, page, viewer_id)


async def _list_for_viewer(
    session: ReadSession, paged: Paged, account_id: int, page: Page, viewer_id: int
) -> list[Entry]:
    # One's own list is whole: whoever one blocked or muted there can be found and removed.
    unwanted_by = 0 if viewer_id == account_id else viewer_id
    return await paged.views(
        session, Entry, page, account=account_id, viewer=viewer_id, unwanted_by=unwanted_by, now=now_ms()
    )


async def list_blocks(session: ReadSession, account_id: int, page: Page) -> list[Entry]:
    """Whom the account blocks."""
    return await _BLOCKS.views(session, Entry, page, account=account_id)


async def list_mutes(session: ReadSession, account_id: int, page: Page) -> list[MuteEntry]:
    """Whom the account mutes now, and until when."""
    return await _MUTES.views(session, MuteEntry, page, account=account_id, now=now_ms())


async def list_follow_requests(session: ReadSession, account_id: int, page: Page) -> list[Entry]:
    """Who asks to follow the account."""
    return await _REQUESTS.views(session, Entry, page, account=account_id)


async def list_endorsements(session: ReadSession, account_id: int, page: Page, viewer_id: int = 0) -> list[Entry]:
    """Whom the account shows on its profile; nobody where it and the viewer (0: nobody) block each other."""
    return await _ENDORSEMENTS.views(session, Entry, page, account=account_id, viewer=viewer_id)
