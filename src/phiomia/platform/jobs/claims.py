"""Claims rows of the queue and settles them: every statement of the worker.

A claim moves `run_at` to the end of its lease and raises `attempt`, so a job that kills its worker is ready again by
itself and still counts. What dead workers left twice is marked as suspect and counts only when it really starts: one
job that kills must not use up the attempts of those that ran beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import delete, select, update

from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.jobs.models import dead_jobs, jobs

MAX_ERROR = 2_000


class Lane(NamedTuple):
    """Jobs of one queue and priority, and when the first of them is due."""

    queue: str
    priority: int
    run_at: int


class Claimed(NamedTuple):
    """A job that is ours until its lease ends."""

    id: int
    queue: str
    type: str
    version: int
    args: str
    attempt: int
    owner: str
    host: str = ""

    @property
    def is_suspect(self) -> bool:
        """Whether workers died twice while they had it."""
        return self.owner.endswith("!")


class Again(NamedTuple):
    """A job that goes back into the queue."""

    id: int
    owner: str
    run_at: int
    attempt: int
    queue: str
    error: str = ""


class Buried(NamedTuple):
    """A job that has used up its attempts."""

    id: int
    owner: str
    attempt: int
    error: str


@dataclass
class Settlement:
    """What became of claimed jobs since the last write."""

    done: list[int] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)
    dead: list[Buried] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.done or self.again or self.dead)

    def add(self, other: "Settlement") -> None:
        """Takes over what another holds."""
        self.done += other.done
        self.again += other.again
        self.dead += other.dead


# From lane to lane along the index: as cheap with a million delayed jobs as with none.
_LANES = Query.raw(
    sqlite="""
    WITH RECURSIVE lanes (id) AS (
        SELECT (SELECT id FROM jobs ORDER BY queue, priority, run_at LIMIT 1)
        UNION ALL
        SELECT (
            SELECT following.id FROM jobs AS following
            WHERE (following.queue, following.priority) > (jobs.queue, jobs.priority)
            ORDER BY following.queue, following.priority, following.run_at LIMIT 1
        )
        FROM lanes JOIN jobs ON jobs.id = lanes.id
    )
    SELECT jobs.queue, jobs.priority, jobs.run_at FROM lanes JOIN jobs ON jobs.id = lanes.id
    """
)

_CLAIM = """
    UPDATE jobs SET
        run_at = :until,
        attempt = CASE WHEN claimed_by <> '' AND attempt >= 2 THEN attempt ELSE attempt + 1 END,
        claimed_by = CASE WHEN claimed_by <> '' AND attempt >= 2 THEN CAST(:suspect AS TEXT) ELSE :owner END
    WHERE id {chosen}
    RETURNING id, queue, type, version, args, attempt, claimed_by, host
"""
_READY = "SELECT id FROM jobs WHERE queue = :queue AND priority = :priority AND run_at <= :now ORDER BY run_at"
_CLAIM_LANE = Query.raw(
    sqlite=_CLAIM.format(chosen=f"IN ({_READY} LIMIT :limit)"),
    # ARRAY makes it a plan of its own that runs once; IN may be repeated and lock more rows than the limit.
    postgresql=_CLAIM.format(chosen=f"= ANY(ARRAY({_READY} LIMIT :limit FOR UPDATE SKIP LOCKED))"),
)
_CLAIM_THESE = Query.raw(
    sqlite=_CLAIM.format(chosen="IN (SELECT value FROM json_each(:ids_list)) AND run_at <= :now"),
    postgresql=_CLAIM.format(
        chosen="= ANY(ARRAY(SELECT id FROM jobs WHERE id = ANY(:ids_list) AND run_at <= :now FOR UPDATE SKIP LOCKED))"
    ),
)

_DELETE = Query(delete(jobs).where(any_of(jobs.c.id, listed("ids"))))
_EXTEND = Query(
    update(jobs)
    .where(any_of(jobs.c.id, listed("ids")), jobs.c.claimed_by.in_([P("owner", str), P("suspect", str)]))
    .values(run_at=P("until"))
)
_OWNED = (jobs.c.id == P("id"), jobs.c.claimed_by == P("owner", str))
_AGAIN = Query(
    update(jobs)
    .where(*_OWNED)
    .values(
        run_at=P("run_at"),
        attempt=P("attempt"),
        queue=P("queue", str),
        error=P("error", str),
        claimed_by="",
    )
)
_COUNT_START = Query(update(jobs).where(*_OWNED).values(attempt=P("attempt")))
_KEPT = ("id", "queue", "type", "version", "args", "host", "created_at")
_BURY = Query(
    lambda insert: (
        insert(dead_jobs)
        .from_select(
            [*_KEPT, "attempt", "error", "died_at"],
            select(
                *(jobs.c[name] for name in _KEPT),
                P("attempt").label("attempt"),
                P("error", str).label("error"),
                P("now").label("died_at"),
            ).where(*_OWNED),
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
)
_DELETE_OWNED = Query(delete(jobs).where(*_OWNED))


def suspect_of(owner: str) -> str:
    """The owner's name as it stands on suspect jobs."""
    return owner + "!"


async def find_lanes(session: ReadSession) -> list[Lane]:
    """Every lane that holds a job."""
    return await session.views(Lane, _LANES)


async def claim_lane(
    session: WriteSession, queue: str, priority: int, limit: int, *, owner: str, now: int, until: int
) -> list[Claimed]:
    """Takes up to `limit` jobs that are due, the longest waiting ones, for `owner` until the lease ends."""
    rows = await session.views(
        Claimed,
        _CLAIM_LANE,
        queue=queue,
        priority=priority,
        limit=limit,
        owner=owner,
        suspect=suspect_of(owner),
        now=now,
        until=until,
    )
    return sorted(rows)


async def claim_these(session: WriteSession, ids: Sequence[int], *, owner: str, now: int, until: int) -> list[Claimed]:
    """Takes those of the jobs that are still due."""
    rows = await session.views(
        Claimed, _CLAIM_THESE, ids_list=ids, owner=owner, suspect=suspect_of(owner), now=now, until=until
    )
    return sorted(rows)


async def count_start(session: WriteSession, row: Claimed) -> bool:
    """Raises the attempt of a suspect job that is about to run; False when it is no longer ours."""
    return bool(await session.execute(_COUNT_START, id=row.id, owner=row.owner, attempt=row.attempt + 1))


async def extend_leases(session: WriteSession, ids: Sequence[int], *, owner: str, until: int) -> None:
    """Keeps running jobs ours for longer."""
    await session.execute(_EXTEND, ids=ids, owner=owner, suspect=suspect_of(owner), until=until)


async def settle(session: WriteSession, settlement: Settlement, now: int) -> None:
    """Deletes what is done, puts back what shall run again, buries what never will.

    Except for what is done, only what is still ours: a lease that ran out has made it another worker's.
    """
    if settlement.done:
        await session.execute(_DELETE, ids=settlement.done)
    if settlement.again:
        await session.execute_many(_AGAIN, [row._asdict() for row in settlement.again])
    if settlement.dead:
        await session.execute_many(_BURY, [{**row._asdict(), "now": now} for row in settlement.dead])
        await session.execute_many(_DELETE_OWNED, [row._asdict() for row in settlement.dead])


def clean_error(text: str) -> str:
    """The text as both databases can keep it, at most MAX_ERROR characters."""
    return text[:MAX_ERROR].replace("\0", "").encode("utf-8", "replace").decode()
