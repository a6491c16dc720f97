"""Runs jobs: looks at the queues, claims what is due, runs it, settles in batches.

One write of the worker does everything at once: deletes what is done, puts back what failed, extends leases, claims
anew. So a thousand small jobs cost few transactions, and an idle worker costs one cheap read a second.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import Database, Unavailable, WriteSession
from phiomia.platform.jobs.by_host import Places, claim_by_host
from phiomia.platform.jobs.claims import (
    Again,
    Buried,
    Claimed,
    Lane,
    Settlement,
    claim_lane,
    count_start,
    extend_leases,
    find_lanes,
    settle,
)
from phiomia.platform.jobs.defer import QUEUES, TOPIC
from phiomia.platform.jobs.handlers import Discard, Handler, Retry, Runner, backoff_ms, describe_error
from phiomia.platform.jobs.room import PER_HOST, Room
from phiomia.platform.log import get_logger

PUT_BACK_MS = 15 * SECOND
UNAVAILABLE_MS = 2 * SECOND
_BATCH = 64

log = get_logger(__name__)


class Timing(NamedTuple):
    """How long things take; other values are for tests."""

    lease_s: float = 45.0
    poll_s: float = 1.0
    collect_s: float = 0.005
    stop_s: float = 25.0
    unavailable_s: float = 1.0


class _Running:
    """A job whose handler is at work."""

    __slots__ = ("end", "overdue", "row", "task")

    def __init__(self, row: Claimed, end: float) -> None:
        self.row = row
        self.end = end
        self.overdue = False
        self.task: asyncio.Task[None] | None = None


class Worker:
    """Claims and runs jobs until told to stop.

    `context` is handed to every handler; `concurrency` says how many jobs of a queue run at once (0: none).
    """

    def __init__(
        self,
        db: Database,
        bus: Any,
        handlers: Mapping[str, Handler],
        *,
        concurrency: Mapping[str, int] | None = None,
        worker_name: str,
        context: Any = None,
        timing: Timing = Timing(),  # noqa: B008 (immutable)
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._db = db
        self._bus = bus
        self._runners = {name: Runner(handler) for name, handler in handlers.items()}
        self._room = Room(concurrency or {})
        _check(handlers)
        # A new life has a new name, or it would take the claims of its predecessor for its own.
        self.owner = f"{worker_name}:{secrets.token_hex(4)}"
        self._context = context
        self._timing = timing
        self._lease_ms = int(timing.lease_s * 1000)
        self._clock = clock
        self._running: dict[int, _Running] = {}
        self._looked_at: dict[tuple[str, int], str] = {}  # the host, of each lane whose hosts are being looked through
        self._suspects: dict[int, Claimed] = {}
        self._suspects_task: asyncio.Task[None] | None = None
        self._settlement = Settlement()
        self._next_beat = 0
        self._wake = asyncio.Event()
        self._collecting: asyncio.TimerHandle | None = None
        self._stopping = False
        self._turned_at = time.monotonic()

    @property
    def idle_s(self) -> float:
        """The seconds since the queue was last looked at with success."""
        return time.monotonic() - self._turned_at

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then lets handlers finish for a while and gives back the rest."""
        unsubscribe = self._bus.subscribe(TOPIC, lambda _payload: self._wake.set()) if self._bus else lambda: None
        stopper = asyncio.create_task(self._await_stop(stop))
        try:
            while not self._stopping:
                await self._sleep(await self._turn())
            await self._leave()
        finally:
            self._stopping = True
            unsubscribe()
            stopper.cancel()
            self._cancel_all()

    async def _await_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        if seconds <= 0:
            # On SQLite neither reading nor claiming nothing suspends: the handlers must get their turn.
            await asyncio.sleep(0)
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _turn(self) -> float:
        """Looks, settles, claims and starts; gives the seconds until it is worth looking again."""
        self._wake.clear()
        if self._collecting is not None:
            self._collecting.cancel()
            self._collecting = None
        settlement, self._settlement = self._settlement, Settlement()
        try:
            pause = await self._look_and_claim(settlement)
        except Exception as error:
            # Whatever the database says, what has happened must still be settled; the worker goes on trying.
            self._settlement.add(settlement)
            self._next_beat = 0
            log.warning("the queue can't be worked on", error=str(error), exc_info=not isinstance(error, Unavailable))
            return self._timing.unavailable_s
        self._turned_at = time.monotonic()
        return pause

    async def _look_and_claim(self, settlement: Settlement) -> float:
        now = self._clock()
        lanes = await self._find_open_lanes()
        due = [lane for lane in lanes if lane.run_at <= now]
        held = self._held_for_beat(now)
        claimed: list[Claimed] = []
        if due or settlement or held:
            # The database may run the verb on its own thread: what it reads must not change meanwhile.
            room = self._room.copy()
            claimed = await self._db.write(lambda session: self._write(session, settlement, due, held, room, now))
        for row in claimed:
            self._start(row)
        if claimed:
            return 0.0 if any(self._room.free(lane.queue) for lane in due) else self._timing.poll_s
        if any(self._looked_at.get((lane.queue, lane.priority)) for lane in due):
            return min(0.02, self._timing.poll_s)  # not all hosts have been looked through
        if any(self._room.hosts(lane.queue) for lane in due):
            return self._timing.poll_s  # what is due waits for what runs, whose end will wake us
        if due:
            return min(0.02, self._timing.poll_s)  # another worker was faster, or holds them in its transaction
        return self._pause(lanes, now)

    async def _find_open_lanes(self) -> list[Lane]:
        if self._stopping or self._room.is_full():
            return []
        async with self._db.read() as session:
            lanes = await find_lanes(session)
        order = {queue: place for place, queue in enumerate(QUEUES)}
        return sorted(
            (lane for lane in lanes if self._room.free(lane.queue)),
            key=lambda lane: (order[lane.queue], lane.priority),
        )

    def _pause(self, lanes: list[Lane], now: int) -> float:
        if not lanes:
            return self._timing.poll_s
        return min(self._timing.poll_s, (min(lane.run_at for lane in lanes) - now + 1) / 1000)

    def _held_for_beat(self, now: int) -> list[int]:
        if now < self._next_beat:
            return []
        self._next_beat = now + self._lease_ms // 3
        self._end_overdue()
        return [*self._running, *self._suspects]

    async def _write(
        self,
        session: WriteSession,
        settlement: Settlement,
        due: list[Lane],
        held: list[int],
        room: Room,
        now: int,
    ) -> list[Claimed]:
        await settle(session, settlement, now)
        until = now + self._lease_ms
        if held:
            await extend_leases(session, held, owner=self.owner, until=until)
        claimed: list[Claimed] = []
        room = room.copy()  # the transaction may be run again
        for lane in due:
            if room.free(lane.queue):
                rows = await self._claim(session, lane, room, now, until)
                for row in rows:
                    room.enter(row.queue, row.host)
                claimed += rows
        return claimed

    async def _claim(self, session: WriteSession, lane: Lane, room: Room, now: int, until: int) -> list[Claimed]:
        queue, priority = lane.queue, lane.priority
        limit, running = min(_BATCH, room.free(queue)), room.hosts(queue)
        if running is None:
            return await claim_lane(session, queue, priority, limit, owner=self.owner, now=now, until=until)
        places = Places(limit, PER_HOST[queue], running, self._looked_at.get((queue, priority), ""))
        taken = await claim_by_host(session, queue, priority, places, owner=self.owner, now=now, until=until)
        # A transaction that is run again goes on from there: hosts are looked through in turn, wherever that begins.
        self._looked_at[queue, priority] = taken.after
        return taken.rows

    def _start(self, row: Claimed) -> None:
        kind = self._runners.get(row.type)
        uncounted = row.attempt if row.is_suspect else row.attempt - 1
        if row.id in self._running:
            self._running[row.id].row = row  # our lease had run out, yet the handler is still at work
        elif self._stopping:
            self._put_back(row, 0, uncounted)
        elif kind is None or row.version > kind.handler.job_type.VERSION:
            # A newer release has made it, and will run it.
            self._put_back(row, PUT_BACK_MS, uncounted)
        elif row.is_suspect and row.attempt >= kind.handler.job_type.TRIES:
            self._bury(row, kind, "The worker ended while the job ran.")
        elif row.is_suspect:
            self._suspects[row.id] = row
            if self._suspects_task is None or self._suspects_task.done():
                self._suspects_task = asyncio.create_task(self._run_suspects())
        else:
            running = self._enter(row, kind)
            running.task = asyncio.create_task(self._run(running, kind))

    def _enter(self, row: Claimed, kind: Runner) -> _Running:
        running = _Running(row, time.monotonic() + kind.handler.limit_s)
        self._running[row.id] = running
        self._room.enter(row.queue, row.host)
        return running

    def _exit(self, row: Claimed) -> None:
        del self._running[row.id]
        self._room.leave(row.queue, row.host)

    async def _run(self, running: _Running, kind: Runner) -> None:
        id_ = running.row.id
        begun = time.perf_counter()
        try:
            await kind.run(self._context, kind.read(running.row))
        except Discard as reason:
            self._settlement.done.append(id_)
            kind.meter.discarded += 1
            log.debug("a job was discarded", type=running.row.type, id=id_, reason=str(reason))
        except asyncio.CancelledError:
            if self._stopping and not running.overdue:
                self._put_back(running.row, 0, running.row.attempt - 1)
            else:
                self._fail(running.row, kind, TimeoutError("The job took too long.") if running.overdue else None)
        except Unavailable as error:
            # Not the job's fault: it costs none of its attempts, nor the wait after one.
            self._fail(running.row, kind, Retry(str(error), delay_ms=UNAVAILABLE_MS, counts=False))
        except Exception as error:
            self._fail(running.row, kind, error)
        else:
            self._settlement.done.append(id_)
            kind.meter.done += 1
        kind.meter.seconds += time.perf_counter() - begun
        self._exit(running.row)
        self._settle_soon()

    async def _run_suspects(self) -> None:
        """One after another, those with the fewest attempts first, so that what kills comes last."""
        while self._suspects and not self._stopping:
            row = min(self._suspects.values(), key=lambda row: (row.attempt, row.id))
            try:
                ours = await self._db.write(partial(count_start, row=row))
            except Exception as error:
                log.warning("the queue can't be worked on", error=str(error))
                await asyncio.sleep(self._timing.unavailable_s)
                continue
            if self._stopping:
                return
            del self._suspects[row.id]
            if ours:
                kind = self._runners[row.type]
                running = self._enter(row._replace(attempt=row.attempt + 1), kind)
                running.task = asyncio.create_task(self._run(running, kind))
                await asyncio.wait([running.task])

    def _fail(self, row: Claimed, kind: Runner, error: Exception | None) -> None:
        reason = describe_error(error)
        delay, counts, queue = None, True, row.queue
        if isinstance(error, Retry):
            delay, counts, queue = error.delay_ms, error.counts, error.queue or row.queue
            log.debug("a job will be tried again", type=row.type, id=row.id, attempt=row.attempt, reason=str(error))
        else:
            kind.meter.broken += error is not None
            log.warning("a job failed", type=row.type, id=row.id, attempt=row.attempt, error=reason, exc_info=error)
        kind.meter.failed += 1
        if counts and row.attempt >= kind.handler.job_type.TRIES:
            self._bury(row, kind, reason)
            return
        run_at = self._clock() + (backoff_ms(row.attempt) if delay is None else delay)
        attempt = row.attempt if counts else row.attempt - 1
        self._settlement.again.append(Again(row.id, row.owner, run_at, attempt, queue, reason))

    def _bury(self, row: Claimed, kind: Runner, reason: str) -> None:
        kind.meter.dead += 1
        log.error("a job is dead", type=row.type, id=row.id, attempt=row.attempt, error=reason)
        self._settlement.dead.append(Buried(row.id, row.owner, row.attempt, reason))
        self._settle_soon()

    def _put_back(self, row: Claimed, delay_ms: int, attempt: int) -> None:
        self._settlement.again.append(Again(row.id, row.owner, self._clock() + delay_ms, attempt, row.queue))
        self._settle_soon()

    def _settle_soon(self) -> None:
        if not self._running:
            self._wake.set()
        elif self._collecting is None:
            self._collecting = asyncio.get_running_loop().call_later(self._timing.collect_s, self._wake.set)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if now > running.end and running.task is not None:
                running.overdue = True
                running.task.cancel()

    async def _leave(self) -> None:
        end = time.monotonic() + self._timing.stop_s
        while self._running and time.monotonic() < end:
            await self._turn()
            await self._sleep(min(self._timing.poll_s, end - time.monotonic()))
        tasks = self._cancel_all()
        if tasks:
            await asyncio.wait(tasks, timeout=self._timing.poll_s)
        for row in self._suspects.values():
            self._put_back(row, 0, row.attempt)
        for running in self._running.values():
            self._put_back(running.row, 0, running.row.attempt - 1)
        await self._turn()

    def _cancel_all(self) -> list[asyncio.Task[None]]:
        tasks = [running.task for running in self._running.values() if running.task is not None]
        if self._suspects_task is not None:
            tasks.append(self._suspects_task)
        for task in tasks:
            task.cancel()
        return tasks


def _check(handlers: Mapping[str, Handler]) -> None:
    for name, handler in handlers.items():
        if name != handler.job_type.TYPE or handler.job_type.QUEUE not in QUEUES:
            raise ValueError(f"the job type {name!r} has another name or an unknown queue")


__all__ = ["Discard", "Handler", "Retry", "Timing", "Worker", "backoff_ms"]
