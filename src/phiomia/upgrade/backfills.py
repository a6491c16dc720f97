"""Work that fills in what a release reads from now on, row by row, while everybody goes on working.

A backfill goes through a table by id, a batch to a transaction, and keeps its place in the same transaction: it may be
killed at any moment and by whom it is taken up again does not matter. It takes a fraction of the time only, and less
when the database is busy. Workers begin with it some minutes after they have first seen it, when by all means no
process of the release before writes rows any more; `run` does so at once.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from phiomia.platform.clock import MINUTE, SECOND, now_ms
from phiomia.platform.db import Database, Query, ReadSession, TooSlow, Unavailable, WriteSession

Report = Callable[[str], None]

WORKERS_WAIT_MS = 10 * MINUTE
_LEASE_MS = 60 * SECOND
_COUNT_SECONDS = 30.0
_COUNT_UP_TO = 100_000
_UNAVAILABLE_TRIES = 20


# What a verb has done: the id of the last row that it looked at, None when there was none; how many rows. No class,
# because verbs belong to the domain, which does not know of upgrades.
Batch = tuple[int | None, int]
Verb = Callable[[WriteSession, int, int], Awaitable[Batch]]


class Backfill(NamedTuple):
    """A piece of such work. `verb(session, after, limit)` does the next rows above the id `after`.

    It may be asked for rows that it has done already, and must not mind. `table` is only counted. Once the contract
    `until` has removed what it reads, which a new database never had, there is nothing to do.
    """

    id: str
    table: str
    batch: int
    verb: Verb
    until: str = ""


class Progress(NamedTuple):
    """How far a backfill is: waiting, running, done or failed."""

    id: str
    state: str
    rows_done: int
    rows_total: int  # as counted when it began
    seen_at: int
    started_at: int | None
    finished_at: int | None
    error: str


class Pace(NamedTuple):
    """How much of the database a backfill takes. A batch that takes long is a sign of others at work."""

    batch_s: float = 0.025
    rest: float = 3.0  # times what the batch has taken
    busy_s: float = 0.25
    busy_rest_s: float = 2.0
    report_s: float = 5.0


class Failed(Exception):
    """A backfill met an error. What is done stays done."""


class _Step(NamedTuple):
    state: str  # running, done, elsewhere
    rows: int


_LIST = Query.raw(
    sqlite="SELECT id, state, rows_done, rows_total, seen_at, started_at, finished_at, error FROM backfills ORDER BY id"
)
_NOTICE = Query.raw(sqlite="INSERT INTO backfills (id, seen_at) VALUES (:id, :now) ON CONFLICT (id) DO NOTHING")
_START = Query.raw(
    sqlite="UPDATE backfills SET state = 'running', started_at = coalesce(started_at, :now), rows_total = :total,"
    " error = '' WHERE id = :id AND state <> 'done'"
)
_PLACE = Query.raw(sqlite="SELECT state, after_id FROM backfills WHERE id = :id")
_ADVANCE = Query.raw(sqlite="UPDATE backfills SET after_id = :after, rows_done = rows_done + :rows WHERE id = :id")
_REVISIONS = Query.raw(sqlite="SELECT revision FROM schema_revisions")
_FINISH = Query.raw(sqlite="UPDATE backfills SET state = 'done', finished_at = :now WHERE id = :id")
_FAIL = Query.raw(sqlite="UPDATE backfills SET state = 'failed', error = :error WHERE id = :id")
_RESET = Query.raw(
    sqlite="UPDATE backfills SET state = 'waiting', after_id = 0, rows_done = 0, started_at = NULL,"
    " finished_at = NULL, error = '' WHERE id = :id"
)


async def progress(session: ReadSession) -> list[Progress]:
    """How far every backfill is that this database has ever seen."""
    return await session.views(Progress, _LIST)


async def list_unfinished(session: ReadSession, backfills: Sequence[Backfill]) -> list[str]:
    """The ids of those that are not done, also when nobody has begun with them."""
    done = {one.id for one in await progress(session) if one.state == "done"}
    return [one.id for one in await _leave_out_superseded(session, backfills) if one.id not in done]


async def _leave_out_superseded(session: ReadSession, backfills: Sequence[Backfill]) -> list[Backfill]:
    if not any(one.until for one in backfills):
        return list(backfills)
    revisions = set(await session.column(_REVISIONS))
    return [one for one in backfills if one.until not in revisions]


async def notice(session: WriteSession, backfills: Sequence[Backfill], now: int) -> None:
    """Writes down when each was seen first."""
    await session.execute_many(_NOTICE, [{"id": one.id, "now": now} for one in backfills])


async def skip(session: WriteSession, backfills: Sequence[Backfill], now: int) -> None:
    """Writes down that there is nothing to fill in: in a database that has never been another release's."""
    await notice(session, backfills, now)
    for one in backfills:
        await session.execute(_FINISH, id=one.id, now=now)


async def restart(session: WriteSession, id_: str) -> bool:
    """Lets a backfill begin anew, which does no harm; False when there is none of that id."""
    return bool(await session.execute(_RESET, id=id_))


