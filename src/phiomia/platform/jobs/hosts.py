"""All jobs of one host at once: moved off when it does not answer, back when it does, and counted."""

from sqlalchemy import func, select, update

from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.jobs.defer import TOPIC, wake
from phiomia.platform.jobs.models import jobs

# So many rows are moved by one statement: whoever else wants to write waits for no more.
MOVED_AT_ONCE = 1_000
# So many jobs of a host are looked through for those of one queue.
_LOOKED_THROUGH = 10_000

_SENDS = jobs.c.queue.in_(("push", "retry"))
# The index holds only what has a host: unless that is said, all that waits would be looked through.
_OF_HOST = (jobs.c.host == P("of_host", str), jobs.c.host != "")
_waiting = select(jobs.c.id).where(*_OF_HOST, jobs.c.claimed_by == "", _SENDS).limit(MOVED_AT_ONCE)
_PUT_OFF = Query(
    update(jobs)
    .where(jobs.c.id.in_(_waiting.where(jobs.c.run_at < P("until"))))
    .values(run_at=P("until"), queue="retry")
)
_BRING_FORWARD = Query(
    update(jobs).where(jobs.c.id.in_(_waiting.where(jobs.c.run_at > P("now")))).values(run_at=P("now"), queue="push")
)
_some = select(jobs.c.queue).where(*_OF_HOST).limit(_LOOKED_THROUGH).subquery()
_COUNT = Query(select(func.count()).select_from(_some).where(_some.c.queue == P("queue", str)))


async def count_waiting(session: ReadSession, host: str, queue: str) -> int:
    """How many jobs of a host are in a queue, running ones included, among 10,000 of its jobs."""
    return int(await session.value(_COUNT, of_host=host, queue=queue))


async def put_off(session: WriteSession, host: str, until: int) -> int:
    """Lets what is to be sent to a host wait until a moment; gives the number of jobs, after 1,000 not all."""
    return await session.execute(_PUT_OFF, of_host=host, until=until)


async def bring_forward(session: WriteSession, host: str, now: int) -> int:
    """Lets what waits for a host run now; gives the number of jobs, after 1,000 not all."""
    moved = await session.execute(_BRING_FORWARD, of_host=host, now=now)
    if moved:
        wake(session, TOPIC)
    return moved
