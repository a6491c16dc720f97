"""Whether so much of one server waits to be carried out that it would hold up everybody else."""

import time

from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.platform.db import Database
from phiomia.platform.jobs.hosts import count_waiting
from phiomia.platform.limits import WAITING_OF_SERVER

_SECONDS = 1.0
_HOSTS = 10_000


class Crowd:
    """Counts what waits, of each server once a second at most; in between it counts along what this process takes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[str, tuple[float, int]] = {}  # when it was counted, and how many with those since

    async def is_too_large(self, host: str) -> bool:
        """Whether no more of the server should be taken for now; if it may, that counts as one more."""
        now = time.monotonic()
        counted_at, waiting = self._waiting.get(host, (-_SECONDS, 0))
        if now - counted_at >= _SECONDS:
            async with self._db.read() as session:
                counted_at, waiting = now, await count_waiting(session, host, TakeActivity.QUEUE)
            if len(self._waiting) >= _HOSTS:
                self._waiting.clear()
        too_large = waiting >= WAITING_OF_SERVER
        self._waiting[host] = (counted_at, waiting if too_large else waiting + 1)
        return too_large
