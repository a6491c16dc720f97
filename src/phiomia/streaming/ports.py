"""What streaming asks of the rest of the server; joined in the composition root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from phiomia.streaming.log_events import StatusEvent


@dataclass(frozen=True, slots=True)
class StreamViewer:
    """Who listens, as the access token says."""

    account_id: int
    token_id: int
    scopes: frozenset[str]
    languages: list[str] | None


class Authenticator(Protocol):
    """Who stands behind a token, and what belongs to them."""

    async def viewer(self, token: str) -> StreamViewer | None:
        """The viewer of a token; None when it is unknown or revoked, or its user may not sign in."""
        ...

    def forget(self) -> None:
        """Looks every token up anew from now on: one was revoked."""
        ...

    async def owns_list(self, viewer: StreamViewer, list_id: int) -> bool:
        """Whether the list exists and is the viewer's."""
        ...


class Renderer(Protocol):
    """Turns ids into the JSON of entities. JSON is on one line."""

    async def statuses(self, status_id: int, viewers: Sequence[int | None]) -> Mapping[int | None, bytes]:
        """The status for each account; None is the form without a viewer. Who may not see it is left out."""
        ...

    async def public_audience(self, status: StatusEvent, viewers: Sequence[StreamViewer]) -> Mapping[int, bytes]:
        """Who of the viewers may be shown a public status: account id to the JSON array `filtered` of their filters.

        Left out are those who block or mute somebody in it or are blocked, who chose other languages, and who may
        not see the feed.
        """
        ...

    async def notification(self, notification_id: int, viewer: int) -> bytes | None:
        """A notification, or None when it is gone."""
        ...

    async def announcement(self, announcement_id: int) -> bytes | None:
        """An announcement, or None when it is gone."""
        ...

    async def conversation(self, conversation_id: int, viewer: int) -> bytes | None:
        """A conversation, or None when it is gone."""
        ...
