"""Links in mails that work once: to confirm an address, to choose a new password."""

from typing import Final, Literal

from sqlalchemy import delete, select

from phiomia.domain.errors import Invalid
from phiomia.domain.users.models import email_confirmations
from phiomia.domain.users.secret import digest_secret, make_secret
from phiomia.platform.clock import DAY, HOUR, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id

Purpose = Literal["confirm", "reset", "change"]
LASTS: Final[dict[Purpose, int]] = {"confirm": 7 * DAY, "reset": 6 * HOUR, "change": 7 * DAY}

_INSERT = insert_into(email_confirmations, "id", "user_id", "secret_hash", "purpose", "created_at")
_FIND = Query(
    select(email_confirmations.c.user_id).where(
        email_confirmations.c.secret_hash == column_parameter(email_confirmations, "secret_hash"),
        email_confirmations.c.purpose == P("purpose", str),
        email_confirmations.c.created_at > P("oldest"),
    )
)
_SPEND = Query(
    delete(email_confirmations).where(
        email_confirmations.c.user_id == P("user"), email_confirmations.c.purpose == P("purpose", str)
    )
)


async def make_link(session: WriteSession, user_id: int, purpose: Purpose) -> str:
    """The secret of a new link. Earlier ones go on working, since mails overtake each other."""
    secret = make_secret()
    await session.execute(
        _INSERT,
        id=new_id(),
        user_id=user_id,
        secret_hash=digest_secret(secret),
        purpose=purpose,
        created_at=now_ms(),
    )
    return secret


async def find_link(session: ReadSession, secret: str, purpose: Purpose) -> int | None:
    """The user whom a link was sent to; None for one that is unknown, spent or too old."""
    found: int | None = await session.value(
        _FIND, secret_hash=digest_secret(secret), purpose=purpose, oldest=now_ms() - LASTS[purpose]
    )
    return found


async def spend_link(session: WriteSession, secret: str, purpose: Purpose) -> int:
    """The user whom a link was sent to; it and its sisters work no longer. Raises Invalid."""
    user_id = await find_link(session, secret, purpose)
    if user_id is None:
        raise Invalid("This link is too old, or was used already. Ask for a new one.")
    await session.execute(_SPEND, user=user_id, purpose=purpose)
    return user_id
