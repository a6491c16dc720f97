"""A connection as plain data, from which another process can go on in the middle of a frame."""

from typing import Literal

from msgspec import Struct

from phiomia.streaming.channels import Channel
from phiomia.streaming.ports import StreamViewer

VERSION = 1


class ClientState(Struct, frozen=True):
    """One client: who listens to what, and the bytes that were read or not sent. Fields are only ever added."""

    kind: Literal["sse", "websocket"]
    inode: int
    account_id: int
    token_id: int
    scopes: list[str]
    languages: list[str] | None
    channels: list[tuple[str, str]]
    unread: bytes = b""
    unsent: bytes = b""
    chunked: bool = False
    seen: int = 0
    awaits_pong: bool = False

    def viewer(self) -> StreamViewer:
        """Who listens."""
        return StreamViewer(self.account_id, self.token_id, frozenset(self.scopes), self.languages)

    def listened(self) -> list[Channel]:
        """The channels."""
        return [Channel(name, argument) for name, argument in self.channels]
