"""Which form of signature to try first with a host, and whether to knock again with the other."""

from collections import OrderedDict
from enum import StrEnum
from typing import Protocol


class Scheme(StrEnum):
    """The two forms of signatures."""

    CAVAGE = "draft-cavage"
    RFC9421 = "rfc9421"


class KnockMemory(Protocol):
    """What worked with which host."""

    def recall(self, host: str, now: float) -> Scheme | None:
        """The form that worked, unless that was long ago."""
        ...

    def remember(self, host: str, scheme: Scheme, now: float) -> None:
        """Keeps the form that worked."""
        ...

    def forget(self, host: str) -> None:
        """Drops what is known of the host."""
        ...


class Knocks:
    """A memory in the process: a bounded number of hosts, each for a day."""

    def __init__(self, hosts: int = 10_000, seconds: float = 86_400) -> None:
        self._hosts = hosts
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[Scheme, float]] = OrderedDict()

    def recall(self, host: str, now: float) -> Scheme | None:
        """The form that worked within the last day."""
        scheme, until = self._known.get(host, (None, 0.0))
        return scheme if now < until else None

    def remember(self, host: str, scheme: Scheme, now: float) -> None:
        """Keeps the form that worked, and drops the host heard of longest ago if there are too many."""
        self._known[host] = (scheme, now + self._seconds)
        self._known.move_to_end(host)
        if len(self._known) > self._hosts:
            self._known.popitem(last=False)

    def forget(self, host: str) -> None:
        """Drops what is known of the host."""
        self._known.pop(host, None)


def first_knock(remembered: Scheme | None) -> Scheme:
    """The form to try first. Everybody reads draft-cavage, and some drop the other after having said yes."""
    return remembered or Scheme.CAVAGE


def second_knock(tried: Scheme, status: int) -> Scheme | None:
    """The form to try after an answer, or None if the answer was not about the signature."""
    if status not in (400, 401):
        return None
    return Scheme.RFC9421 if tried is Scheme.CAVAGE else Scheme.CAVAGE
