"""All jobs of one host at once: moved off when it does not answer, back when it does, and counted."""

from sqlalchemy import func, select, update

from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.jobs.defer import TOPIC, wake
from phiomia.platform.jobs.models import jobs

_SENDS = jobs.c.queue.in_(("push", "retry"))
# The index holds only what has a host: unless that is said, all that waits would be looked through.
_WAITING = (jobs.c.host == P("of_host", str), jobs.c.host != "", jobs.c.claimed_by == "", _SENDS)
_PUT_OFF = Query(update(jobs).where(*_WAITING, jobs.c.run_at < P("until")).values(run_at=P("until"), queue="retry"))
_BRING_FORWARD = Query(update(jobs).where(*_WAITING, jobs.c.run_at > P("now")).values(run_at=P("now"), queue="push"))
_some = select(jobs.c.id).where(jobs.c.host == P("of_host", str), jobs.c.host != "", jobs.c.queue == P("queue", str))
_COUNT = Query(select(func.count()).select_from(_some.limit(P("most")).subquery()))


async def count_waiting(session: ReadSession, host: str, queue: str, most: int) -> int:
    """How many jobs of a host are in a queue, running ones included; `most` if there are more."""
    return int(await session.value(_COUNT, of_host=host, queue=queue, most=most))


async def put_off(session: WriteSession, host: str, until: int) -> int:
    """Lets everything that is to be sent to a host wait until a moment; gives the number of jobs."""
    return await session.execute(_PUT_OFF, of_host=host, until=until)


async def bring_forward(session: WriteSession, host: str, now: int) -> int:
    """Lets everything that waits for a host run now; gives the number of jobs."""
    moved = await session.execute(_BRING_FORWARD, of_host=host, now=now)
    if moved:
        wake(session, TOPIC)
    return moved
