"""What operators see of the queue, and what they may do about dead jobs."""

from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, and_, cast, delete, func, literal_column, select

from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.jobs.defer import QUEUES, TOPIC, wake
from phiomia.platform.jobs.models import dead_jobs, jobs


class QueueCounts(NamedTuple):
    """How many jobs of a queue are due, wait for their time, or run; and for how long the oldest due one has waited."""

    queue: str
    ready: int = 0
    delayed: int = 0
    running: int = 0
    oldest_ready_ms: int = 0


class DeadJob(NamedTuple):
    """A job that has used up its attempts."""

    id: int
    queue: str
    type: str
    version: int
    args: str
    attempt: int
    error: str
    created_at: int
    died_at: int


_later = jobs.c.run_at > P("now")


_WAITING = Query(select(jobs.c.id).where(jobs.c.unique_key == P("name", str)))


def _count(*conditions: Any) -> Any:
    return func.count().filter(and_(*conditions))


_COUNTS = Query(
    select(
        jobs.c.queue,
        _count(jobs.c.run_at <= P("now")),
        _count(_later, jobs.c.claimed_by == ""),
        _count(_later, jobs.c.claimed_by != ""),
        func.min(jobs.c.run_at),
    ).group_by(jobs.c.queue)
)
_DEAD_COLUMNS = [dead_jobs.c[name] for name in DeadJob._fields]
_DEAD = Query(
    select(*_DEAD_COLUMNS).where(dead_jobs.c.id < P("before")).order_by(dead_jobs.c.id.desc()).limit(P("limit"))
)
_COUNT_DEAD = Query(select(func.count()).select_from(dead_jobs))
_SOME_DEAD = Query(select(dead_jobs.c.id).order_by(dead_jobs.c.id).limit(P("limit")))
_MOVED = ("id", "queue", "type", "version", "args", "host", "created_at")
_REVIVE = Query(
    lambda insert: (
        insert(jobs)
        .from_select(
            [*_MOVED, "priority", "run_at"],
            select(
                *(dead_jobs.c[name] for name in _MOVED), cast(literal_column("0"), Integer), cast(P("now"), BigInteger)
            ).where(any_of(dead_jobs.c.id, listed("ids"))),
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
)
_REMOVE = Query(delete(dead_jobs).where(any_of(dead_jobs.c.id, listed("ids"))))
_LATEST = (1 << 63) - 1


async def count_jobs(session: ReadSession) -> list[QueueCounts]:
    """The counts of every queue, in the order in which workers look at them. Reads the whole table: use `db.scan`."""
    now = now_ms()
    found = {}
    for queue, ready, delayed, running, first in await session.all(_COUNTS, now=now):
        found[queue] = QueueCounts(queue, ready, delayed, running, max(0, now - first) if ready else 0)
    known = [found.pop(queue, QueueCounts(queue)) for queue in QUEUES]
    return [*known, *(found[queue] for queue in sorted(found))]


async def count_dead(session: ReadSession) -> int:
    """How many dead jobs are kept."""
    return int(await session.value(_COUNT_DEAD))


async def find_dead(session: ReadSession, *, before: int | None = None, limit: int = 50) -> list[DeadJob]:
    """Dead jobs, the youngest first; `before` is the id of the last one seen."""
    return await session.views(DeadJob, _DEAD, before=_LATEST if before is None else before, limit=limit)


async def retry_dead(session: WriteSession, id_: int) -> bool:
    """Puts a dead job back into its queue, with all its attempts; False when there is none of that id."""
    return await _revive(session, [id_]) == 1


async def retry_some_dead(session: WriteSession, limit: int = 1_000) -> int:
    """Puts up to `limit` dead jobs back; gives their number, 0 when none is left."""
    return await _revive(session, await session.column(_SOME_DEAD, limit=limit))


async def discard_dead(session: WriteSession, id_: int) -> bool:
    """Forgets a dead job; False when there is none of that id."""
    return await session.execute(_REMOVE, ids=[id_]) == 1


async def discard_some_dead(session: WriteSession, limit: int = 1_000) -> int:
    """Forgets up to `limit` dead jobs; gives their number, 0 when none is left."""
    return await session.execute(_REMOVE, ids=await session.column(_SOME_DEAD, limit=limit))


async def _revive(session: WriteSession, ids: list[int]) -> int:
    await session.execute(_REVIVE, ids=ids, now=now_ms())
    wake(session, TOPIC)
    return await session.execute(_REMOVE, ids=ids)


async def is_waiting(session: ReadSession, unique: str) -> bool:
    """Whether a job of that key waits or runs."""
    return await session.value(_WAITING, name=unique) is not None
