"""Sessions of browsers: who holds the cookie."""

import msgspec
from sqlalchemy import case, delete, func, or_, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.users.events import SignedInAnew
from phiomia.domain.users.models import sessions, users
from phiomia.domain.users.secret import digest_secret, make_secret
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.limits import SESSION_SECONDS

_AGENT = 500


class SignedIn(msgspec.Struct, frozen=True):
    """The one whose browser it is."""

    session_id: int
    user_id: int
    account_id: int
    username: str
    role: int
    csrf: str
    used_at: int

    @property
    def stale(self) -> bool:
        """Whether it is time to note that the session is in use."""
        return self.used_at < now_ms() - DAY


_secret = column_parameter(sessions, "secret_hash")
_INSERT = insert_into(sessions, "id", "user_id", "secret_hash", "csrf", "user_agent", "ip", "created_at", "used_at")
_FIND = Query(
    select(
        sessions.c.id,
        users.c.id,
        accounts.c.id,
        accounts.c.username,
        users.c.role,
        sessions.c.csrf,
        sessions.c.used_at,
    )
    .select_from(sessions)
    .join(users, users.c.id == sessions.c.user_id)
    .join(accounts, accounts.c.id == users.c.account_id)
    .where(
        sessions.c.secret_hash == _secret,
        sessions.c.used_at > P("oldest"),
        users.c.disabled_at.is_(None),
        accounts.c.state != int(AccountState.SUSPENDED),
    )
)
_ALIKE = Query(
    select(
        func.count(),
        func.count(case((or_(sessions.c.user_agent == P("agent", str), sessions.c.ip == P("ip", str)), 1))),
    ).where(sessions.c.user_id == P("user"))
)
_TOUCH = Query(update(sessions).values(used_at=P("now"), ip=P("ip", str)).where(sessions.c.id == P("id")))
_CLOSE = Query(delete(sessions).where(sessions.c.id == P("id")))
_CLOSE_ALL = Query(delete(sessions).where(sessions.c.user_id == P("user")))
_TRIM = Query(delete(sessions).where(sessions.c.used_at <= P("oldest")))


async def open_session(session: WriteSession, user_id: int, *, user_agent: str = "", ip: str = "") -> str:
    """Begins a session and gives its secret, for the cookie; only its digest is stored."""
    secret, now = make_secret(), now_ms()
    known, alike = (await session.all(_ALIKE, user=user_id, agent=user_agent[:_AGENT], ip=ip))[0]
    if known and not alike:
        await record(session, SignedInAnew(user_id, f"{user_agent[:_AGENT] or 'unknown browser'}, {ip}"))
    await session.execute(
        _INSERT,
        id=new_id(),
        user_id=user_id,
        secret_hash=digest_secret(secret),
        csrf=make_secret(),
        user_agent=user_agent[:_AGENT],
        ip=ip,
        created_at=now,
        used_at=now,
    )
    return secret


async def find_session(session: ReadSession, secret: str) -> SignedIn | None:
    """Whose cookie it is; None when it is nobody's, too old, or theirs who may no longer sign in."""
    return await session.view(SignedIn, _FIND, secret_hash=digest_secret(secret), oldest=_oldest())


async def touch_session(session: WriteSession, session_id: int, ip: str) -> None:
    """Notes that the session is in use, which makes it last."""
    await session.execute(_TOUCH, id=session_id, now=now_ms(), ip=ip)


async def close_session(session: WriteSession, session_id: int) -> None:
    """Ends one session."""
    await session.execute(_CLOSE, id=session_id)


async def close_sessions(session: WriteSession, user_id: int) -> None:
    """Ends every session of somebody."""
    await session.execute(_CLOSE_ALL, user=user_id)


async def trim_sessions(session: WriteSession) -> int:
    """Forgets sessions that were not used for a year; gives their number."""
    return await session.execute(_TRIM, oldest=_oldest())


def _oldest() -> int:
    return now_ms() - SESSION_SECONDS * 1000
