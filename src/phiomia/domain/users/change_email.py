"""Another e-mail address for somebody: it counts once they have shown that it is theirs."""

from sqlalchemy import update

from phiomia.domain.users.emails import change_email, check_email
from phiomia.domain.users.events import EmailChanged
from phiomia.domain.users.jobs import SendConfirmation, SendEmailChange
from phiomia.domain.users.models import users
from phiomia.domain.users.queries import find_new_email, load_user
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record
from phiomia.platform.jobs import defer

_WANT = Query(update(users).values(new_email=P("email", str)).where(users.c.id == P("user")))


async def request_email_change(session: WriteSession, user_id: int, email: str) -> None:
    """Sends a link to another address; who has confirmed none yet gets it at once. Raises Invalid."""
    user = await load_user(session, user_id)
    if user.confirmed_at is None:
        await change_email(session, user_id, email)
        await defer(session, SendConfirmation(user_id))
        return
    await check_email(session, user_id, email)
    await session.execute(_WANT, user=user_id, email=email)
    await defer(session, SendEmailChange(user_id))


async def finish_email_change(session: WriteSession, user_id: int) -> None:
    """Gives somebody the address that they have confirmed. Raises Invalid when it was taken in the meantime."""
    email = await find_new_email(session, user_id)
    if not email:
        return
    before = (await load_user(session, user_id)).email
    await change_email(session, user_id, email)
    await session.execute(_WANT, user=user_id, email="")
    await record(session, EmailChanged(user_id, before, email))
