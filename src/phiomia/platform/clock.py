"""Time as the database keeps it: integers, milliseconds since the Unix epoch."""

import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1)


def now_ms() -> int:
    """The present moment in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """RFC 3339 with milliseconds and Z, as the REST entities show a moment."""
    # Pages show dozens of moments, and this takes half the time of a format string.
    return f"{(_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec='milliseconds')}Z"


def iso_day(ms: int) -> str:
    """The UTC day of a moment as YYYY-MM-DD."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d}"


def iso_midnight(ms: int) -> str:
    """Midnight UTC of the moment's day: the precision at which accounts show their creation."""
    return iso(ms - ms % DAY)


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 moment; a moment without zone is UTC.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
