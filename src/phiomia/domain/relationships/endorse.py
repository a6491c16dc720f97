"""Showing somebody one follows on one's profile, and no longer."""

from sqlalchemy import delete, select

from phiomia.domain.errors import Invalid
from phiomia.domain.relationships.models import endorsements, follows
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id

_FOLLOWS = Query(select(follows.c.id).where(follows.c.account_id == P("account"), follows.c.target_id == P("target")))
_INSERT = Query(
    lambda insert: (
        insert(endorsements)
        .values(
            {name: column_parameter(endorsements, name) for name in ("id", "account_id", "target_id", "created_at")}
        )
        .on_conflict_do_nothing(index_elements=["account_id", "target_id"])
    )
)
_DELETE = Query(
    delete(endorsements).where(endorsements.c.account_id == P("account"), endorsements.c.target_id == P("target"))
)


async def endorse(session: WriteSession, actor_id: int, target_id: int) -> None:
    """Shows an account on the actor's profile. Raises NotFound, and Invalid unless the actor follows it."""
    await require_account(session, target_id)
    if await session.value(_FOLLOWS, account=actor_id, target=target_id) is None:
        raise Invalid("You can only feature accounts that you follow")
    await session.execute(_INSERT, id=new_id(), account_id=actor_id, target_id=target_id, created_at=now_ms())


async def unendorse(session: WriteSession, actor_id: int, target_id: int) -> None:
    """Takes an account off the actor's profile; nothing happens if it is not there. Raises NotFound."""
    await require_account(session, target_id)
    await session.execute(_DELETE, account=actor_id, target=target_id)
