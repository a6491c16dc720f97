"""Of which notifications somebody wants a mail: the types as bits, and the choice."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import ColumnElement, select, update

from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession, WriteSession

# The bits are stored; the first three are what everybody begins with.
BITS: Final[Mapping[str, int]] = {
    "mention": 1,
    "follow": 2,
    "follow_request": 4,
    "favourite": 8,
    "reblog": 16,
    "admin.report": 32,
    "admin.sign_up": 64,
}
FOR_STAFF: Final = ("admin.report", "admin.sign_up")
# What was added later, and is wanted unless somebody says otherwise, is stored as what is not wanted.
_TURNED: Final = BITS["admin.report"] | BITS["admin.sign_up"]

_LOAD = Query(select(users.c.mail_alerts).where(users.c.id == P("user")))
_CHOOSE = Query(update(users).values(mail_alerts=P("alerts")).where(users.c.id == P("user")))
_STOP = Query(
    update(users)
    .values(mail_alerts=users.c.mail_alerts.bitwise_and(P("others")).bitwise_or(P("turned")))
    .where(users.c.id == P("user"))
)


def wants(bits: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether stored bits ask for mails of the type whose `bit` and `wanted` are given (see `ask_for`)."""
    return bits.bitwise_and(P("bit")) == P("wanted")


def ask_for(type_: str) -> dict[str, int]:
    """The parameters of `wants` for a type."""
    bit = BITS[type_]
    return {"bit": bit, "wanted": bit & ~_TURNED}


async def load_mail_alerts(session: ReadSession, user_id: int) -> dict[str, bool]:
    """Each type with whether somebody wants mails about it."""
    chosen = (await session.value(_LOAD, user=user_id) or 0) ^ _TURNED
    return {type_: bool(chosen & bit) for type_, bit in BITS.items()}


async def choose_mail_alerts(session: WriteSession, user_id: int, types: Collection[str]) -> None:
    """Sends mails about these types and no others."""
    chosen = sum(bit for type_, bit in BITS.items() if type_ in types)
    await session.execute(_CHOOSE, user=user_id, alerts=chosen ^ _TURNED)


async def stop_mail_alerts(session: WriteSession, user_id: int, type_: str) -> None:
    """Sends no more mails about a type."""
    await session.execute(_STOP, user=user_id, others=sum(BITS.values()) & ~BITS[type_], turned=BITS[type_] & _TURNED)
