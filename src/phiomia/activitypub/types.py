"""Media types of the protocol."""

from email.message import Message

ACTIVITY = "application/activity+json"
LINKED_DATA = "application/ld+json"
PROFILE = "https://www.w3.org/ns/activitystreams"
LINKED_ACTIVITY = f'{LINKED_DATA}; profile="{PROFILE}"'
ACCEPT = f"{ACTIVITY}, {LINKED_ACTIVITY}"
JRD = "application/jrd+json"
XRD = "application/xrd+xml"


def is_activity(content_type: str) -> bool:
    """Whether a header Content-Type announces an ActivityPub document, and not just any JSON."""
    essence, parameters = _read(content_type)
    return essence == ACTIVITY or (essence == LINKED_DATA and PROFILE in parameters.get("profile", "").split())


def is_jrd(content_type: str) -> bool:
    """Whether a header Content-Type announces an answer of WebFinger."""
    return _read(content_type)[0] in (JRD, "application/json")


def is_xrd(content_type: str) -> bool:
    """Whether a header Content-Type announces a host-meta document."""
    return _read(content_type)[0] in (XRD, "application/xml", "text/xml")


def _read(content_type: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    if not content_type.strip():
        return "", {}
    (essence, _), *rest = message.get_params([("", "")])
    return essence.lower(), {name.lower(): value for name, value in rest}
