"""What the streaming role counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class StreamingMetrics:
    """Counters since the start, and gauges of now."""

    connected_websocket: int = 0
    connected_sse: int = 0
    subscriptions: int = 0
    accepted: int = 0
    refused: int = 0
    events: int = 0
    events_failed: int = 0
    messages_sent: int = 0
    replayed_events: int = 0
    dropped_slow: int = 0
    dropped_dead: int = 0
    revoked: int = 0
