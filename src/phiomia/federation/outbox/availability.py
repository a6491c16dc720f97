"""What an answer, or none, says: of the delivery, and of the server it was for."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final, NamedTuple

from phiomia.domain.peers.receipts import DeliveryState
from phiomia.platform.clock import DAY, SECOND
from phiomia.platform.http import FetchFailed

# After that nobody waits for it any more.
GIVE_UP_MS: Final = 50 * 60 * 60 * SECOND
_LONGEST_REST_MS: Final = DAY
_UNREACHABLE: Final = frozenset((502, 503, 504, 521, 522, 523, 524, 525, 526, 530))
_AGAIN: Final = frozenset((401, 408, 425))


class Host(Enum):
    """What was learnt of the server."""

    WELL = auto()
    UNKNOWN = auto()
    UNREACHABLE = auto()
    BUSY = auto()
    GONE = auto()


class Verdict(NamedTuple):
    """What becomes of a delivery (`RETRYING`: it is tried again), and of everything else for that server."""

    state: DeliveryState
    host: Host
    error: str = ""
    rest_ms: int = 0


def judge_answer(status: int, headers: Mapping[str, str], now: int) -> Verdict:
    """What an answer says."""
    said = f"answered {status}"
    if 200 <= status < 300:
        return Verdict(DeliveryState.REACHED, Host.WELL)
    if status == 410:
        return Verdict(DeliveryState.GONE, Host.GONE, said)
    rest_ms = read_retry_after(headers.get("retry-after", ""), now) if status in (429, 503) else 0
    if rest_ms:
        return Verdict(DeliveryState.RETRYING, Host.BUSY, said, rest_ms)
    if status in _UNREACHABLE:
        return Verdict(DeliveryState.RETRYING, Host.UNREACHABLE, said)
    if status in _AGAIN or status == 429 or 300 <= status < 400:
        return Verdict(DeliveryState.RETRYING, Host.WELL, said)
    if status >= 500 and status != 501:
        return Verdict(DeliveryState.RETRYING, Host.UNKNOWN, said)
    return Verdict(DeliveryState.REJECTED, Host.WELL, said)


def judge_failure(error: FetchFailed) -> Verdict:
    """What it says that no answer came."""
    if error.retry:
        return Verdict(DeliveryState.RETRYING, Host.UNREACHABLE, str(error))
    return Verdict(DeliveryState.REJECTED, Host.UNKNOWN, str(error))


def read_retry_after(text: str, now: int) -> int:
    """For how long a server wants to be left alone, in ms: at least a second, at most a day; 0 if it does not say."""
    text = text.strip()
    if not text:
        return 0
    if text.isdecimal():
        wanted = int(text[:9]) * SECOND
    else:
        try:
            wanted = int(parsedate_to_datetime(text).timestamp() * 1000) - now
        except ValueError:
            return 0
    return min(max(wanted, SECOND), _LONGEST_REST_MS)
