"""Muting an account: its posts, and if wanted its notifications, stay away for a time or for good."""

from phiomia.domain.relationships.events import Muted
from phiomia.domain.relationships.models import mutes
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession, put_into
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_UPSERT = put_into(mutes, ["account_id", "target_id"], ["hide_notifications", "expires_at"], once=["id", "created_at"])


async def mute(
    session: WriteSession,
    actor_id: int,
    target_id: int,
    *,
    hide_notifications: bool = True,
    expires_at: int | None = None,
) -> None:
    """Mutes an account until `expires_at`, or for good; a second time it changes how and for how long.

    Nothing happens to oneself. Raises NotFound.
    """
    await require_account(session, target_id)
    if actor_id == target_id:
        return
    await session.execute(
        _UPSERT,
        id=new_id(),
        account_id=actor_id,
        target_id=target_id,
        created_at=now_ms(),
        hide_notifications=hide_notifications,
        expires_at=expires_at,
    )
    await record(session, Muted(actor_id, target_id, hide_notifications))
