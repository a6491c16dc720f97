"""Pushing notifications to devices: which subscriptions want one, what they are told, and how it gets there."""

from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import and_, or_, select

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.notifications.events import Notified
from phiomia.domain.notifications.models import notifications, push_subscriptions
from phiomia.domain.notifications.push_alerts import bit_of
from phiomia.domain.notifications.push_seal import open_token, sign_subscription
from phiomia.domain.notifications.subscriptions import end_subscription
from phiomia.domain.notifications.words import say
from phiomia.domain.relationships.conditions import exists_pair, is_followed
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import statuses
from phiomia.domain.users.models import users
from phiomia.platform.clock import DAY, HOUR, SECOND, now_ms
from phiomia.platform.config import Config
from phiomia.platform.db import Database, P, Query, WriteSession, any_of, listed
from phiomia.platform.html import to_plain_text
from phiomia.platform.http import Fetcher, FetchFailed, Response
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasConfig, HasDatabase
from phiomia.platform.jobs.defer import Hosted, defer_hosted
from phiomia.platform.jobs.handlers import Discard, Handler, Retry
from phiomia.platform.log import get_logger
from phiomia.platform.webpush import Keys, Sealed, encode, public_point, seal, seal_legacy, sign_claims

log = get_logger("push")

_TTL_S = 48 * 3_600
_BODY = 140
_ANSWER_BYTES = 16 * 1024
_LONGEST_WAIT_S = 6 * 3_600


class Push(Job, frozen=True):
    """Push a notification to one subscription."""

    TYPE = "notifications.push"
    QUEUE = "push"
    TRIES = 6

    subscription_id: int
    notification_id: int


class Outside(Protocol):
    """The way to other servers."""

    @property
    def fetcher(self) -> Fetcher:
        """The one fetcher of the process."""
        ...


class Pictures(Protocol):
    """Where pictures are."""

    def avatar(self, view: AccountView) -> str:
        """The picture of an account."""
        ...