async def run(
    db: Database,
    backfills: Sequence[Backfill],
    report: Report | None = None,
    *,
    pace: Pace = Pace(),  # noqa: B008 (immutable)
    seconds: float | None = None,
) -> bool:
    """Does what is not done, one after another; True when nothing is left.

    False when the time was over or another process is at it. Raises Failed, Unavailable.
    """
    end = None if seconds is None else time.monotonic() + seconds
    now = now_ms()
    async with db.read() as session:
        unfinished = set(await list_unfinished(session, backfills))
    chosen = [one for one in backfills if one.id in unfinished]
    if chosen:
        await db.write(lambda session: notice(session, chosen, now))
    complete = True
    for backfill in chosen:
        complete = await _Run(db, backfill, pace, end, report).work() and complete
    return complete


async def run_due(db: Database, backfills: Sequence[Backfill], seconds: float, *, now: int | None = None) -> bool:
    """What a worker does: `run` with those that were seen long enough ago or were begun."""
    at = now_ms() if now is None else now
    async with db.read() as session:
        wanted = await _leave_out_superseded(session, backfills)
        known = {one.id: one for one in await progress(session)}
    if any(one.id not in known for one in wanted):
        await db.write(lambda session: notice(session, wanted, at))
    due = [one for one in wanted if one.id in known and _is_due(known[one.id], at)]
    return await run(db, due, seconds=seconds) if due else False


def _is_due(known: Progress, now: int) -> bool:
    return known.state != "done" and (known.started_at is not None or now - known.seen_at >= WORKERS_WAIT_MS)


class _Run:
    """One process at one backfill."""

    def __init__(self, db: Database, backfill: Backfill, pace: Pace, end: float | None, report: Report | None) -> None:
        self._db = db
        self._backfill = backfill
        self._pace = pace
        self._end = end
        self._report = report
        self._holder = secrets.token_hex(8)
        self._lease = f"backfill:{backfill.id}"
        self._size = max(backfill.batch // 8, 1)
        self._rows = 0
        self._next_report = 0.0

    async def work(self) -> bool:
        """True when it is done."""
        from phiomia.platform.jobs.handlers import describe_error  # who asks how far it is does without the queue
        from phiomia.platform.jobs.lease import release_lease

        total = await _count(self._db, self._backfill.table)
        now = now_ms()
        await self._db.write(lambda session: session.execute(_START, id=self._backfill.id, now=now, total=total))
        step = _Step("running", 0)
        try:
            while step.state == "running" and (self._end is None or time.monotonic() < self._end):
                begun = time.monotonic()
                step = await self._try_step()
                self._rows += step.rows
                self._tell(step.state, total)
                if step.state == "running":
                    await asyncio.sleep(self._rest_s(time.monotonic() - begun))
        except Unavailable:
            raise
        except Exception as error:
            reason = describe_error(error)
            await self._db.write(lambda session: session.execute(_FAIL, id=self._backfill.id, error=reason))
            raise Failed(f"The backfill {self._backfill.id} met an error: {reason}") from error
        finally:
            await self._db.write(lambda session: release_lease(session, self._lease, self._holder))
        return step.state == "done"

    async def _try_step(self) -> _Step:
        for attempt in range(_UNAVAILABLE_TRIES):
            try:
                return await self._db.write(self._step)
            except Unavailable:
                if attempt == _UNAVAILABLE_TRIES - 1:
                    raise
                self._size = max(self._size // 2, 1)
                await asyncio.sleep(self._pace.busy_rest_s)
        raise AssertionError("unreachable")

    async def _step(self, session: WriteSession) -> _Step:
        from phiomia.platform.jobs.lease import take_lease

        now = now_ms()
        if not await take_lease(session, self._lease, self._holder, now=now, until=now + _LEASE_MS):
            return _Step("elsewhere", 0)
        id_ = self._backfill.id
        row = await session.one(_PLACE, id=id_)
        if row is None or row[0] == "done":
            return _Step("done", 0)
        last, rows = await self._backfill.verb(session, row[1], self._size)
        if last is None:
            await session.execute(_FINISH, id=id_, now=now)
            return _Step("done", rows)
        await session.execute(_ADVANCE, id=id_, after=last, rows=rows)
        return _Step("running", rows)

    def _rest_s(self, took: float) -> float:
        """How long to rest after a batch; the next one is as large as fits into its time."""
        if took > self._pace.busy_s:
            self._size = max(self._size // 2, 1)
            return max(self._pace.busy_rest_s, took * self._pace.rest)
        if took > self._pace.batch_s:
            self._size = max(self._size * 3 // 4, 1)
        else:
            self._size = min(self._size * 5 // 4 + 1, self._backfill.batch)
        return took * self._pace.rest

    def _tell(self, state: str, total: int) -> None:
        now = time.monotonic()
        if self._report is None or (state == "running" and now < self._next_report):
            return
        self._next_report = now + self._pace.report_s
        if state == "elsewhere":
            self._report(f"{self._backfill.id}: another process is at it")
        else:
            self._report(f"{self._backfill.id}: {state}, {self._rows:,} rows now, {total:,} in all")


async def _count(db: Database, table: str) -> int:
    """About how many rows a table has; 0 when counting takes too long."""
    if db.dialect == "postgresql":
        estimate = Query.raw(sqlite=f"SELECT reltuples FROM pg_class WHERE oid = to_regclass('{table}')")  # noqa: S608
        async with db.read() as session:
            rows = int(await session.value(estimate) or 0)
        if rows > _COUNT_UP_TO:
            return rows
    exact = Query.raw(sqlite=f"SELECT count(*) FROM {table}")  # noqa: S608 (a name in our code)
    try:
        return int(await db.scan(lambda session: session.value(exact), _COUNT_SECONDS))
    except TooSlow:
        return 0
