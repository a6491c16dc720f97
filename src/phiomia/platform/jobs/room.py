"""How many jobs run at once: of each queue, and in some queues of each host."""

from collections import Counter
from collections.abc import Mapping

from phiomia.platform.jobs.defer import QUEUES

# What waits for other servers waits for many at once: those that do not answer must leave room for the others.
CONCURRENCY: Mapping[str, int] = {
    "local": 16,
    "push": 512,
    "ingress": 48,
    "mail": 2,
    "pull": 16,
    "retry": 128,
    "scheduled": 2,
}
# How many jobs of one host run at once, where it matters.
PER_HOST: Mapping[str, int] = {"push": 2, "ingress": 4, "pull": 2, "retry": 1}


class Room:
    """What is free of the places of one worker. `concurrency` says where there are more or fewer than usual."""

    def __init__(self, concurrency: Mapping[str, int]) -> None:
        unknown = set(concurrency) - set(QUEUES)
        if unknown:
            raise ValueError(f"unknown queues: {', '.join(sorted(unknown))}")
        self._free = {**CONCURRENCY, **concurrency}
        self._hosts: dict[str, Counter[str]] = {queue: Counter() for queue in PER_HOST}

    def copy(self) -> "Room":
        """The same, which stays as it is while places are taken and left here."""
        found = Room(self._free)
        found._hosts = {queue: Counter(hosts) for queue, hosts in self._hosts.items()}
        return found

    def is_full(self) -> bool:
        """Whether nothing can begin."""
        return not any(free > 0 for free in self._free.values())

    def free(self, queue: str) -> int:
        """How many jobs of a queue can begin; none of one that only other releases know."""
        return max(0, self._free.get(queue, 0))

    def hosts(self, queue: str) -> Counter[str] | None:
        """How many jobs run by host, in a queue where that matters."""
        return self._hosts.get(queue)

    def enter(self, queue: str, host: str) -> None:
        """Takes a place."""
        self._free[queue] -= 1
        if host and queue in self._hosts:
            self._hosts[queue][host] += 1

    def leave(self, queue: str, host: str) -> None:
        """Gives a place back."""
        self._free[queue] += 1
        if host and queue in self._hosts:
            hosts = self._hosts[queue]
            hosts[host] -= 1
            if hosts[host] <= 0:
                del hosts[host]
