"""Subscriptions to Web Push: one for each access token, which take the token's end along."""

from typing import NamedTuple

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.models import push_subscriptions
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.ids import new_id
from phiomia.platform.webpush import Keys


class Subscription(NamedTuple):
    """What the entity shows. The order is that of the columns below."""

    id: int
    endpoint: str
    standard: bool
    alerts: int
    policy: str


class SubscriptionDraft(msgspec.Struct, frozen=True):
    """A subscription before it is written. `alerts` are bits, see `push_alerts.py`."""

    token_id: int
    account_id: int
    endpoint: str
    keys: Keys
    standard: bool
    alerts: int
    policy: str
    sealed_token: bytes


_OF_TOKEN = push_subscriptions.c.token_id == P("token")
_FIND = Query(select(*[push_subscriptions.c[name] for name in Subscription._fields]).where(_OF_TOKEN))
_INSERT = insert_into(
    push_subscriptions,
    "id",
    "token_id",
    "account_id",
    "endpoint",
    "p256dh",
    "auth",
    "standard",
    "alerts",
    "policy",
    "sealed_token",
    "created_at",
)
_CHANGE = Query(
    update(push_subscriptions)
    .values(
        alerts=func.coalesce(P("alerts"), push_subscriptions.c.alerts),
        policy=func.coalesce(P("policy", str), push_subscriptions.c.policy),
    )
    .where(_OF_TOKEN)
)
_END = Query(delete(push_subscriptions).where(_OF_TOKEN))
_END_ONE = Query(delete(push_subscriptions).where(push_subscriptions.c.id == P("id")))


async def find_subscription(session: ReadSession, token_id: int) -> Subscription:
    """The subscription of a token. Raises NotFound."""
    row = await session.one(_FIND, token=token_id)
    if row is None:
        raise NotFound()
    return Subscription(row[0], row[1], bool(row[2]), row[3], row[4])


async def subscribe(session: WriteSession, draft: SubscriptionDraft) -> None:
    """Writes the subscription of a token, in place of an earlier one."""
    await session.execute(_END, token=draft.token_id)
    await session.execute(
        _INSERT,
        id=new_id(),
        p256dh=draft.keys.p256dh,
        auth=draft.keys.auth,
        created_at=now_ms(),
        **{
            name: getattr(draft, name)
            for name in ("token_id", "account_id", "endpoint", "standard", "alerts", "policy", "sealed_token")
        },
    )


async def change_subscription(session: WriteSession, token_id: int, alerts: int | None, policy: str | None) -> None:
    """Changes what is pushed; None leaves a thing as it is. Raises NotFound."""
    if not await session.execute(_CHANGE, token=token_id, alerts=alerts, policy=policy):
        raise NotFound()


async def unsubscribe(session: WriteSession, token_id: int) -> None:
    """Ends the subscription of a token; does nothing if it has none."""
    await session.execute(_END, token=token_id)


async def end_subscription(session: WriteSession, subscription_id: int) -> None:
    """Ends a subscription that nobody takes from any more."""
    await session.execute(_END_ONE, id=subscription_id)
