"""Who on other servers must hear of a status: the inboxes, each once."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, case, or_, select, union

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import favourites, poll_votes, polls, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

# One delivery serves everybody on a server that has a shared inbox.
_INBOX: ColumnElement[str] = case(
    (accounts.c.shared_inbox_url != "", accounts.c.shared_inbox_url), else_=accounts.c.inbox_url
)
_REACHABLE = (accounts.c.domain != "", accounts.c.inbox_url != "", accounts.c.state < AccountState.SUSPENDED)
_OF_ACCOUNTS = Query(select(_INBOX).distinct().where(any_of(accounts.c.id, listed("ids")), *_REACHABLE))
_OWN_INBOX = Query(select(accounts.c.inbox_url).where(accounts.c.id == P("id"), *_REACHABLE))
# Whom our moderators have suspended is told that a follow has ended, and of nothing else.
_LAST_INBOX = Query(
    select(accounts.c.inbox_url).where(
        accounts.c.id == P("id"),
        accounts.c.domain != "",
        accounts.c.inbox_url != "",
        or_(accounts.c.state < AccountState.SUSPENDED, accounts.c.state_origin == StateOrigin.MODERATION),
    )
)
_SHARED = Query(
    select(accounts.c.id).where(accounts.c.domain != "", accounts.c.shared_inbox_url == P("url", str)).limit(P("one"))
)
_FOLLOWERS = Query(
    select(_INBOX)
    .distinct()
    .select_from(follows.join(accounts, accounts.c.id == follows.c.account_id))
    .where(follows.c.target_id == P("account"), *_REACHABLE)
)
_ALL = Query(select(_INBOX).distinct().where(*_REACHABLE))
_IS_STATUS = Query(select(statuses.c.id).where(statuses.c.id == P("status")))
_boost, _reply = statuses.alias("boost"), statuses.alias("reply")
_TOUCHED = Query(
    union(
        select(_boost.c.account_id).where(_boost.c.reblog_of_id == P("status")),
        select(_reply.c.account_id).where(
            _reply.c.in_reply_to_id == P("status"), _reply.c.visibility <= Visibility.PRIVATE
        ),
        select(favourites.c.account_id).where(favourites.c.status_id == P("status")),
        select(poll_votes.c.account_id)
        .select_from(poll_votes.join(polls, polls.c.id == poll_votes.c.poll_id))
        .where(polls.c.status_id == P("status")),
    )
)


async def list_inboxes_of(session: ReadSession, account_ids: Sequence[int]) -> list[str]:
    """The inboxes of those of the accounts that live elsewhere."""
    return await session.column(_OF_ACCOUNTS, ids=list(account_ids)) if account_ids else []


async def find_own_inbox(session: ReadSession, account_id: int) -> str | None:
    """The inbox that an account of another server has to itself."""
    found: str | None = await session.value(_OWN_INBOX, id=account_id)
    return found


async def find_last_inbox(session: ReadSession, account_id: int) -> str | None:
    """The same, also of an account that is suspended here: there it hears that a follow has ended."""
    found: str | None = await session.value(_LAST_INBOX, id=account_id)
    return found


async def is_shared_inbox(session: ReadSession, url: str) -> bool:
    """Whether more than one account is reached there. Looks through the accounts: for rare questions."""
    return await session.value(_SHARED, url=url, one=1) is not None


async def list_follower_inboxes(session: ReadSession, account_id: int) -> list[str]:
    """The inboxes of the followers who live elsewhere."""
    return await session.column(_FOLLOWERS, account=account_id)


async def list_known_inboxes(session: ReadSession) -> list[str]:
    """An inbox for everybody elsewhere whom we know."""
    return await session.column(_ALL)


async def list_touched(session: ReadSession, status_id: int) -> list[int]:
    """The accounts that have boosted, answered or favourited a status, or voted in its poll: they have a copy."""
    return await session.column(_TOUCHED, status=status_id)


async def is_status(session: ReadSession, status_id: int) -> bool:
    """Whether the status is still there."""
    return await session.value(_IS_STATUS, status=status_id) is not None
