"""A connection as plain data, from which another process can go on in the middle of a frame.

Several of them travel together in a Batch. The process that takes it says which versions it reads, which are its own
and the one before, and the one that gives it writes what both know: so a release and its predecessor can give streams
to each other in both directions.
"""

from collections.abc import Collection
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from phiomia.streaming.channels import Channel
from phiomia.streaming.ports import StreamViewer

VERSION: Final = 2
READS: Final = (1, 2)


class ClientState(Struct, frozen=True):
    """One client: who listens to what, and the bytes that were read or not sent. Fields are only ever added."""

    kind: Literal["sse", "websocket", "arrival"]
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
    # Since version 2, as is the kind "arrival": a connection of which no head was answered yet.
    commands: list[dict[str, Any]] = []
    due_s: float | None = None

    def viewer(self) -> StreamViewer:
        """Who listens."""
        return StreamViewer(self.account_id, self.token_id, frozenset(self.scopes), self.languages)

    def listened(self) -> list[Channel]:
        """The channels."""
        return [Channel(name, argument) for name, argument in self.channels]


class Batch(Struct, frozen=True):
    """Clients that have got every event up to `position` and none after it."""

    version: int
    position: int
    clients: list[ClientState]


class _Head(Struct, frozen=True):
    version: int


def choose_version(readable: Collection[int]) -> int | None:
    """The newest version that we write and another process reads."""
    return max((version for version in READS if version in readable), default=None)


def can_write(state: ClientState, version: int) -> bool:
    """Whether a client can be told of in that version."""
    return version > 1 or state.kind != "arrival"


def write_batch(position: int, clients: list[ClientState], version: int = VERSION) -> bytes:
    """A batch as bytes. Readers of version 1 pass over the fields that they do not know."""
    return msgspec.msgpack.encode(Batch(version, position, clients))


def read_batch(data: bytes) -> Batch:
    """A batch of this version or the one before, whose clients get what they lack by default. Raises ValueError."""
    version = msgspec.msgpack.decode(data, type=_Head).version
    if version not in READS:
        raise ValueError(f"streams of version {version}, but this release reads {READS}")
    return msgspec.msgpack.decode(data, type=Batch)
