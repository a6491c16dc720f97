"""Workers do the backfills of their release: a job that comes back every minute until nothing is left."""

from collections.abc import Sequence
from typing import Protocol

from phiomia.platform.clock import MINUTE
from phiomia.platform.db import Database
from phiomia.platform.jobs.defer import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic
from phiomia.upgrade.backfills import Backfill, run_due

# Less than the minute after which it comes back, so that it does not keep one of the queue's places for ever.
_SLICE_S = 45.0


class RunBackfills(Job, frozen=True):
    """Go on with what has to be filled in since the last upgrade."""

    TYPE = "upgrade.backfills"
    QUEUE = "scheduled"


class _Context(Protocol):
    @property
    def db(self) -> Database: ...


def make_handler(backfills: Sequence[Backfill]) -> Handler:
    """The handler of RunBackfills."""

    async def run_backfills(context: _Context, _job: RunBackfills) -> None:
        await run_due(context.db, backfills, _SLICE_S)

    return Handler(RunBackfills, run_backfills)


def make_periodic(backfills: Sequence[Backfill]) -> tuple[Periodic, ...]:
    """The entry that brings it back; none for a release without backfills."""
    return (Periodic("backfills", MINUTE, RunBackfills),) if backfills else ()
