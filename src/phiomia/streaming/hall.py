"""Everybody who listens in this process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from phiomia.platform.settings import Streams
from phiomia.streaming.metrics import StreamingMetrics
from phiomia.streaming.ports import StreamViewer
from phiomia.streaming.state import ClientState
from phiomia.streaming.subscriptions import Subscription, Subscriptions
from phiomia.streaming.wire import Wire

REMEMBERED_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    heartbeat_s: float = 15.0
    ping_s: float = 30.0
    head_s: float = 10.0
    close_s: float = 5.0
    queued: int = 1024 * 1024
    message: int = 64 * 1024
    subscriptions: int = 500
    poll_s: float = 1.0
    leave_s: float = 10.0
    leave_share: float = 0.02  # of the streams, closed in each second when somebody else serves already
    parked_s: float = 60.0
    outlive_s: float = 300.0
    handshakes_per_s: float = 100.0
    handshake_s: float = 20.0


def read_limits(settings: Streams) -> Limits:
    """The limits that an operator wants."""
    return Limits(
        leave_share=settings.leave_percent / 100,
        parked_s=settings.parked_seconds,
        handshakes_per_s=settings.handshakes_per_second,
        handshake_s=settings.wait_seconds,
    )


class Guest(Protocol):
    """A client that can be asked to leave."""

    kind: str
    viewer: StreamViewer
    seen: int
    wire: Wire

    @property
    def is_behind(self) -> bool:
        """Whether it has got nothing after `seen`; else it gets what happens."""
        ...

    def revoke(self) -> None:
        """Ends the stream because its token is no longer good."""
        ...

    def go_away(self) -> None:
        """Ends the stream because the process ends."""
        ...

    def abort(self) -> None:
        """Closes at once."""
        ...

    def state(self) -> ClientState:
        """Everything another process needs to go on."""
        ...

    def detach(self) -> None:
        """Leaves the socket open for another process."""
        ...


class Hall:
    """The clients, found by token, and their subscriptions."""

    def __init__(self, metrics: StreamingMetrics, limits: Limits, forget: Callable[[], None] = lambda: None) -> None:
        """`forget` is called before streams end because their tokens are no longer good: nobody shall remember them."""
        self._forget = forget
        self.metrics = metrics
        self.limits = limits
        self.subscriptions = Subscriptions()
        self.guests: dict[Guest, None] = {}
        self._by_token: dict[int, dict[Guest, None]] = {}
        self.revocations = 0
        self._revoked: dict[int, int] = {}
        self._forgotten = 0

    def enter(self, guest: Guest) -> None:
        """Counts a client in."""
        self.guests[guest] = None
        self._by_token.setdefault(guest.viewer.token_id, {})[guest] = None
        self._count(guest, 1)

    def leave(self, guest: Guest) -> None:
        """Counts a client out, once."""
        if guest not in self.guests:
            return
        del self.guests[guest]
        same_token = self._by_token[guest.viewer.token_id]
        del same_token[guest]
        if not same_token:
            del self._by_token[guest.viewer.token_id]
        self._count(guest, -1)

    def add(self, subscription: Subscription) -> None:
        """Lets events come."""
        self.subscriptions.add(subscription)
        self.metrics.subscriptions += 1

    def remove(self, subscription: Subscription) -> None:
        """Ends the events of a subscription."""
        if self.subscriptions.remove(subscription):
            self.metrics.subscriptions -= 1

    def revoke(self, token_ids: Iterable[int]) -> None:
        """Ends the streams of tokens that are no longer good."""
        self._forget()
        for token_id in token_ids:
            self.revocations += 1
            self._revoked.pop(token_id, None)
            self._revoked[token_id] = self.revocations
            if len(self._revoked) > REMEMBERED_TOKENS:
                self._forgotten = self._revoked.pop(next(iter(self._revoked)))
            for guest in list(self._by_token.get(token_id, ())):
                guest.revoke()

    def is_revoked(self, token_id: int, since: int) -> bool:
        """Whether a token was revoked, or may have been, since there were that many `revocations`.

        Who looks a token up and waits has to ask this. One that was revoked before may have become good again.
        """
        return self._revoked.get(token_id, 0) > since or self._forgotten > since

    def _count(self, guest: Guest, change: int) -> None:
        if guest.kind == "sse":
            self.metrics.connected_sse += change
        else:
            self.metrics.connected_websocket += change
