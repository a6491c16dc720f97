"""Suspending and limiting single accounts, and taking that back.

It holds at once, wherever anything is shown. Of somebody who lives here nothing is lost: follows and posts are there
again when it ends. Somebody elsewhere has to stop following, or would go on receiving what is written for followers;
so do those who follow them. That ends for good, bit by bit, and members are told.
"""

from collections import Counter
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import or_, select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.domain_blocks import ApplyDomainRule
from phiomia.domain.oauth.tokens import forget_user_tokens
from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.models import follow_requests, follows
from phiomia.domain.relationships.severance import SeveranceKind, Severed, count_severed, tell_severed
from phiomia.domain.users.models import users
from phiomia.domain.users.sessions import close_sessions
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Handler

_BATCH: Final = 200


class EndTiesOfSuspended(Job, frozen=True):
    """Let an account of another server that is suspended follow nobody here, and nobody follow it."""

    TYPE = "moderation.end_ties_of_suspended"

    account_id: int


class _Judged(NamedTuple):
    id: int
    username: str
    domain: str
    state: int
    origin: int
    user_id: int | None

    @property
    def acct(self) -> str:
        return f"{self.username}@{self.domain}" if self.domain else self.username

    @property
    def suspended_here(self) -> bool:
        return self.state == AccountState.SUSPENDED and self.origin == StateOrigin.MODERATION


_FIND: Final = Query(
    select(accounts.c.id, accounts.c.username, accounts.c.domain, accounts.c.state, accounts.c.state_origin, users.c.id)
    .select_from(accounts.outerjoin(users, users.c.account_id == accounts.c.id))
    .where(accounts.c.id == P("of_id"))
)
_SET: Final = Query(
    update(accounts)
    .where(accounts.c.id == P("of_id"))
    .values(state=P("to_state"), state_origin=int(StateOrigin.MODERATION))
)


def _pairs(table: Any) -> Query:
    of_account = or_(table.c.account_id == P("of_id"), table.c.target_id == P("of_id"))
    return Query(select(table.c.account_id, table.c.target_id).where(of_account).limit(_BATCH))


_FOLLOWS, _REQUESTS = _pairs(follows), _pairs(follow_requests)


async def suspend_account(session: WriteSession, account_id: int) -> None:
    """Takes an account out of sight; who lives here is signed out everywhere. Raises NotFound."""
    judged = await _load(session, account_id)
    if judged.suspended_here:
        return
    await _set(session, judged, AccountState.SUSPENDED)
    await record(session, AccountUpdated(judged.id))
    if judged.user_id is not None:
        await close_sessions(session, judged.user_id)
        await forget_user_tokens(session, judged.user_id)
    if judged.domain:
        await defer(session, EndTiesOfSuspended(judged.id))


async def unsuspend_account(session: WriteSession, account_id: int) -> None:
    """Brings a suspended account back. Raises NotFound, Invalid."""
    judged = await _load(session, account_id)
    if not judged.suspended_here:
        raise Invalid(f"{judged.acct} is not suspended by moderators of this server")
    await _set(session, judged, AccountState.ACTIVE)
    await record(session, AccountUpdated(judged.id))
    await _follow_rule(session, judged)


async def limit_account(session: WriteSession, account_id: int) -> None:
    """Hides an account from those who don't follow it. Raises NotFound, Invalid."""
    judged = await _load(session, account_id)
    if judged.state == AccountState.SUSPENDED:
        raise Invalid(f"{judged.acct} is suspended, which is more")
    await _set(session, judged, AccountState.LIMITED)


async def unlimit_account(session: WriteSession, account_id: int) -> None:
    """Shows a limited account to everybody again. Raises NotFound, Invalid."""
    judged = await _load(session, account_id)
    if judged.state != AccountState.LIMITED or judged.origin != StateOrigin.MODERATION:
        raise Invalid(f"{judged.acct} is not limited by moderators of this server")
    await _set(session, judged, AccountState.ACTIVE)
    await _follow_rule(session, judged)


async def run_end_ties(context: Any, job: EndTiesOfSuspended) -> None:
    """Handler of EndTiesOfSuspended."""
    db: Database = context.db
    while await db.write(partial(_end_some, account_id=job.account_id)):
        pass
    async with db.read() as session:
        judged = await _find(session, job.account_id)
    kind = SeveranceKind.ACCOUNT_SUSPENSION
    while judged is not None and await db.write(partial(tell_severed, kind=kind, name=judged.acct)):
        pass


async def _end_some(session: WriteSession, account_id: int) -> bool:
    """Ends some ties; True while there may be more."""
    judged = await _find(session, account_id)
    if judged is None or not judged.suspended_here:
        return False  # brought back, or erased, meanwhile
    followed = await session.all(_FOLLOWS, of_id=account_id)
    followers: Counter[int] = Counter()
    following: Counter[int] = Counter()
    for follower_id, target_id in followed:
        # What they have here is rejected, so that their server knows it, too.
        if await end_follow(session, follower_id, target_id, by_target=follower_id == account_id):
            followers[target_id] += 1
            following[follower_id] += 1
    members = {*followers, *following} - {account_id}
    severed = {one: Severed(followers[one], following[one]) for one in members}
    await count_severed(session, SeveranceKind.ACCOUNT_SUSPENSION, judged.acct, severed)
    asked = await session.all(_REQUESTS, of_id=account_id)
    for follower_id, target_id in asked:
        await end_request(session, follower_id, target_id, by_target=follower_id == account_id)
    return len(followed) == _BATCH or len(asked) == _BATCH


async def _load(session: ReadSession, account_id: int) -> _Judged:
    judged = await _find(session, account_id)
    if judged is None or judged.origin == StateOrigin.LEFT:
        raise NotFound
    return judged


async def _find(session: ReadSession, account_id: int) -> _Judged | None:
    row = await session.one(_FIND, of_id=account_id)
    return None if row is None else _Judged(*row)


async def _set(session: WriteSession, judged: _Judged, state: AccountState) -> None:
    await session.execute(_SET, of_id=judged.id, to_state=int(state))


async def _follow_rule(session: WriteSession, judged: _Judged) -> None:
    """What holds for a whole server holds for its accounts again."""
    if judged.domain:
        await defer(session, ApplyDomainRule(judged.domain))


HANDLERS = (Handler(EndTiesOfSuspended, run_end_ties),)
