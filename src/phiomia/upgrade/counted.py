"""What the server's own processes have counted, added up: answers, jobs, and how much they had to wait for a processor.

Each process counts from its beginning. Those of the release before say what is usual on this server, those of the
new one what has become of it, also for the time in which nobody looked.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from phiomia.platform.answers import BOUNDS
from phiomia.platform.config import Config
from phiomia.platform.control import Supervisor, find_supervisors
from phiomia.platform.health_client import ask_all, find_peers


@dataclass
class Counted:
    """The numbers of one process, or the sum of several; `jobs` has attempts and broken ones of each type."""

    requests: int = 0
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    jobs: dict[str, list[int]] = field(default_factory=dict)
    ran_s: float = 0.0
    waited_s: float = 0.0

    @property
    def error_share(self) -> float:
        """Which part of the requests the server could not answer as it should."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def timed(self) -> int:
        """The requests of which it is known how long they took."""
        return sum(self.buckets)

    @property
    def p95_s(self) -> float:
        """The time that 95 of 100 answers stay below."""
        return _find_percentile(self.buckets, 0.95)

    @property
    def slowness(self) -> float:
        """How many times as long everything takes because others have the processors."""
        return 1.0 + self.waited_s / self.ran_s if self.ran_s > 0 else 1.0

    @property
    def job_attempts(self) -> int:
        """Jobs that ended, one way or another."""
        return sum(attempts for attempts, _ in self.jobs.values())

    @property
    def broken_jobs(self) -> int:
        """Jobs that ended as nobody expects."""
        return sum(broken for _, broken in self.jobs.values())

    def save(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def load_counted(saved: Mapping[str, Any]) -> Counted:
    """From plain data. What another release counts in other steps is left out, and so is what we do not know."""
    found = Counted(int(saved.get("requests", 0)), int(saved.get("errors", 0)))
    buckets = saved.get("buckets", ())
    if len(buckets) == len(found.buckets):
        found.buckets = list(map(int, buckets))
    found.jobs = {str(type_): [int(tried), int(broken)] for type_, (tried, broken) in saved.get("jobs", {}).items()}
    found.ran_s, found.waited_s = float(saved.get("ran_s", 0.0)), float(saved.get("waited_s", 0.0))
    return found


def add_up(parts: Iterable[Counted]) -> Counted:
    """The sum."""
    total = Counted()
    for part in parts:
        total.requests += part.requests
        total.errors += part.errors
        total.buckets = [one + other for one, other in zip(total.buckets, part.buckets, strict=True)]
        for type_, (attempts, broken) in part.jobs.items():
            tried = total.jobs.setdefault(type_, [0, 0])
            tried[0] += attempts
            tried[1] += broken
        total.ran_s += part.ran_s
        total.waited_s += part.waited_s
    return total


@dataclass
class Seen:
    """One look at the processes that serve: what they counted, by their numbers, and those that can't serve, why."""

    supervisors: list[Supervisor]
    roles: dict[int, str]
    counted: dict[int, Counted]
    obstacles: dict[int, str]


def look(config: Config, release: Path | None = None) -> Seen:
    """Asks the processes that take work, perhaps only those of one release. Not for use within an event loop."""
    supervisors = find_supervisors(config.data_dir / "run")
    roles = {
        int(child["pid"]): str(child["role"])
        for supervisor in supervisors
        for child in supervisor.status["children"]
        if child["state"] == "ready" and release in (None, Path(child["python"]).parents[2])
    }
    peers = [peer for peer in find_peers(config.sockets_dir / "health") if peer.pid in roles]
    counted: dict[int, Counted] = {}
    for peer, answer in asyncio.run(ask_all(peers, "/counts")):
        # One of a release that does not count so answers otherwise.
        if answer.status == 200:
            counted[peer.pid] = load_counted(json.loads(answer.body))
    asked = asyncio.run(ask_all(peers, "/health/ready"))
    obstacles = {peer.pid: answer.text for peer, answer in asked if not answer.good}
    return Seen(supervisors, roles, counted, obstacles)


def _find_percentile(buckets: list[int], share: float) -> float:
    left = share * sum(buckets)
    for place, count in enumerate(buckets):
        if count and count >= left:
            lower = BOUNDS[place - 1] if place else 0.0
            upper = BOUNDS[place] if place < len(BOUNDS) else lower * 1.25
            return lower + (upper - lower) * left / count
        left -= count
    return 0.0
