"""The jobs of quotes that came in."""

from typing import Final

from phiomia.platform.jobs import Job

# What is quoted may quote in turn: so many are followed.
QUOTE_DEPTH: Final = 2


class CheckQuote(Job, frozen=True):
    """Find what a status quotes, and whether its author agrees."""

    TYPE = "federation.check_quote"
    QUEUE = "pull"
    TRIES = 4

    status_id: int
    depth: int = 1