class Context(HasDatabase, HasConfig, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def outside(self) -> Outside:
        """The way to other servers."""
        ...

    @property
    def links(self) -> Pictures:
        """Where pictures are."""
        ...


class _Pushed(NamedTuple):
    token_id: int
    sealed_token: bytes
    endpoint: str
    p256dh: bytes
    auth: bytes
    standard: bool
    locale: str
    type: str
    from_account_id: int
    spoiler_text: str | None
    content: str | None
    created_at: int


_of = push_subscriptions.c
_wanted = or_(
    _of.policy == "all",
    and_(_of.policy == "followed", is_followed(P("sender"), _of.account_id)),
    and_(_of.policy == "follower", exists_pair(follows, P("sender"), _of.account_id)),
)
_SUBSCRIBED = Query(
    select(_of.id, _of.account_id, _of.endpoint).where(
        any_of(_of.account_id, listed("accounts")), _of.alerts.bitwise_and(P("bit")) != 0, _wanted
    )
)
_LOAD = Query(
    select(
        _of.token_id,
        _of.sealed_token,
        _of.endpoint,
        _of.p256dh,
        _of.auth,
        _of.standard,
        users.c.locale,
        notifications.c.type,
        notifications.c.from_account_id,
        statuses.c.spoiler_text,
        statuses.c.content,
        notifications.c.created_at,
    )
    .select_from(
        push_subscriptions.join(notifications, notifications.c.account_id == _of.account_id)
        .join(users, users.c.account_id == _of.account_id)
        .outerjoin(statuses, statuses.c.id == notifications.c.status_id)
    )
    .where(_of.id == P("subscription"), notifications.c.id == P("notification"), users.c.disabled_at.is_(None))
)


async def queue_pushes(session: WriteSession, event: Notified) -> None:
    """Effect of Notified: a job for each subscription that wants it."""
    bit = bit_of(event.type)
    if not bit:
        return
    by_account = {account_id: notification_id for notification_id, account_id in event.pairs}
    found = await session.all(_SUBSCRIBED, accounts=list(by_account), bit=bit, sender=event.from_account_id)
    if found:
        await defer_hosted(
            session,
            [
                Hosted(Push(id_, by_account[account]), urlsplit(endpoint).hostname or "")
                for id_, account, endpoint in found
            ],
        )


async def run_push(context: Context, job: Push) -> None:
    """Handler of Push."""
    async with context.db.read() as session:
        row = await session.one(_LOAD, subscription=job.subscription_id, notification=job.notification_id)
        pushed = None if row is None else _Pushed(*row)
        people = {} if pushed is None else await load_accounts(session, [pushed.from_account_id])
    if pushed is None or pushed.from_account_id not in people or pushed.created_at < now_ms() - _TTL_S * SECOND:
        raise Discard("the notification, the subscription or its time is over")
    key = await load_vapid_key(context.db)
    message = _write(context, key, job, pushed, people[pushed.from_account_id])
    keys = Keys(bytes(pushed.p256dh), bytes(pushed.auth))
    sealed = seal(message, keys) if pushed.standard else seal_legacy(message, keys)
    try:
        answer = await context.outside.fetcher.fetch(
            pushed.endpoint,
            method="POST",
            body=sealed.body,
            headers=_headers(context.config, key, job, pushed, sealed),
            body_bytes=_ANSWER_BYTES,
        )
    except FetchFailed as error:
        raise (Retry(str(error)) if error.retry else Discard(str(error))) from error
    await _heed(context.db, job, answer)


def _write(context: Context, key: bytes, job: Push, pushed: _Pushed, sender: AccountView) -> bytes:
    name = sender.display_name or sender.username
    text = pushed.spoiler_text or to_plain_text(pushed.content if pushed.content is not None else sender.note)
    return msgspec.json.encode(
        {
            "access_token": open_token(key, pushed.token_id, bytes(pushed.sealed_token)),
            "preferred_locale": pushed.locale or "en",
            "notification_id": job.notification_id,  # some apps take nothing but a number
            "notification_type": pushed.type,
            "icon": context.links.avatar(sender),
            "title": say(pushed.type, name),
            "body": text if len(text) <= _BODY else f"{text[: _BODY - 1]}…",
        }
    )


def _headers(config: Config, key: bytes, job: Push, pushed: _Pushed, sealed: Sealed) -> dict[str, str]:
    parts = urlsplit(pushed.endpoint)
    contact = config.instance.contact_email
    subject = f"mailto:{contact}" if contact else config.base_url
    token = sign_claims(key, f"{parts.scheme}://{parts.netloc}", subject, (now_ms() + DAY - HOUR) // SECOND)
    point = encode(public_point(key))
    ending = f"{config.base_url}/api/web/push_subscriptions/{sign_subscription(key, job.subscription_id)}"
    headers = {
        "Content-Type": "application/octet-stream",
        "TTL": str(_TTL_S),
        "Urgency": "normal",
        # Of what was pushed twice, because the first answer was lost, a device that was off gets one.
        "Topic": f"n{job.notification_id}",
        "Unsubscribe-URL": ending,
        **sealed.headers,
    }
    if pushed.standard:
        return headers | {"Authorization": f"vapid t={token}, k={point}"}
    return headers | {
        "Authorization": f"WebPush {token}",
        "Crypto-Key": f"{sealed.headers['Crypto-Key']};p256ecdsa={point}",
    }


async def _heed(db: Database, job: Push, answer: Response) -> None:
    if answer.ok:
        return
    if answer.status in (404, 410):
        await db.write(lambda session: end_subscription(session, job.subscription_id))
        log.info("a subscription is over", subscription=job.subscription_id, status=answer.status)
        return
    reason = f"the push service answered with {answer.status}"
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise Retry(reason, delay_ms=_read_wait(answer))
    raise Discard(reason)


def _read_wait(answer: Response) -> int | None:
    named = answer.headers.get("retry-after", "")
    if not named.isascii() or not named.isdigit() or len(named) > 6:
        return None
    return max(1, min(int(named), _LONGEST_WAIT_S)) * SECOND


HANDLERS = (Handler(Push, run_push, limit_s=60.0),)
