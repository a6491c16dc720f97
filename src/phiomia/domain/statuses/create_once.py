"""Creating a status once, however often the client had to ask."""

from sqlalchemy import delete, select

from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.domain.statuses.models import idempotency_keys
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, WriteSession, put_into
from phiomia.platform.limits import IDEMPOTENCY_SECONDS

# Of two requests at the same moment, the second waits to see the first; other posts of the author don't.
_LOCK = Query.raw(
    sqlite="SELECT 1", postgresql="SELECT pg_advisory_xact_lock(7417004, hashtext(CAST(:account_and_key AS text)))"
)
_KNOWN = Query(
    select(idempotency_keys.c.status_id).where(
        idempotency_keys.c.account_id == P("account"),
        idempotency_keys.c.key == P("of_key", str),
        idempotency_keys.c.created_at > P("since"),
    )
)
_REMEMBER = put_into(idempotency_keys, ["account_id", "key"], ["status_id", "created_at"])
_FORGET = Query(delete(idempotency_keys).where(idempotency_keys.c.created_at <= P("before")))


async def create_status_once(session: WriteSession, draft: StatusDraft, key: str) -> int:
    """Writes the draft, or gives the id of what the author wrote under the same key within the hour.

    Raises NotFound, Invalid.
    """
    now = now_ms()
    if session.dialect == "postgresql":  # SQLite has but one writer
        await session.one(_LOCK, account_and_key=f"{draft.account_id} {key}")
    known = await session.value(_KNOWN, account=draft.account_id, of_key=key, since=now - IDEMPOTENCY_SECONDS * SECOND)
    if known is not None:
        return int(known)
    status_id = await create_status(session, draft)
    await session.execute(_REMEMBER, account_id=draft.account_id, key=key, status_id=status_id, created_at=now)
    return status_id


async def forget_keys(session: WriteSession) -> int:
    """Forgets the keys whose hour is over; gives their number."""
    return await session.execute(_FORGET, before=now_ms() - IDEMPOTENCY_SECONDS * SECOND)
