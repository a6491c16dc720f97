"""Senders who wait: what they sent is kept aside until the recipient lets them through or sends them away."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, delete, func, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.models import notification_permissions, notification_requests, notifications
from phiomia.domain.notifications.policy import MOST
from phiomia.domain.notifications.types import ASKING
from phiomia.domain.notifications.unfilter import Unfilter
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import defer_many
from phiomia.platform.paging import Page, Paged


class RequestView(NamedTuple):
    """One sender who waits. The order is that of the columns below."""

    id: int
    from_account_id: int
    last_status_id: int | None
    created_at: int
    updated_at: int
    waiting: int


_held = notifications.alias("held")
_some = (
    select(literal(1).label("one"))
    .where(
        _held.c.account_id == notification_requests.c.account_id,
        _held.c.from_account_id == notification_requests.c.from_account_id,
        _held.c.filtered,
        _held.c.type.in_([type_.value for type_ in ASKING]),
    )
    .correlate_except(_held)
)


def _waiting() -> Select[tuple[int, int, int | None, int, int, int]]:
    few = _some.limit(literal(MOST)).subquery("few")
    of_request = notification_requests.c
    return (
        select(
            of_request.id,
            of_request.from_account_id,
            of_request.last_status_id,
            of_request.created_at,
            of_request.updated_at,
            select(func.count()).select_from(few).scalar_subquery(),
        )
        .select_from(notification_requests.join(accounts, accounts.c.id == of_request.from_account_id))
        # Of a request whose statuses were all deleted nothing is left to decide.
        .where(of_request.account_id == P("account"), accounts.c.state != AccountState.SUSPENDED, _some.exists())
    )


_LIST = Paged(_waiting(), notification_requests.c.id)
_FIND = Query(_waiting().where(notification_requests.c.id == P("id")))
_SENDERS = Query(
    select(notification_requests.c.from_account_id).where(
        notification_requests.c.account_id == P("account"), any_of(notification_requests.c.id, listed("ids"))
    )
)
_of_senders = any_of(notification_requests.c.from_account_id, listed("senders"))
_END = Query(delete(notification_requests).where(notification_requests.c.account_id == P("account"), _of_senders))
_FORGET = Query(
    delete(notifications).where(
        notifications.c.account_id == P("account"),
        notifications.c.filtered,
        any_of(notifications.c.from_account_id, listed("senders")),
    )
)
_PERMIT = Query(
    lambda insert: (
        insert(notification_permissions)
        .values(account_id=P("account"), from_account_id=P("sender"), created_at=P("now"))
        .on_conflict_do_nothing()
    )
)
_ASK = Query(
    lambda insert: (
        insert(notification_requests)
        .values(
            id=P("id"),
            account_id=P("account"),
            from_account_id=P("sender"),
            last_status_id=P("status"),
            created_at=P("now"),
            updated_at=P("now"),
        )
        .on_conflict_do_update(
            index_elements=["account_id", "from_account_id"],
            set_={"last_status_id": P("status"), "updated_at": P("now")},
        )
    )
)
_MERGING = Query(
    select(literal(1))
    .select_from(
        notifications.join(
            notification_permissions,
            (notification_permissions.c.account_id == notifications.c.account_id)
            & (notification_permissions.c.from_account_id == notifications.c.from_account_id),
        )
    )
    .where(notifications.c.account_id == P("account"), notifications.c.filtered)
    .limit(literal(1))
)


async def ask_to_be_heard(
    session: WriteSession, recipients: Sequence[int], from_account_id: int, status_id: int
) -> None:
    """Notes that notifications of a sender wait for some recipients, the latest about this status."""
    now = now_ms()
    await session.execute_many(
        _ASK,
        [
            {"id": new_id(), "account": account, "sender": from_account_id, "status": status_id, "now": now}
            for account in recipients
        ],
    )


async def list_requests(session: ReadSession, account_id: int, page: Page) -> list[RequestView]:
    """Who waits for the account to decide, the newest first."""
    return await _LIST.views(session, RequestView, page, account=account_id)


async def find_request(session: ReadSession, account_id: int, request_id: int) -> RequestView:
    """One who waits for the account to decide. Raises NotFound."""
    row = await session.one(_FIND, account=account_id, id=request_id)
    if row is None:
        raise NotFound()
    return RequestView(*row)


async def accept_requests(session: WriteSession, account_id: int, ids: Sequence[int]) -> int:
    """Lets senders through from now on, and what they sent, by a job; gives the number of those that waited."""
    senders = await session.column(_SENDERS, account=account_id, ids=list(ids))
    if senders:
        now = now_ms()
        await session.execute_many(
            _PERMIT, [{"account": account_id, "sender": sender, "now": now} for sender in senders]
        )
        await session.execute(_END, account=account_id, senders=senders)
        await defer_many(session, [Unfilter(account_id, sender) for sender in senders])
    return len(senders)


async def dismiss_requests(session: WriteSession, account_id: int, ids: Sequence[int]) -> int:
    """Sends senders away with what they sent until now; gives the number of those that waited."""
    senders = await session.column(_SENDERS, account=account_id, ids=list(ids))
    if senders:
        await forget_requests(session, account_id, senders)
        await session.execute(_FORGET, account=account_id, senders=senders)
    return len(senders)


async def forget_requests(session: WriteSession, account_id: int, senders: Sequence[int]) -> None:
    """Ends what some senders asked of an account."""
    await session.execute(_END, account=account_id, senders=list(senders))


async def is_merged(session: ReadSession, account_id: int) -> bool:
    """Whether all that was let through stands among the other notifications by now."""
    return await session.value(_MERGING, account=account_id) is None
