"""Moments as servers write them."""

from typing import Any, Final

from phiomia.platform.clock import now_ms, parse_iso

_LONGEST: Final = 64


def read_moment(value: Any) -> int | None:
    """Milliseconds of a moment in any spelling of ISO 8601; None for what is none, or before 1970."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    try:
        at = parse_iso(value.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return at if at > 0 else None


def read_past_moment(value: Any) -> int | None:
    """The same, but not later than now: clocks run ahead, and some write the future to stay on top."""
    at = read_moment(value)
    return None if at is None else min(at, now_ms())
