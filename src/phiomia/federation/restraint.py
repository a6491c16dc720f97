"""What a process does not ask for again: what was not there a moment ago, and hosts that don't answer.

It is a memory and no truth: bounded, and over after some minutes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Final, NamedTuple

from phiomia.federation.unresolved import Unresolved

PER_MINUTE: Final = 300
FAILURES: Final = 3
# While a host lets somebody wait for longer than that, nobody else begins to.
WAITING_S: Final = 2.0
CLOSED_S: Final = 60.0
FORGOTTEN_S: Final = 300.0
RETRY_S: Final = 10.0
_MOST: Final = 10_000


class _Failure(NamedTuple):
    until: float
    error: Unresolved


class _Host:
    __slots__ = ("asked", "closed_until", "failures", "since", "waiting")

    def __init__(self, now: float) -> None:
        self.since = now
        self.asked = 0
        self.failures = 0
        self.closed_until = 0.0
        self.waiting: dict[int, float] = {}  # since when, of those who wait for an answer, the longest waiting first


class Restraint:
    """Says whether something may be asked for, and hears how it went."""

    def __init__(self, clock: Callable[[], float] = monotonic, per_minute: int = PER_MINUTE) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._failed: OrderedDict[str, _Failure] = OrderedDict()
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._numbers = count()

    def check(self, url: str, host: str) -> None:
        """Counts a question. Raises Unresolved if it is not to be asked now."""
        now = self._clock()
        failed = self._failed.get(url)
        if failed is not None and now < failed.until:
            raise failed.error.with_traceback(None)
        known = self._host(host, now)
        if now < known.closed_until:
            raise Unresolved(f"{host} has not answered a moment ago", retry=True)
        if now - known.since > 60:
            known.since, known.asked = now, 0
        known.asked += 1
        if known.asked > self._per_minute:
            raise Unresolved(f"{host} is asked too often", retry=True)

    @contextmanager
    def waiting(self, host: str) -> Iterator[None]:
        """While an answer is waited for. Raises Unresolved when others wait for that host too long already."""
        now = self._clock()
        known, number = self._host(host, now), next(self._numbers)
        if known.waiting and now - next(iter(known.waiting.values())) > WAITING_S:
            raise Unresolved(f"{host} lets others wait for its answer", retry=True)
        known.waiting[number] = now
        try:
            yield
        finally:
            del known.waiting[number]

    def note_answer(self, host: str) -> None:
        """The host answers."""
        known = self._host(host, self._clock())
        known.failures, known.closed_until = 0, 0.0

    def note_failure(self, url: str, error: Unresolved) -> None:
        """Nothing of use is there; asking again soon is pointless."""
        seconds = RETRY_S if error.retry else FORGOTTEN_S
        self._failed[url] = _Failure(self._clock() + seconds, error)
        self._failed.move_to_end(url)
        if len(self._failed) > _MOST:
            self._failed.popitem(last=False)

    def note_silence(self, host: str) -> None:
        """The host does not answer, or says that it can't."""
        now = self._clock()
        known = self._host(host, now)
        known.failures += 1
        if known.failures >= FAILURES:
            known.closed_until = now + CLOSED_S

    def forget(self, url: str) -> None:
        """It may be asked for: something has told us that it is there."""
        self._failed.pop(url, None)

    def _host(self, host: str, now: float) -> _Host:
        known = self._hosts.get(host)
        if known is None:
            known = self._hosts[host] = _Host(now)
            if len(self._hosts) > _MOST:
                self._hosts.popitem(last=False)
        return known
