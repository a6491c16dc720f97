"""What this process has answered, whatever it was: how many requests, how many of them wrong, how long they took.

Whoever takes a release up compares it with the one before by these. Standard library only.
"""

from bisect import bisect_left

# Each a quarter above the one before: a share of requests is known to be faster than a time that is true to that.
BOUNDS = tuple(0.001 * 1.25**step for step in range(45))


class Answers:
    """Counts answers. Those of the server's own fault are errors."""

    __slots__ = ("buckets", "errors", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.buckets = [0] * (len(BOUNDS) + 1)

    def observe(self, status: int, seconds: float) -> None:
        """Counts one, by the time until it began."""
        self.requests += 1
        if status >= 500:
            self.errors += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1


answers = Answers()
