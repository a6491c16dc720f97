"""What runs the jobs of one type, and what it may answer: done, `Retry`, `Discard`, or any error."""

import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from phiomia.platform.clock import HOUR, SECOND
from phiomia.platform.jobs.claims import Claimed, clean_error
from phiomia.platform.jobs.defer import Job
from phiomia.platform.metrics import JobMeter

FIRST_DELAY_MS = 15 * SECOND
LONGEST_DELAY_MS = 6 * HOUR


class Retry(Exception):
    """Raised by a handler that wants to be asked again, after `delay_ms` or the usual backoff.

    `counts=False` leaves the attempt uncounted: for a host that is known to be away, say. `queue` is where it waits,
    if elsewhere.
    """

    def __init__(self, reason: str = "", *, delay_ms: int | None = None, counts: bool = True, queue: str = "") -> None:
        super().__init__(reason)
        self.delay_ms = delay_ms
        self.counts = counts
        self.queue = queue


class Discard(Exception):
    """Raised by a handler whose job has become pointless: it is removed and not counted as a failure."""


class Handler(NamedTuple):
    """What runs the jobs of one type.

    `convert` brings the arguments of an older version, as a dict, to the present one. A run that takes longer than
    `limit_s` is ended and counts as failed.
    """

    job_type: type[Job]
    run: Callable[[Any, Any], Awaitable[None]]
    convert: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None
    limit_s: float = 600.0


class Runner:
    """A handler with what is looked up once instead of for each job."""

    __slots__ = ("decode", "handler", "meter", "run")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.run = handler.run
        self.decode = msgspec.json.Decoder(handler.job_type).decode
        self.meter = JobMeter(handler.job_type.TYPE)

    def read(self, row: Claimed) -> Job:
        """The job as a Struct of the present version."""
        convert = self.handler.convert
        if convert is None or row.version >= self.handler.job_type.VERSION:
            return self.decode(row.args)
        return msgspec.convert(convert(row.version, msgspec.json.decode(row.args)), self.handler.job_type)


def backoff_ms(attempt: int) -> int:
    """The delay after the attempt of that number: 15 s, 1 min, 4 min … 6 h, and up to half of it more at random.

    Twelve attempts so take about two days; the jitter keeps what failed together from coming back together.
    """
    delay: int = min(FIRST_DELAY_MS * 4 ** min(attempt - 1, 10), LONGEST_DELAY_MS)
    return int(delay * random.uniform(1.0, 1.5))


def describe_error(error: Exception | None) -> str:
    """The error with the place where it was raised, as it is kept with the job."""
    if error is None:
        return "The job was cancelled."
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" ({trace.tb_frame.f_code.co_filename.rpartition('/phiomia/')[2]}:{trace.tb_lineno})"
    return clean_error(f"{type(error).__name__}: {error}"[:1_800] + place)
