"""What a request head asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import h11

from phiomia.streaming.channels import PATHS, is_id

ROOT: Final = "/api/v1/streaming"
_FALSE: Final = frozenset({"", "0", "f", "F", "false", "FALSE", "off", "OFF"})


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A request head: header names in lower case; of several values of a query parameter the first."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    is_http11: bool

    @property
    def is_websocket(self) -> bool:
        """Whether it asks to become a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def subprotocols(self) -> list[str]:
        """The WebSocket subprotocols on offer; browsers can't set headers and pass their token there."""
        offered = self.headers.get("sec-websocket-protocol", "").split(",")
        return [name.strip() for name in offered if name.strip()]

    @property
    def token(self) -> str | None:
        """The access token; the header wins."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        offered = self.subprotocols
        return self.query.get("access_token") or (offered[0] if offered else None)

    @property
    def last_event_id(self) -> int | None:
        """The number of the last event that the client got before it was interrupted."""
        number = self.headers.get("last-event-id") or self.query.get("last_event_id") or ""
        return int(number) if is_id(number) else None

    @property
    def channel_name(self) -> str | None:
        """The channel of the path, or None when there is none."""
        name = PATHS.get(self.path.removeprefix(ROOT).strip("/")) if is_below_root(self.path) else None
        if name is not None and name.startswith("public") and self.query.get("only_media", "") not in _FALSE:
            return f"{name}:media"
        return name


def is_below_root(path: str) -> bool:
    """Whether the path belongs to streaming."""
    return path == ROOT or path.startswith(ROOT + "/")


def read_request(event: h11.Request) -> StreamRequest:
    """The request of a parsed head."""
    target = event.target.decode("latin-1")
    path, _, query = target.partition("?")
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None):
        parameters.setdefault(name, value)
    headers: dict[str, str] = {}
    for header, content in event.headers:
        headers.setdefault(header.decode("latin-1"), content.decode("latin-1"))
    path = path.rstrip("/") or "/"
    return StreamRequest(event.method.decode(), target, path, parameters, headers, event.http_version >= b"1.1")
