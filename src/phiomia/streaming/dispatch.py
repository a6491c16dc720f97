"""Who gets what of an event.

Finding the listeners is one step without waiting; rendering waits for the database. So whoever joins while an event is
being rendered either belongs to its audience or finds it in the log, never both.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from phiomia.streaming.encoding import Message, with_filtered
from phiomia.streaming.log_events import (
    AnnouncementEvent,
    ConversationEvent,
    DeleteEvent,
    FiltersEvent,
    MergedEvent,
    NotificationEvent,
    Posted,
    ProbeEvent,
    ReactionEvent,
    StatusEvent,
    decode_body,
)
from phiomia.streaming.ports import Renderer
from phiomia.streaming.subscriptions import Subscription, Subscriptions


class Delivery(NamedTuple):
    """A message for one subscription."""

    subscription: Subscription
    message: Message


Render = Callable[[Renderer], Awaitable[list[Delivery]]]


def plan(kind: str, text: str, listeners: Subscriptions) -> Render | None:
    """What makes the deliveries of an event to those who listen now; None when nobody does."""
    body = decode_body(kind, text)
    if isinstance(body, StatusEvent):
        return _plan_status(kind, body, listeners)
    if isinstance(body, DeleteEvent):
        return _plan_delete(body, listeners)
    if isinstance(body, NotificationEvent):
        return _plan_notifications(body, listeners)
    if isinstance(body, MergedEvent):
        found = listeners.find("notification", [body.account])
        return _plan_plain(Message("notifications_merged", b"1"), found)
    if isinstance(body, ConversationEvent):
        return _plan_conversation(body, listeners)
    if isinstance(body, AnnouncementEvent):
        return _plan_announcement(kind, body, listeners)
    if isinstance(body, ReactionEvent):
        return _plan_reaction(body, listeners)
    if isinstance(body, FiltersEvent):
        return _plan_filters(body, listeners)
    if isinstance(body, ProbeEvent):
        told = {"probe": body.probe, "n": body.n}
        return _plan_plain(Message("probe", msgspec.json.encode(told)), listeners.find("home", [body.account]))
    return None


def _plan_status(kind: str, body: StatusEvent, listeners: Subscriptions) -> Render | None:
    name = "status.update" if kind == "edit" else "update"
    private = find_private(body, listeners)
    if kind == "edit":
        private += listeners.find("mention", body.mentions)
    public = find_public(body, listeners)
    return partial(_render_status, name, body, private, public) if private or public else None


def _plan_delete(body: DeleteEvent, listeners: Subscriptions) -> Render | None:
    message = Message("delete", str(body.id).encode())
    return _plan_plain(message, [*find_private(body, listeners), *find_public(body, listeners)])


def _plan_filters(body: FiltersEvent, listeners: Subscriptions) -> Render | None:
    return _plan_plain(Message("filters_changed", None), listeners.find("home", [body.account]))


def _plan_announcement(kind: str, body: AnnouncementEvent, listeners: Subscriptions) -> Render | None:
    found = listeners.find_all("home")
    if kind == "announcement_delete":
        return _plan_plain(Message("announcement.delete", str(body.id).encode()), found)
    return partial(_render_announcement, body, found) if found else None


def _plan_reaction(body: ReactionEvent, listeners: Subscriptions) -> Render | None:
    told = {"name": body.name, "count": body.count, "announcement_id": str(body.id)}
    return _plan_plain(Message("announcement.reaction", msgspec.json.encode(told)), listeners.find_all("home"))


def _plan_plain(message: Message, found: Sequence[Subscription]) -> Render | None:
    return partial(_give_all, message, found) if found else None


def _plan_notifications(body: NotificationEvent, listeners: Subscriptions) -> Render | None:
    found = [(id_, account, listeners.find("notification", [account])) for id_, account in body.pairs]
    wanted = [each for each in found if each[2]]
    return partial(_render_notifications, wanted) if wanted else None


def _plan_conversation(body: ConversationEvent, listeners: Subscriptions) -> Render | None:
    found = listeners.find("direct", [body.account])
    return partial(_render_conversation, body, found) if found else None


def find_private(body: Posted, listeners: Subscriptions) -> list[Subscription]:
    """Those in whose home feed or list the status is."""
    return listeners.find("home", body.home) + listeners.find("list", body.lists)


def find_public(body: StatusEvent | DeleteEvent, listeners: Subscriptions) -> list[Subscription]:
    """Those who listen to public streams and hashtags."""
    if not body.is_public:
        return []
    found = listeners.find("hashtag", body.tags)
    if body.local:
        found += listeners.find("hashtag:local", body.tags)
    if not body.reply:
        found += listeners.find("public", list(_public_channels(body.local, body.media)))
    return found


def _public_channels(is_local: bool, has_media: bool) -> Iterable[str]:
    for name in ("public", "public:local" if is_local else "public:remote"):
        yield name
        if has_media:
            yield f"{name}:media"


async def _give_all(message: Message, found: Sequence[Subscription], _: Renderer) -> list[Delivery]:
    return [Delivery(subscription, message) for subscription in found]


async def _render_status(
    name: str, body: StatusEvent, private: list[Subscription], public: list[Subscription], renderer: Renderer
) -> list[Delivery]:
    viewers = {subscription.account_id: subscription.client.viewer for subscription in public}
    audience = await renderer.public_audience(body, list(viewers.values())) if viewers else {}
    wanted: list[int | None] = list(dict.fromkeys(subscription.account_id for subscription in private))
    if audience:
        wanted.append(None)
    if not wanted:
        return []
    rendered = await renderer.statuses(body.id, wanted)
    messages = {account: Message(name, payload) for account, payload in rendered.items()}
    deliveries = [Delivery(one, messages[one.account_id]) for one in private if one.account_id in messages]
    anonymous = rendered.get(None)
    if anonymous is not None:
        shown = {filtered: Message(name, with_filtered(anonymous, filtered)) for filtered in set(audience.values())}
        deliveries += [Delivery(one, shown[audience[one.account_id]]) for one in public if one.account_id in audience]
    return deliveries


async def _render_notifications(
    wanted: Sequence[tuple[int, int, list[Subscription]]], renderer: Renderer
) -> list[Delivery]:
    deliveries: list[Delivery] = []
    complete: set[Subscription] = set()
    for id_, account, found in reversed(wanted):
        payload = await renderer.notification(id_, account)
        if payload is None:
            continue
        deliveries += [Delivery(one, Message("notification", payload, one not in complete)) for one in found]
        complete.update(found)
    return deliveries[::-1]


async def _render_announcement(
    body: AnnouncementEvent, found: Sequence[Subscription], renderer: Renderer
) -> list[Delivery]:
    payload = await renderer.announcement(body.id)
    return [] if payload is None else await _give_all(Message("announcement", payload), found, renderer)


async def _render_conversation(
    body: ConversationEvent, found: Sequence[Subscription], renderer: Renderer
) -> list[Delivery]:
    payload = await renderer.conversation(body.id, body.account)
    return [] if payload is None else await _give_all(Message("conversation", payload), found, renderer)
