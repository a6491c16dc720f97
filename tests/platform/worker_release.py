"""A worker for the tests: `python -m worker_release`, under the supervisor like a real one.

Each job writes a row, which counts once however often the job runs, and a line about its beginning and its end.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from phiomia.platform.db import Query, WriteSession, open_database
from phiomia.platform.events import Services
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.worker import Handler, Timing, Worker
from phiomia.platform.notify import tell_ready

EFFECT = Query.raw(sqlite="INSERT INTO effects (n) VALUES (:n) ON CONFLICT DO NOTHING")
# Short enough for a test; what is measured is that nothing is lost, not how long it takes.
TIMING = Timing(lease_s=3.0, poll_s=0.1, stop_s=20.0)


class Chore(Job, frozen=True):
    """Takes a moment and leaves a trace."""

    TYPE = "chore"
    n: int = 0


class Newer(Job, frozen=True):
    """Is of a version that this worker does not know."""

    TYPE = "newer"
    VERSION = 1


async def main(url: str, lines: str) -> None:
    """Works until SIGTERM."""
    log = os.open(lines, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    db = open_database(url)
    db.services = Services()
    await db.start()

    async def run(_context: Any, job: Chore) -> None:
        os.write(log, f"begin {job.n}\n".encode())
        await asyncio.sleep(0.05 + job.n % 7 * 0.05)

        async def write(session: WriteSession) -> None:
            await session.execute(EFFECT, n=job.n)

        await db.write(write)
        os.write(log, f"end {job.n}\n".encode())

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    handlers = {"chore": Handler(Chore, run), "newer": Handler(Newer, run)}
    worker = Worker(db, None, handlers, worker_name=f"test:{os.getpid()}", timing=TIMING)
    tell_ready()
    await worker.run(stop)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
