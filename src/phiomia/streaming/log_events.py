"""The bodies of the log, by kind. The domain writes them; fields are only ever added, with a default."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct


class Posted(Struct, frozen=True):
    """Where a status went: into whose home feeds and lists, and whether it is for public streams."""

    id: int
    account: int
    visibility: str
    local: bool
    tags: list[str] = []
    home: list[int] = []
    lists: list[int] = []
    boost: bool = False
    reply: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it appears outside of home feeds and lists."""
        return self.visibility == "public" and not self.boost


class StatusEvent(Posted, frozen=True):
    """`status` and `edit`: a status has come or changed. `reply` is one to somebody else."""

    media: bool = False
    language: str | None = None
    mentions: list[int] = []


class DeleteEvent(Posted, frozen=True):
    """`delete`: a status has gone. Where nobody knows whether it had media, everybody is told."""

    media: bool = True


class NotificationEvent(Struct, frozen=True):
    """`notification`: one, or pairs of notification and account."""

    id: int | None = None
    account: int | None = None
    ids: list[tuple[int, int]] = []

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Each notification with the account it is for."""
        one = [(self.id, self.account)] if self.id is not None and self.account is not None else []
        return one + self.ids


class MergedEvent(Struct, frozen=True):
    """`notifications_merged`: what an account let through stands among its notifications."""

    account: int


class ConversationEvent(Struct, frozen=True):
    """`conversation`: a direct conversation of an account has changed."""

    id: int
    account: int


class FiltersEvent(Struct, frozen=True):
    """`filters`: an account has changed its filters."""

    account: int


class AnnouncementEvent(Struct, frozen=True):
    """`announcement` and `announcement_delete`: something was announced, or taken back."""

    id: int


class ReactionEvent(Struct, frozen=True):
    """`announcement_reaction`: so many have reacted to an announcement with an emoji."""

    id: int
    name: str
    count: int


class ProbeEvent(Struct, frozen=True):
    """`probe`: an upgrade finds out whether streams hear of what happens. `account` is nobody's."""

    account: int
    probe: str
    n: int


class TokenEvent(Struct, frozen=True):
    """`token`: access tokens were revoked."""

    ids: list[int]


Body = (
    StatusEvent
    | DeleteEvent
    | NotificationEvent
    | MergedEvent
    | ConversationEvent
    | FiltersEvent
    | TokenEvent
    | AnnouncementEvent
    | ReactionEvent
    | ProbeEvent
)

KINDS: Final[Mapping[str, type[Any]]] = {
    "status": StatusEvent,
    "edit": StatusEvent,
    "delete": DeleteEvent,
    "notification": NotificationEvent,
    "notifications_merged": MergedEvent,
    "conversation": ConversationEvent,
    "filters": FiltersEvent,
    "token": TokenEvent,
    "announcement": AnnouncementEvent,
    "announcement_delete": AnnouncementEvent,
    "announcement_reaction": ReactionEvent,
    "probe": ProbeEvent,
}
_DECODERS: Final = {kind: msgspec.json.Decoder(body, strict=False) for kind, body in KINDS.items()}


def decode_body(kind: str, body: str) -> Body | None:
    """The body of an event; None for a kind that a newer release writes. Raises msgspec.ValidationError."""
    decoder = _DECODERS.get(kind)
    return None if decoder is None else decoder.decode(body)
