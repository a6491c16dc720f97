"""What the streaming role counts."""

from dataclasses import dataclass, fields

from phiomia.platform import metrics

_HELP = {
    "subscriptions": "Channels that somebody listens to now.",
    "accepted": "Connections accepted or taken over from the web.",
    "refused": "Connections refused.",
    "delayed": "Handshakes that had to wait, as many came at once.",
    "turned_away": "Handshakes refused because too many came at once.",
    "events": "Events read from the log.",
    "events_failed": "Events that could not be sent.",
    "messages_sent": "Messages sent to clients.",
    "replayed_events": "Events sent again to clients that came back.",
    "dropped_slow": "Clients dropped because they did not read.",
    "dropped_dead": "Clients dropped because they did not answer.",
    "given": "Streams given to the process that came after this one.",
    "taken": "Streams taken over from the process before this one.",
    "revoked": "Clients dropped because their token was revoked.",
}


@dataclass(slots=True)
class StreamingMetrics:
    """Counters since the start, and gauges of now."""

    connected_websocket: int = 0
    connected_sse: int = 0
    subscriptions: int = 0
    accepted: int = 0
    refused: int = 0
    delayed: int = 0
    turned_away: int = 0
    events: int = 0
    events_failed: int = 0
    messages_sent: int = 0
    replayed_events: int = 0
    dropped_slow: int = 0
    dropped_dead: int = 0
    revoked: int = 0
    given: int = 0
    taken: int = 0


def publish(counted: StreamingMetrics) -> None:
    """Shows these numbers among those of the process."""
    shown = {
        "connected_websocket": metrics.websocket_connections,
        "connected_sse": metrics.event_source_connections,
        "subscriptions": metrics.gauge("stream_subscriptions", _HELP["subscriptions"]).bind(),
    }
    for field in fields(counted):
        if field.name not in shown:
            shown[field.name] = metrics.counter(f"stream_{field.name}", _HELP[field.name]).bind()

    def update() -> None:
        for name, number in shown.items():
            number.value = getattr(counted, name)

    metrics.update_before_exposition(update)
