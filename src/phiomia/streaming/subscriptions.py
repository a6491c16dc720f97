"""Who listens to what, found by key."""

from collections.abc import Collection, Iterator
from typing import Protocol

import msgspec

from phiomia.streaming.channels import Channel, Key, list_keys
from phiomia.streaming.encoding import Frames, Message
from phiomia.streaming.ports import StreamViewer


class Client(Protocol):
    """The end of a stream."""

    viewer: StreamViewer

    def deliver(self, subscription: "Subscription", message: Message, frames: Frames) -> None:
        """Sends a message of a subscription."""
        ...


class Subscription:
    """One channel of one client."""

    __slots__ = ("active", "channel", "client", "keys", "stream")

    def __init__(self, channel: Channel, client: Client) -> None:
        self.channel = channel
        self.client = client
        self.keys: tuple[Key, ...] = list_keys(channel, client.viewer)
        self.stream = msgspec.json.encode(channel.stream)
        self.active = True

    @property
    def account_id(self) -> int:
        """Who listens."""
        return self.client.viewer.account_id


class Subscriptions:
    """The subscriptions of this process, or of one client that catches up."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[int | str, dict[Subscription, None]]] = {}

    def add(self, subscription: Subscription) -> None:
        """Lets a subscription be found."""
        for kind, value in subscription.keys:
            self._groups.setdefault(kind, {}).setdefault(value, {})[subscription] = None

    def remove(self, subscription: Subscription) -> bool:
        """Ends a subscription; what is on its way to it is dropped. Gives whether it was found here."""
        subscription.active = False
        found = False
        for kind, value in subscription.keys:
            group = self._groups.get(kind, {})
            members = group.get(value)
            if members is not None:
                found = members.pop(subscription, subscription) is None
                if not members:
                    del group[value]
        return found

    def find(self, kind: str, values: Collection[int | str]) -> list[Subscription]:
        """The subscriptions to any of the values, each once."""
        group = self._groups.get(kind)
        if not group or not values:
            return []
        return list(dict.fromkeys(_members(group, values)))

    def find_all(self, kind: str) -> list[Subscription]:
        """The subscriptions to any value of a kind."""
        return [one for members in self._groups.get(kind, {}).values() for one in members]


def _members(group: dict[int | str, dict[Subscription, None]], values: Collection[int | str]) -> Iterator[Subscription]:
    # A popular account is in 100,000 home feeds of which a few listen; a set is made only where it pays.
    if len(values) > len(group):
        wanted = set(values)
        for value, members in group.items():
            if value in wanted:
                yield from members
        return
    for value in values:
        yield from group.get(value, ())
