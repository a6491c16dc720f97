"""Whose notifications a member takes: the policy, and how much waits because of it."""

from enum import IntEnum
from typing import Final, NamedTuple

from sqlalchemy import distinct, func, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.notifications.models import notification_policies, notification_requests, notifications
from phiomia.domain.notifications.types import ASKING
from phiomia.platform.db import P, Query, ReadSession, WriteSession, put_into


class Answer(IntEnum):
    """What becomes of a notification: told, kept until it is asked for, or never written. The numbers are stored."""

    ACCEPT = 0
    FILTER = 1
    DROP = 2


class Policy(NamedTuple):
    """The answers to six groups of senders, as numbers. The order is that of the columns below."""

    for_not_following: int = Answer.ACCEPT
    for_not_followers: int = Answer.ACCEPT
    for_new_accounts: int = Answer.ACCEPT
    for_bots: int = Answer.ACCEPT
    for_private_mentions: int = Answer.FILTER
    for_limited_accounts: int = Answer.FILTER


class Waiting(NamedTuple):
    """How many senders wait to be let through, with how many notifications."""

    requests: int
    notifications: int


DEFAULTS: Final = {name: int(value) for name, value in Policy()._asdict().items()}
# Nobody reads on beyond this number.
MOST: Final = 100
_WINDOW = 10_000

_LOAD = Query(
    select(*[notification_policies.c[name] for name in Policy._fields]).where(
        notification_policies.c.account_id == P("account")
    )
)
_KEEP = put_into(notification_policies, ["account_id"], Policy._fields)
_held = (
    select(notifications.c.from_account_id.label("sender"))
    .select_from(
        notifications.join(accounts, accounts.c.id == notifications.c.from_account_id).join(
            notification_requests,
            (notification_requests.c.account_id == notifications.c.account_id)
            & (notification_requests.c.from_account_id == notifications.c.from_account_id),
        )
    )
    .where(
        notifications.c.account_id == P("account"),
        notifications.c.filtered,
        notifications.c.type.in_([type_.value for type_ in ASKING]),
        accounts.c.state != AccountState.SUSPENDED,
    )
    .limit(literal(_WINDOW))
    .subquery("held")
)
_COUNT = Query(select(func.count(distinct(_held.c.sender)), func.count()).select_from(_held))


async def load_policy(session: ReadSession, account_id: int) -> Policy:
    """The account's policy; the usual one if it has chosen none."""
    row = await session.one(_LOAD, account=account_id)
    return Policy() if row is None else Policy(*row)


async def count_waiting(session: ReadSession, account_id: int) -> Waiting:
    """What waits for the account to decide."""
    senders, waiting = (await session.all(_COUNT, account=account_id))[0]
    return Waiting(min(senders, MOST), waiting)


async def change_policy(session: WriteSession, account_id: int, changes: dict[str, Answer]) -> Policy:
    """Gives new answers to some of the groups, by the name of the field; gives the whole policy."""
    policy = (await load_policy(session, account_id))._replace(**{name: int(to) for name, to in changes.items()})
    await session.execute(_KEEP, account_id=account_id, **policy._asdict())
    return policy
