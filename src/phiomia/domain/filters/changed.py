"""What every change of filters entails: their number rises, processes forget what they know, apps are told."""

from phiomia.domain.filters.events import FiltersChanged
from phiomia.domain.filters.models import filter_revisions
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import append_stream, record

TOPIC = "filters"
# The revision rises by itself.
_RAISE = Query(
    lambda insert: (
        insert(filter_revisions)
        .values(account_id=P("account"))
        .on_conflict_do_update(index_elements=["account_id"], set_={"account_id": P("account")})
    )
)


async def note_change(session: WriteSession, account_id: int) -> None:
    """Lets everybody know that an account's filters are others now. Comes last in a verb."""
    await session.execute(_RAISE, account=account_id)
    bus = getattr(session.services, "bus", None)
    if bus is not None:
        # Before the log of events wakes anybody: what is rendered after the change must heed it.
        session.after_commit(lambda: bus.publish(TOPIC, str(account_id).encode()))
    await record(session, FiltersChanged(account_id=account_id))


async def tell_streams(session: WriteSession, event: FiltersChanged) -> None:
    """The account's apps read their filters anew."""
    await append_stream(session, "filters", {"account": event.account_id})
