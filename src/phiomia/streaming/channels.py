"""The channels by name: which exist, who may listen, and under which keys their events are found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phiomia.domain.tags.normalise import normalise_tag
from phiomia.streaming.ports import Authenticator, StreamViewer

Key = tuple[str, int | str]

PATHS: Final[Mapping[str, str]] = {
    "user": "user",
    "user/notification": "user:notification",
    "public": "public",
    "public/local": "public:local",
    "public/remote": "public:remote",
    "hashtag": "hashtag",
    "hashtag/local": "hashtag:local",
    "list": "list",
    "direct": "direct",
}
PUBLIC: Final = frozenset(
    {"public", "public:media", "public:local", "public:local:media", "public:remote", "public:remote:media"}
)
HASHTAG: Final = frozenset({"hashtag", "hashtag:local"})
NAMES: Final = frozenset({"user", "user:notification", "list", "direct"}) | PUBLIC | HASHTAG
SCOPES: Final = frozenset({"read", "read:statuses", "read:notifications"})
"""A token needs one of them to open a stream at all."""


class ChannelError(Exception):
    """Nobody, or not this viewer, may listen to what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Channel:
    """What a client asked for; `argument` is the tag or list as it was sent."""

    name: str
    argument: str = ""

    @property
    def stream(self) -> list[str]:
        """The value of `stream` in messages to the client."""
        return [self.name, self.argument] if self.argument else [self.name]

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for two ways to write the same channel."""
        return (self.name, normalise_tag(self.argument) if self.name in HASHTAG else self.argument)


def parse_channel(name: str | None, parameters: Mapping[str, str]) -> Channel:
    """The channel of a name with the parameters `tag` and `list`. Raises ChannelError."""
    if name not in NAMES:
        raise ChannelError(400, "There is no such stream.")
    if name in HASHTAG:
        return Channel(name, _parameter(parameters, "tag"))
    if name == "list":
        return Channel(name, _parameter(parameters, "list"))
    return Channel(name)


def _parameter(parameters: Mapping[str, str], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise ChannelError(400, f"The parameter {name} is missing.")
    return value


async def check_access(channel: Channel, viewer: StreamViewer, authenticator: Authenticator) -> None:
    """Raises ChannelError when the viewer may not listen."""
    wanted = "read:notifications" if channel.name == "user:notification" else "read:statuses"
    if not viewer.scopes & {"read", wanted}:
        raise ChannelError(401, "The scopes of the access token do not cover this stream.")
    if channel.name == "list" and not await _owns_list(channel.argument, viewer, authenticator):
        raise ChannelError(401, "You have no such list.")


async def _owns_list(argument: str, viewer: StreamViewer, authenticator: Authenticator) -> bool:
    return is_id(argument) and await authenticator.owns_list(viewer, int(argument))


def is_id(text: str) -> bool:
    """Whether the text is a number that can be an id."""
    return text.isascii() and text.isdigit() and len(text) <= 19


def list_keys(channel: Channel, viewer: StreamViewer) -> tuple[Key, ...]:
    """The keys under which the events of a channel are found for a viewer."""
    me = viewer.account_id
    if channel.name == "user":
        hears_notifications = bool(viewer.scopes & {"read", "read:notifications"})
        return (("home", me), ("notification", me)) if hears_notifications else (("home", me),)
    if channel.name == "user:notification":
        return (("notification", me), ("mention", me))
    if channel.name == "direct":
        return (("direct", me),)
    if channel.name == "list":
        return (("list", int(channel.argument)),)
    if channel.name in HASHTAG:
        return ((channel.name, normalise_tag(channel.argument)),)
    return (("public", channel.name),)
