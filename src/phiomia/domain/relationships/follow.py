"""Following an account, or asking to."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Table, case, func, null, or_, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, NotAllowed, NotFound
from phiomia.domain.relationships.conditions import is_blocked_between, is_of_blocked_domain
from phiomia.domain.relationships.counters import count_follow
from phiomia.domain.relationships.events import FollowAccepted, Followed, FollowRequested
from phiomia.domain.relationships.models import follow_requests, follows
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.limits import FOLLOW_RATIO, FOLLOWS_BEFORE_RATIO


class _Standing(NamedTuple):
    """The two accounts, and what is between them already."""

    actor_domain: str
    actor_state: int
    actor_follows: int
    actor_followers: int
    target_domain: str
    target_state: int
    target_locked: bool
    target_moved_to: int | None
    follow_id: int | None
    request_id: int | None
    blocked: bool


_actor, _target = accounts.alias("actor"), accounts.alias("target")
_STANDING = Query(
    select(
        _actor.c.domain,
        _actor.c.state,
        _actor.c.following_count,
        _actor.c.followers_count,
        _target.c.domain,
        _target.c.state,
        _target.c.locked,
        _target.c.moved_to_id,
        follows.c.id,
        follow_requests.c.id,
        or_(is_blocked_between(_actor.c.id, _target.c.id), is_of_blocked_domain(_actor.c.id, _target.c.id)),
    )
    .select_from(_actor)
    .join(_target, _target.c.id == P("target"))
    .outerjoin(follows, (follows.c.account_id == _actor.c.id) & (follows.c.target_id == _target.c.id))
    .outerjoin(
        follow_requests,
        (follow_requests.c.account_id == _actor.c.id) & (follow_requests.c.target_id == _target.c.id),
    )
    .where(_actor.c.id == P("actor"))
)


_COLUMNS = ("id", "account_id", "target_id", "created_at", "show_boosts", "notify", "languages", "uri")


def _insert(table: Table) -> Query:
    return Query(
        lambda insert: (
            insert(table)
            .values({name: column_parameter(table, name) for name in _COLUMNS})
            .on_conflict_do_nothing(index_elements=["account_id", "target_id"])
        )
    )


def _change(table: Table) -> Query:
    languages, uri = P("new_languages", str), P("new_uri", str)
    return Query(
        update(table)
        .where(table.c.id == P("row"))
        .values(
            show_boosts=func.coalesce(P("new_boosts", bool), table.c.show_boosts),
            notify=func.coalesce(P("new_notify", bool), table.c.notify),
            languages=case((languages.is_(None), table.c.languages), (languages == "[]", null()), else_=languages),
            uri=case((uri == "", table.c.uri), else_=uri),
        )
    )


_INSERT_FOLLOW, _INSERT_REQUEST = _insert(follows), _insert(follow_requests)
_CHANGE_FOLLOW, _CHANGE_REQUEST = _change(follows), _change(follow_requests)


async def follow(
    session: WriteSession,
    actor_id: int,
    target_id: int,
    *,
    reblogs: bool | None = None,
    notify: bool | None = None,
    languages: Sequence[str] | None = None,
    uri: str = "",
) -> None:
    """Follows an account, or asks to when it is locked or elsewhere or the actor is limited.

    A second time it only changes the options: None leaves one as it is, no languages mean all of them. `uri` is
    the follow's name on the actor's own server. Raises NotFound, NotAllowed (a block, an account that moved),
    Invalid (too many follows).
    """
    standing = await _load_standing(session, actor_id, target_id)
    options = _Options(reblogs, notify, None if languages is None else msgspec.json.encode(languages).decode(), uri)
    if standing.follow_id is not None:
        await _change_options(session, _CHANGE_FOLLOW, standing.follow_id, options)
        if standing.actor_domain:
            await record(session, FollowAccepted(actor_id, target_id, standing.follow_id, uri))
    elif standing.request_id is not None:
        await _change_options(session, _CHANGE_REQUEST, standing.request_id, options)
    else:
        _check_new(standing)
        await _begin(session, actor_id, target_id, standing, options)


class _Options(NamedTuple):
    reblogs: bool | None
    notify: bool | None
    languages: str | None
    uri: str


async def _load_standing(session: WriteSession, actor_id: int, target_id: int) -> _Standing:
    row = await session.one(_STANDING, actor=actor_id, target=target_id)
    if row is None or actor_id == target_id:
        raise NotFound()
    standing = _Standing(*row)
    if standing.target_state == AccountState.SUSPENDED:
        raise NotFound()
    if standing.blocked:
        raise NotAllowed()
    return standing


def _check_new(standing: _Standing) -> None:
    if standing.target_moved_to is not None:
        raise NotAllowed()
    limit = FOLLOWS_BEFORE_RATIO
    if standing.actor_follows >= FOLLOWS_BEFORE_RATIO:
        limit = max(limit, round(standing.actor_followers * FOLLOW_RATIO))
    if not standing.actor_domain and standing.actor_follows >= limit:
        raise Invalid(f"You can follow at most {limit} accounts")


async def _change_options(session: WriteSession, query: Query, row_id: int, options: _Options) -> None:
    await session.execute(
        query,
        row=row_id,
        new_boosts=options.reblogs,
        new_notify=options.notify,
        new_languages=options.languages,
        new_uri=options.uri,
    )


async def _begin(session: WriteSession, actor_id: int, target_id: int, standing: _Standing, options: _Options) -> None:
    asks = bool(standing.target_locked or standing.target_domain or standing.actor_state == AccountState.LIMITED)
    row_id = new_id()
    added = await session.execute(
        _INSERT_REQUEST if asks else _INSERT_FOLLOW,
        id=row_id,
        account_id=actor_id,
        target_id=target_id,
        created_at=now_ms(),
        show_boosts=options.reblogs is not False,
        notify=options.notify is True,
        languages=None if options.languages == "[]" else options.languages,
        uri=options.uri,
    )
    if not added:
        return
    if asks:
        await record(session, FollowRequested(actor_id, target_id, row_id))
        return
    await count_follow(session, actor_id, target_id, by=1)
    await record(session, Followed(actor_id, target_id, row_id))
    if standing.actor_domain:
        await record(session, FollowAccepted(actor_id, target_id, row_id, options.uri))
