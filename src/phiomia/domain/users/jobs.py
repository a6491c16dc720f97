"""Later work about those who may sign in: the mails they get."""

from collections.abc import Iterable
from typing import Literal, Protocol

from phiomia.domain.errors import NotFound
from phiomia.domain.users.events import EmailChanged, PasswordChanged, SignedInAnew, UserApproved
from phiomia.domain.users.letters import (
    write_approved,
    write_confirmation,
    write_email_change,
    write_email_changed,
    write_new_sign_in,
    write_password_changed,
    write_password_reset,
    write_warning,
)
from phiomia.domain.users.links import Purpose, make_link
from phiomia.domain.users.mail import Mailer
from phiomia.domain.users.queries import UserView, find_new_email, load_user
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasConfig, HasDatabase
from phiomia.platform.jobs.handlers import Handler


class SendConfirmation(Job, frozen=True):
    """Send the mail with the link that confirms an address."""

    TYPE = "users.send_confirmation"
    QUEUE = "mail"

    user_id: int


class SendPasswordReset(Job, frozen=True):
    """Send the mail with the link to a new password."""

    TYPE = "users.send_password_reset"
    QUEUE = "mail"

    user_id: int


class SendEmailChange(Job, frozen=True):
    """Send the mail with the link that confirms another address."""

    TYPE = "users.send_email_change"
    QUEUE = "mail"

    user_id: int


class SendNotice(Job, frozen=True):
    """Tell somebody that something about their account has changed. `to`: an address that is not theirs any more."""

    TYPE = "users.send_notice"
    QUEUE = "mail"

    user_id: int
    kind: Literal["approved", "password_changed", "email_changed", "signed_in"]
    detail: str = ""
    to: str = ""


class SendWarning(Job, frozen=True):
    """Send somebody what the moderators have to say to them."""

    TYPE = "users.send_warning"
    QUEUE = "mail"

    user_id: int
    text: str


class Context(HasDatabase, HasConfig, Protocol):
    """What the handlers need of the worker's context."""

    @property
    def mailer(self) -> Mailer:
        """The way out."""
        ...


async def send_confirmation(context: Context, job: SendConfirmation) -> None:
    """Handler of SendConfirmation."""
    drawn = await _draw_link(context.db, job.user_id, "confirm")
    if drawn is None:
        return
    user, secret = drawn
    await context.mailer.send(write_confirmation(context.config, user.username, user.email, secret))


async def send_password_reset(context: Context, job: SendPasswordReset) -> None:
    """Handler of SendPasswordReset."""
    drawn = await _draw_link(context.db, job.user_id, "reset")
    if drawn is None:
        return
    user, secret = drawn
    await context.mailer.send(write_password_reset(context.config, user.username, user.email, secret))


async def send_email_change(context: Context, job: SendEmailChange) -> None:
    """Handler of SendEmailChange."""
    drawn = await _draw_link(context.db, job.user_id, "change")
    if drawn is None:
        return
    user, secret = drawn
    async with context.db.read() as session:
        email = await find_new_email(session, user.id)
    if email:
        await context.mailer.send(write_email_change(context.config, user.username, email, secret))


async def send_notice(context: Context, job: SendNotice) -> None:
    """Handler of SendNotice."""
    async with context.db.read() as session:
        try:
            user = await load_user(session, job.user_id)
        except NotFound:
            return
    config, name, email = context.config, user.username, job.to or user.email
    match job.kind:
        case "approved":
            mail = write_approved(config, name, email)
        case "password_changed":
            mail = write_password_changed(config, name, email)
        case "email_changed":
            mail = write_email_changed(config, name, email, job.detail)
        case "signed_in":
            mail = write_new_sign_in(config, name, email, job.detail)
    await context.mailer.send(mail)


async def send_warning(context: Context, job: SendWarning) -> None:
    """Handler of SendWarning."""
    async with context.db.read() as session:
        try:
            user = await load_user(session, job.user_id)
        except NotFound:
            return
    await context.mailer.send(write_warning(context.config, user.username, user.email, job.text))


def tell_approved(event: UserApproved) -> Iterable[Job]:
    """What follows an approval."""
    yield SendNotice(event.user_id, "approved")


def tell_password_changed(event: PasswordChanged) -> Iterable[Job]:
    """What follows a new password."""
    yield SendNotice(event.user_id, "password_changed")


def tell_email_changed(event: EmailChanged) -> Iterable[Job]:
    """What follows another address: the former one is told."""
    yield SendNotice(event.user_id, "email_changed", event.after, event.before)


def tell_signed_in(event: SignedInAnew) -> Iterable[Job]:
    """What follows a sign-in from somewhere new."""
    yield SendNotice(event.user_id, "signed_in", event.where)


async def _draw_link(db: Database, user_id: int, purpose: Purpose) -> tuple[UserView, str] | None:
    """The user with a fresh secret; None when the mail has become pointless."""

    async def draw(session: WriteSession) -> tuple[UserView, str] | None:
        try:
            user = await load_user(session, user_id)
        except NotFound:
            return None
        if purpose == "confirm" and user.confirmed_at is not None:
            return None
        return user, await make_link(session, user_id, purpose)

    return await db.write(draw)


HANDLERS = (
    Handler(SendEmailChange, send_email_change),
    Handler(SendNotice, send_notice),
    Handler(SendWarning, send_warning),
)
