"""What handlers of activities get, and what they answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.peers.rules import DomainRules
from phiomia.entities.links import Links
from phiomia.federation.unresolved import Document, Gone, Unresolved
from phiomia.platform.config import Config
from phiomia.platform.db import Database


class Result(StrEnum):
    """What became of an activity."""

    PROCESSED = "processed"
    IGNORED = "ignored"
    REJECTED = "rejected"


class Outcome(NamedTuple):
    """What became of an activity, and why; the reason stands in the log."""

    result: Result
    reason: str = ""


PROCESSED = Outcome(Result.PROCESSED)


def ignored(reason: str) -> Outcome:
    """Nothing was to be done: unknown, irrelevant, or done before."""
    return Outcome(Result.IGNORED, reason)


def rejected(reason: str) -> Outcome:
    """It was not allowed to do that, or cannot be understood."""
    return Outcome(Result.REJECTED, reason)


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity. `actor` has signed it, or it was read at the actor's own server.

    `object` is the value as sent: an id or something embedded, which `Resolver.trusted_object` makes an object to rely
    on. `recipient_id` is whose inbox it came to, None for the shared one. `sender` is the id of the actor whose key
    signed the request: another one than `actor` if it was forwarded.
    """

    id: str
    type: str
    actor: Actor
    object: Any
    raw: Document
    sender: str = ""
    recipient_id: int | None = None
    received_at: int = 0

    @property
    def forwarded(self) -> bool:
        """Whether somebody else has passed it on."""
        return self.sender not in ("", self.actor.uri)


class Resolver(Protocol):
    """From ids to things that can be relied on: stored ones, or fetched from where they live."""

    async def account(self, uri: str, *, fresh: bool = False) -> Actor:
        """The account of another server; asked for now if it is unknown or (`fresh`) in any case.

        Raises Unresolved, for local ids, too.
        """
        ...

    async def account_of_handle(self, acct: str) -> Actor:
        """The account of user@domain, confirmed by WebFinger. Raises Unresolved."""
        ...

    async def known_account(self, uri: str) -> Actor | None:
        """The account if it is stored; asks nobody."""
        ...

    async def status(self, uri: str, depth: int = 0) -> int:
        """The stored status of an id, ours or fetched and stored now. `depth` counts how far a thread was followed.

        Raises Unresolved.
        """
        ...

    async def document(self, uri: str) -> Document:
        """The document that lives at `uri`, with exactly this id. Raises Unresolved."""
        ...

    async def collection_page(self, url: str) -> Document:
        """A collection or a page of one, which need not have an id. Raises Unresolved."""
        ...

    async def trusted_object(self, value: Any, sender: Actor) -> Document:
        """What an activity is about: the embedded object if its id is of the sender's server, else fetched by its id.

        An embedded object without id is taken as it is: it is nothing but a part of the activity. Raises Unresolved.
        """
        ...


@dataclass(frozen=True, slots=True)
class InboxContext:
    """What handlers work with."""

    config: Config
    db: Database
    links: Links
    resolver: Resolver
    rules: DomainRules


Handler = Callable[[InboxContext, Activity], Awaitable[Outcome]]
# Stores a fetched status with its author, gives its number; the last is how far a thread was followed.
StoreStatus = Callable[[InboxContext, Document, Actor, int], Awaitable[int]]

__all__ = [
    "PROCESSED",
    "Activity",
    "Document",
    "Gone",
    "Handler",
    "InboxContext",
    "Outcome",
    "Resolver",
    "Result",
    "StoreStatus",
    "Unresolved",
    "ignored",
    "rejected",
]
