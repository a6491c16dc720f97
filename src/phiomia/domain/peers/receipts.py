"""What became of a status on its way: one line for each inbox that it was sent to."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.peers.models import deliveries
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.jobs.claims import clean_error


class DeliveryState(IntEnum):
    """How a delivery stands. The numbers are stored."""

    WAITING = 0
    REACHED = 1
    RETRYING = 2
    GONE = 3  # given up: nobody answers there, or no more
    REJECTED = 4

    @property
    def word(self) -> str:
        """As it is shown."""
        return self.name.lower()


class Receipt(NamedTuple):
    """One delivery of a status."""

    inbox: str
    host: str
    state: int
    attempts: int
    last_error: str
    updated_at: int


_ERROR = 300
_INSERT = Query(
    lambda insert: (
        insert(deliveries)
        .values(
            status_id=P("status_id"),
            inbox=P("inbox", str),
            host=P("host", str),
            state=column_parameter(deliveries, "state"),
            updated_at=P("now"),
        )
        .on_conflict_do_update(
            index_elements=["status_id", "inbox"],
            set_={"state": column_parameter(deliveries, "state"), "last_error": "", "updated_at": P("now")},
        )
    )
)
_NOTE = Query(
    update(deliveries)
    .where(deliveries.c.status_id == P("of_status"), deliveries.c.inbox == P("of_inbox", str))
    .values(
        state=column_parameter(deliveries, "state", "new_state"),
        attempts=deliveries.c.attempts + P("tried"),
        last_error=P("error", str),
        updated_at=P("now"),
    )
)
_LOAD = Query(
    select(*[deliveries.c[name] for name in Receipt._fields])
    .where(deliveries.c.status_id == P("status_id"))
    .order_by(deliveries.c.host, deliveries.c.inbox)
)


async def expect_receipts(
    session: WriteSession, status_id: int, inboxes: Sequence[tuple[str, str]], state: DeliveryState
) -> None:
    """Begins a line for each (inbox, host), anew where there is one."""
    now = now_ms()
    await session.execute_many(
        _INSERT,
        [{"status_id": status_id, "inbox": inbox, "host": host, "state": state, "now": now} for inbox, host in inboxes],
    )


class Note(NamedTuple):
    """What became of one delivery."""

    status_id: int
    inbox: str
    state: DeliveryState
    error: str = ""


async def note_receipts(session: WriteSession, notes: Sequence[Note], *, tried: bool = True) -> None:
    """Writes down what became of deliveries; `tried`: the other side was asked."""
    await session.execute_many(
        _NOTE,
        [
            {
                "of_status": note.status_id,
                "of_inbox": note.inbox,
                "new_state": note.state,
                "tried": int(tried),
                "error": clean_error(note.error[:_ERROR]),
                "now": now_ms(),
            }
            for note in notes
        ],
    )


async def load_receipts(session: ReadSession, status_id: int) -> list[Receipt]:
    """What became of a status, by host."""
    return await session.views(Receipt, _LOAD, status_id=status_id)
