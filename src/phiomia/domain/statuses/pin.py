"""Pinning one's own statuses to one's profile."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import DomainError, Invalid, NotFound
from phiomia.domain.statuses.events import StatusPinned
from phiomia.domain.statuses.models import pins, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.targets import find_target
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.limits import PINNED_STATUSES

_STATUS = Query(
    select(statuses.c.account_id, statuses.c.visibility, statuses.c.reblog_of_id).where(
        statuses.c.id == P("id"), visible_to(statuses, P("actor"))
    )
)
# Of two pins at the same moment, the second waits to see the first.
_LOCK = Query(select(accounts.c.id).where(accounts.c.id == P("id")).with_for_update(key_share=True))
_OTHERS = Query(select(func.count()).where(pins.c.account_id == P("actor"), pins.c.status_id != P("id")))
_PINNED = Query(select(pins.c.status_id).where(pins.c.account_id == P("actor")))
_INSERT = Query(
    lambda insert: (
        insert(pins)
        .values(id=P("id"), account_id=P("account_id"), status_id=P("status_id"), created_at=P("created_at"))
        .on_conflict_do_nothing(index_elements=["account_id", "status_id"])
    )
)
_DELETE = Query(delete(pins).where(pins.c.account_id == P("actor"), pins.c.status_id == P("id")))


async def pin(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Pins a status; nothing happens a second time. Raises NotFound, Invalid."""
    row = await session.one(_STATUS, id=status_id, actor=actor_id)
    if row is None:
        raise NotFound
    _check(actor_id, *row)
    await session.one(_LOCK, id=actor_id)
    if await session.value(_OTHERS, actor=actor_id, id=status_id) >= PINNED_STATUSES:
        raise Invalid(f"Validation failed: No more than {PINNED_STATUSES} posts can be pinned")
    if await session.execute(_INSERT, id=new_id(), account_id=actor_id, status_id=status_id, created_at=now_ms()):
        await record(session, StatusPinned(status_id, actor_id))


async def unpin(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Takes a status off the profile. Raises NotFound."""
    if not await session.execute(_DELETE, actor=actor_id, id=status_id):
        await find_target(session, actor_id, status_id)
        return
    await record(session, StatusPinned(status_id, actor_id, gone=True))


async def replace_pins(session: WriteSession, account_id: int, status_ids: Sequence[int]) -> None:
    """Lets these be what an account of another server has pinned, the first one on top; what is not its own is not."""
    there = await session.column(_PINNED, actor=account_id)
    for status_id in there:
        if status_id not in status_ids:
            await unpin(session, account_id, status_id)
    for status_id in reversed(status_ids):
        if status_id in there:
            continue
        try:
            await pin(session, account_id, status_id)
        except DomainError:
            continue  # somebody else's, a boost or a direct one: the others are shown all the same


def _check(actor_id: int, author_id: int, visibility: int, reblog_of_id: int | None) -> None:
    if author_id != actor_id:
        raise Invalid("Validation failed: Only one's own posts can be pinned")
    if reblog_of_id is not None:
        raise Invalid("Validation failed: Boosts can't be pinned")
    if visibility == Visibility.DIRECT:
        raise Invalid("Validation failed: Posts for the mentioned alone can't be pinned")
