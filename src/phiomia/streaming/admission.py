"""How many handshakes are begun in a second: apps that were disconnected together come back together.

Most of them don't spread their return themselves, and some wait twice as long after each refusal, without end. So who
comes too early is kept waiting with the request unanswered, and only who would wait for too long is refused.
"""

from collections.abc import Callable

# After a rest, as many may begin at once as else in this time: an app opens several streams together.
AT_ONCE_S = 0.1


class Admission:
    """Gives out moments, in the order in which they are asked for."""

    def __init__(self, per_second: float, longest_s: float, now: Callable[[], float]) -> None:
        """With 0 `per_second`, all may begin at once."""
        self._every_s = 1.0 / per_second if per_second else 0.0
        self._longest_s = longest_s
        self._now = now
        self._next = float("-inf")

    def reserve(self) -> float | None:
        """The seconds until it may begin; None when that were too many, and then nothing is reserved."""
        if not self._every_s:
            return 0.0
        now = self._now()
        begins = max(self._next, now - max(0.0, AT_ONCE_S - self._every_s))
        if begins > now + self._longest_s:
            return None
        self._next = begins + self._every_s
        return max(0.0, begins - now)
