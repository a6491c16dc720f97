"""Mails about notifications: one for all of a kind that came within some minutes, to those who chose them."""

from typing import Final, NamedTuple, Protocol

from sqlalchemy import func, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.notifications.events import Notified
from phiomia.domain.notifications.models import notifications, push_subscriptions
from phiomia.domain.notifications.push_alerts import bit_of
from phiomia.domain.notifications.words import say
from phiomia.domain.statuses.models import statuses
from phiomia.domain.users.letters import Letter, address
from phiomia.domain.users.mail import Mailer
from phiomia.domain.users.mail_alerts import BITS, ask_for, wants
from phiomia.domain.users.models import users
from phiomia.domain.users.unsubscribe import Ending, sign_ending
from phiomia.platform.clock import MINUTE, now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, listed
from phiomia.platform.html import to_plain_text
from phiomia.platform.ids import id_at
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.context import HasConfig, HasDatabase
from phiomia.platform.jobs.handlers import Discard, Handler

_SPAN: Final = 5 * MINUTE
_SHOWN: Final = 10
_EXCERPT: Final = 300


class MailNotifications(Job, frozen=True):
    """Send a mail about the notifications of one type that came within a span of time."""

    TYPE = "notifications.mail"
    QUEUE = "mail"

    account_id: int
    type: str
    since: int
    until: int


class Context(HasDatabase, HasConfig, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def mailer(self) -> Mailer:
        """The way out."""
        ...


class _Recipient(NamedTuple):
    user_id: int
    username: str
    email: str


class _Told(NamedTuple):
    display_name: str
    username: str
    domain: str
    spoiler_text: str | None
    content: str | None

    @property
    def name(self) -> str:
        return self.display_name or self.username

    @property
    def handle(self) -> str:
        return f"@{self.username}@{self.domain}" if self.domain else f"@{self.username}"

    @property
    def excerpt(self) -> str:
        text = self.spoiler_text or to_plain_text(self.content or "")
        return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"


# Who has the same pushed to a device needs no mail about it.
_pushed = (
    select(push_subscriptions.c.id)
    .where(
        push_subscriptions.c.account_id == users.c.account_id,
        push_subscriptions.c.alerts.bitwise_and(P("push_bit")) != 0,
    )
    .exists()
)
_WANTING = Query(
    select(users.c.account_id).where(
        any_of(users.c.account_id, listed("accounts")),
        wants(users.c.mail_alerts),
        users.c.confirmed_at.is_not(None),
        users.c.approved_at.is_not(None),
        users.c.disabled_at.is_(None),
        ~_pushed,
    )
)
_RECIPIENT = Query(
    select(users.c.id, accounts.c.username, users.c.email)
    .select_from(users.join(accounts, accounts.c.id == users.c.account_id))
    .where(
        users.c.account_id == P("account"),
        users.c.disabled_at.is_(None),
        accounts.c.state != AccountState.SUSPENDED,
        wants(users.c.mail_alerts),
    )
)
_of_span = (
    notifications.c.account_id == P("account"),
    notifications.c.id >= P("first"),
    notifications.c.id < P("end"),
    notifications.c.type == P("type", str),
    ~notifications.c.filtered,
)
_COUNT = Query(select(func.count()).select_from(notifications).where(*_of_span))
_LIST = Query(
    select(
        accounts.c.display_name,
        accounts.c.username,
        accounts.c.domain,
        statuses.c.spoiler_text,
        statuses.c.content,
    )
    .select_from(
        notifications.join(accounts, accounts.c.id == notifications.c.from_account_id).outerjoin(
            statuses, statuses.c.id == notifications.c.status_id
        )
    )
    .where(*_of_span)
    .order_by(notifications.c.id.desc())
    .limit(literal(_SHOWN))
)


async def queue_mails(session: WriteSession, event: Notified) -> None:
    """Effect of Notified: a mail at the end of the present span, to each who wants one."""
    if event.type not in BITS:
        return
    recipients = [account_id for _, account_id in event.pairs]
    since = now_ms() // _SPAN * _SPAN
    until = since + _SPAN
    for account_id in await session.column(
        _WANTING, accounts=recipients, push_bit=bit_of(event.type), **ask_for(event.type)
    ):
        job = MailNotifications(account_id, event.type, since, until)
        await defer(session, job, run_at=until + MINUTE, unique=f"mail:{account_id}:{event.type}:{since}")


async def run_mail(context: Context, job: MailNotifications) -> None:
    """Handler of MailNotifications: tells of what is still there."""
    bounds = {"account": job.account_id, "type": job.type, "first": id_at(job.since), "end": id_at(job.until)}
    async with context.db.read() as session:
        row = await session.one(_RECIPIENT, account=job.account_id, **ask_for(job.type))
        size = await session.value(_COUNT, **bounds)
        told = await session.views(_Told, _LIST, **bounds)
    if row is None or not told:
        raise Discard("nobody wants to hear of it any more, or it was undone")
    recipient, config = _Recipient(*row), context.config
    signed = sign_ending(await load_vapid_key(context.db), Ending(recipient.user_id, job.type))
    letter = Letter(
        say(job.type, told[0].name, size - 1),
        (f"Hello {recipient.username},", *[_describe(job.type, one) for one in told]),
        (f"Go to {config.instance.title}", config.base_url),
        unsubscribe=f"{config.base_url}/unsubscribe?token={signed}",
    )
    one_click = f"{config.base_url}/unsubscribe/now?token={signed}"
    await context.mailer.send(address(letter, recipient.email, one_click=one_click))


def _describe(type_: str, one: _Told) -> str:
    line = f"{say(type_, one.name)} ({one.handle})"
    return f"{line}: {one.excerpt}" if one.excerpt else f"{line}."


HANDLERS = (Handler(MailNotifications, run_mail),)
