"""Puts a job into the queue, in the transaction of its cause."""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import msgspec

from phiomia.platform.clock import now_ms
from phiomia.platform.db import Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id
from phiomia.platform.jobs.models import jobs

# In the order in which a free worker looks at them. What goes to hosts that failed before waits in `retry`, where it
# takes no place from what goes to the others.
QUEUES = ("local", "push", "ingress", "mail", "pull", "retry", "scheduled")

TOPIC = "jobs"


class Job(msgspec.Struct, frozen=True):
    """One unit of later work. Subclasses add fields (ids and small values) and name their queue.

    Fields are only ever added, with defaults, since two releases read them during an upgrade; a changed
    meaning raises VERSION, and the handler understands the older ones.
    """

    TYPE: ClassVar[str]
    QUEUE: ClassVar[str] = "local"
    VERSION: ClassVar[int] = 1
    PRIORITY: ClassVar[int] = 0
    TRIES: ClassVar[int] = 12


class Hosted(NamedTuple):
    """A job that speaks with another server, or comes from it; `queue` only if it is not the job's own."""

    job: Job
    host: str
    run_at: int | None = None
    queue: str = ""


_COLUMNS = ("id", "queue", "type", "version", "args", "priority", "run_at", "unique_key", "host", "created_at")
_INSERT = Query(
    lambda insert: (
        insert(jobs)
        .values({name: column_parameter(jobs, name) for name in _COLUMNS})
        .on_conflict_do_nothing(index_elements=["unique_key"])
    )
)


async def defer(
    session: WriteSession, job: Job, *, run_at: int | None = None, unique: str | None = None, host: str = ""
) -> None:
    """Enqueues one job; `run_at` in ms delays it; with `unique` a second one of that key is left out.

    Of the jobs of one `host` only a few run at once.
    """
    await session.execute(_INSERT, **_row(job, run_at, unique, host))
    wake(session, TOPIC)


async def defer_many(session: WriteSession, many: Iterable[Job], *, run_at: int | None = None) -> None:
    """Enqueues several jobs in one statement."""
    await session.execute_many(_INSERT, [_row(job, run_at, None) for job in many])
    wake(session, TOPIC)


async def defer_hosted(session: WriteSession, many: Iterable[Hosted]) -> None:
    """Enqueues jobs for several hosts in one statement."""
    await session.execute_many(_INSERT, [_row(one.job, one.run_at, None, one.host, one.queue) for one in many])
    wake(session, TOPIC)


def wake(session: WriteSession, topic: str) -> None:
    """Publishes `topic` on the bus after the commit, once for a transaction."""
    bus = getattr(session.services, "bus", None)
    if bus is None or topic in session.topics:
        return
    session.topics.add(topic)
    session.after_commit(lambda: bus.publish(topic))


def _row(job: Job, run_at: int | None, unique: str | None, host: str = "", queue: str = "") -> dict[str, object]:
    now = now_ms()
    return {
        "id": new_id(),
        "queue": queue or job.QUEUE,
        "type": job.TYPE,
        "version": job.VERSION,
        "args": msgspec.json.encode(job).decode(),
        "priority": job.PRIORITY,
        "run_at": now if run_at is None else run_at,
        "unique_key": unique,
        "host": host,
        "created_at": now,
    }


__all__ = ["QUEUES", "TOPIC", "Hosted", "Job", "defer", "defer_hosted", "defer_many", "wake"]
