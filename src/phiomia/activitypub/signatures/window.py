"""How far the clocks of two servers may differ."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from phiomia.activitypub.signatures.request import SignatureMalformed, SignatureRefused


@dataclass(frozen=True, slots=True)
class Window:
    """What is still believed, in seconds: of a date in the past, in the future, and after the end of a signature."""

    past: int = 12 * 3600
    future: int = 12 * 3600
    after_end: int = 300

    def check_date(self, text: str, now: float) -> None:
        """Checks a header Date; raises SignatureRefused."""
        self.check_created(_read_date(text), now)

    def check_created(self, created: float, now: float) -> None:
        """Checks when a signature was made; raises SignatureRefused."""
        if created < now - self.past:
            raise SignatureRefused("the signature is too old")
        if created > now + self.future:
            raise SignatureRefused("the signature is from the future")

    def check_expires(self, expires: float, now: float) -> None:
        """Checks when a signature ends; raises SignatureRefused."""
        if now > expires + self.after_end:
            raise SignatureRefused("the signature has expired")


@lru_cache(maxsize=1_024)
def _read_date(text: str) -> float:
    """Seconds since the epoch. Reading takes long, and requests of one second bear the same text."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, LookupError) as error:
        raise SignatureMalformed("the header Date cannot be read") from error


def http_date(now: float) -> str:
    """A moment as the header Date has it."""
    return format_datetime(datetime.fromtimestamp(int(now), UTC), usegmt=True)
