"""Later work about those who may sign in: the mails they get."""

from typing import Protocol

from phiomia.domain.errors import NotFound
from phiomia.domain.users.links import Purpose, make_link
from phiomia.domain.users.mail import Mailer, write_confirmation, write_password_reset
from phiomia.domain.users.queries import UserView, load_user
from phiomia.platform.config import Config
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import Job


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


class Context(Protocol):
    """What the handlers need of the worker's context."""

    @property
    def db(self) -> Database:
        """The database."""
        ...

    @property
    def config(self) -> Config:
        """The settings."""
        ...

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
