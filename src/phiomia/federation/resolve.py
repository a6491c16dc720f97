"""The one gate by which things of other servers come in: an id becomes something stored that can be relied on.

What is embedded counts only where it lies on the server of who sent it; everything else is fetched from its own id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from phiomia.domain.accounts.remote import Actor, find_actor, find_actor_by_handle, load_actor
from phiomia.domain.accounts.remote_marks import note_fetched
from phiomia.domain.accounts.store_remote import Circumstances, FurtherKey, RemoteProfile, store_remote_account
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.peers.tombstones import is_buried
from phiomia.entities.links import Links
from phiomia.federation.documents_of_others import Documents, is_same_id
from phiomia.federation.handles import confirm_handle, find_actor_of, read_handle
from phiomia.federation.inbox import ours
from phiomia.federation.jobs import RefreshAccount
from phiomia.federation.parse.actor import ActorDraft, is_actor, parse_actor
from phiomia.federation.parse.policies import weigh_policy
from phiomia.federation.parse.values import Rejected, address, host_of, id_of, same_host, types
from phiomia.federation.unresolved import Document, Gone, Unresolved
from phiomia.platform.clock import DAY, HOUR, now_ms
from phiomia.platform.db import Conflict, Database, WriteSession
from phiomia.platform.jobs import defer
from phiomia.platform.limits import THREAD_DEPTH

STALE_MS: Final = DAY
_WISHES: Final = 10_000
Store = Callable[[Document, Actor, int], Awaitable[int]]
T = TypeVar("T")


class Found(NamedTuple):
    """What an address led to, stored."""

    kind: Literal["account", "status"]
    id: int


class RemoteResolver:
    """Resolves ids and handles; one for a process. `store` writes a fetched status."""

    def __init__(self, db: Database, links: Links, documents: Documents, rules: DomainRules) -> None:
        self._db = db
        self._links = links
        self._documents = documents
        self._rules = rules
        self._flights: dict[str, asyncio.Task[Any]] = {}
        self._wished: dict[int, int] = {}
        self.store: Store | None = None

    async def account(self, uri: str, *, fresh: bool = False) -> Actor:
        """The account of another server; asked for now if it is unknown or (`fresh`) in any case. Raises Unresolved."""
        uri = uri.partition("#")[0]
        known = await self.known_account(uri)
        if known is not None and not fresh:
            if (known.fetched_at or 0) < now_ms() - STALE_MS:
                await self._refresh_later(known)
            return known
        return await self._once(f"account {uri}", lambda: self._fetch_account(uri, known))

    async def known_account(self, uri: str) -> Actor | None:
        """The account if it is stored; asks nobody."""
        async with self._db.read() as session:
            return await find_actor(session, uri.partition("#")[0])

    async def account_of_handle(self, acct: str) -> Actor:
        """The account of user@domain, confirmed by WebFinger. Raises Unresolved."""
        handle = read_handle(acct)
        if handle.domain in (self._links.domain.lower(), host_of(self._links.base)):
            raise Unresolved(f"{handle} is ours")
        async with self._db.read() as session:
            known = await find_actor_by_handle(session, handle.user, handle.domain)
        if known is not None:
            if (known.fetched_at or 0) < now_ms() - STALE_MS:
                await self._refresh_later(known)
            return known
        return await self._once(f"handle {handle}", lambda: self._fetch_handle(str(handle)))

    async def status(self, uri: str, depth: int = 0) -> int:
        """The stored status of an id, ours or fetched and stored now. Raises Unresolved."""
        known = await self._known_status(uri)
        if known is not None:
            return known
        if depth > THREAD_DEPTH:
            raise Unresolved("the thread is followed no further")
        return await self._once(f"status {uri}", lambda: self._fetch_status(uri, depth))

    async def any(self, url: str) -> Found:
        """The account or status that an address leads to. Raises Unresolved."""
        document = await self._documents.fetch_of_page(url)
        id_ = address(document.get("id"))
        if is_actor(document):
            actor = await self._store_account(parse(document), await self.known_account(id_))
            return Found("account", actor.id)
        known = await self._known_status(id_)
        return Found("status", known if known is not None else await self._store_status(document, 0))

    async def document(self, uri: str) -> Document:
        """The document that lives at `uri`, with exactly this id. Raises Unresolved."""
        found = await self._documents.fetch(uri)
        if not is_same_id(address(found.get("id")), uri):
            raise Unresolved(f"{uri} is {address(found.get('id')) or 'nameless'}")
        return found

    async def collection_page(self, url: str) -> Document:
        """A collection or a page of one, which need not have an id. Raises Unresolved."""
        return await self._documents.fetch_page(url)

    async def trusted_object(self, value: Any, sender: Actor) -> Document:
        """The embedded object if its id is of the sender's server, else fetched by its id. Raises Unresolved."""
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            if "id" not in value:
                return value
            id_ = address(value.get("id"))
            if same_host(id_, sender.uri):
                check_author(value, id_)
                return value
        id_ = id_of(value)
        if not id_:
            raise Unresolved("the object is neither an id nor an object")
        found = await self._documents.fetch(id_)
        check_author(found, address(found.get("id")))
        return found

    async def forget(self, uri: str) -> None:
        """Lets something be asked for that was not there a moment ago."""
        self._documents.restraint.forget(uri)

    async def _known_status(self, uri: str) -> int | None:
        async with self._db.read() as session:
            found = await ours.find_status(session, self._links, uri)
            if found is None and await is_buried(session, [uri]):
                raise Gone(f"{uri} was deleted")
        if found is None and self._documents.is_own(uri):
            raise Gone(f"{uri} does not exist here")
        return None if found is None else found.id

    async def _fetch_status(self, uri: str, depth: int) -> int:
        document = await self._documents.fetch(uri)
        if types(document) & {"Create", "Update"}:
            document = await self._documents.fetch(id_of(document.get("object")))
        id_ = address(document.get("id"))
        known = await self._known_status(id_) if id_ != uri else None
        return known if known is not None else await self._store_status(document, depth)

    async def _store_status(self, document: Document, depth: int) -> int:
        id_ = address(document.get("id"))
        author = id_of(document.get("attributedTo")) or id_of(document.get("actor"))
        if not same_host(author, id_):
            raise Unresolved(f"{id_} is attributed to another server")
        actor = await self.account(author)
        if actor.suspended:
            raise Unresolved(f"{actor.acct} is suspended")
        if self.store is None:
            raise Unresolved("statuses can't be stored here")
        return await self.store(document, actor, depth)

    async def _fetch_handle(self, acct: str) -> Actor:
        uri = await find_actor_of(self._documents, read_handle(acct))
        return await self.account(uri)

    async def _fetch_account(self, uri: str, known: Actor | None) -> Actor:
        if known is not None:
            self._documents.restraint.forget(uri)
        try:
            document = await self._documents.fetch(uri)
        except Unresolved:
            if known is not None:
                account_id = known.id
                await self._db.write(lambda session: note_fetched(session, account_id, now_ms()))
            raise
        id_ = address(document.get("id"))
        if id_ != uri:
            known = await self.known_account(id_)
        return await self._store_account(parse(document), known)

    async def _store_account(self, draft: ActorDraft, known: Actor | None) -> Actor:
        if self._documents.is_own(draft.uri):
            raise Unresolved(f"{draft.uri} is ours")
        try:
            handle = await confirm_handle(self._documents, draft)
            username, domain = handle.user, handle.domain
        except Unresolved:
            # Who was confirmed once keeps the handle while WebFinger is away, unless the name is another one now.
            if known is None or known.username.lower() != draft.username.lower():
                raise
            username, domain = known.username, known.domain
        if domain in (self._links.domain.lower(), host_of(self._links.base)):
            raise Unresolved(f"{draft.uri} claims a handle of ours")
        actor = await self._write_account(draft, make_profile(draft, username, domain))
        await self._count_later(actor)
        return actor

    async def _write_account(self, draft: ActorDraft, profile: RemoteProfile) -> Actor:
        try:
            account_id = await self._db.write(lambda session: self._store(session, draft, profile))
        except Conflict:
            # Another process has written the same account at this moment.
            account_id = await self._db.write(lambda session: self._store(session, draft, profile))
        async with self._db.read() as session:
            actor = await load_actor(session, account_id)
        if actor is None:
            raise Gone(f"{profile.uri} was deleted")
        return actor

    async def _store(self, session: WriteSession, draft: ActorDraft, profile: RemoteProfile) -> int:
        domain, host = profile.domain, host_of(draft.uri)
        await self._rules.refresh_for(session)
        if self._rules.blocks(domain):
            raise Unresolved(f"nothing is exchanged with {domain}")
        without_pictures = self._rules.rejects_media(domain) or self._rules.rejects_media(host)
        if without_pictures:
            profile = msgspec.structs.replace(profile, avatar_remote_url="", header_remote_url="", emojis=[])
        more = Circumstances(
            emojis=[] if without_pictures else draft.emojis,
            created_at=draft.created_at,
            suspended=draft.suspended,
            silenced=self._rules.silences(domain) or self._rules.silences(host),
            moved_to=draft.moved_to,
        )
        return await store_remote_account(session, profile, more)

    async def _refresh_later(self, actor: Actor) -> None:
        # At most one wish in an hour, however many activities come.
        now = now_ms()
        if self._wished.get(actor.id, 0) > now - HOUR:
            return
        if len(self._wished) >= _WISHES:
            self._wished.clear()
        self._wished[actor.id] = now
        job = RefreshAccount(actor.id)
        await self._db.write(lambda session: defer(session, job, unique=f"refresh:{actor.id}", host=host_of(actor.uri)))

    async def _count_later(self, actor: Actor) -> None:
        job = RefreshAccount(actor.id, counts_only=True)
        await self._db.write(lambda session: defer(session, job, unique=f"counts:{actor.id}", host=host_of(actor.uri)))

    async def _once(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Lets several who want the same wait for one answer."""
        running = self._flights.get(name)
        if running is None:
            running = self._flights[name] = asyncio.ensure_future(_await(ask))
            running.add_done_callback(lambda done: self._land(name, done))
        # Who gives up does not take the answer from the others.
        found: T = await asyncio.shield(running)
        return found

    def _land(self, name: str, done: asyncio.Future[Any]) -> None:
        self._flights.pop(name, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be waiting any more


async def _await(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


def parse(document: Document) -> ActorDraft:
    """The draft of an actor. Raises Unresolved."""
    try:
        return parse_actor(document)
    except Rejected as error:
        raise Unresolved(f"{address(document.get('id'))}: {error}") from error


def check_author(document: Document, id_: str) -> None:
    """Refuses what is said to be by somebody of another server than the one it lives on. Raises Unresolved."""
    for name in ("attributedTo", "actor"):
        author = id_of(document.get(name))
        if author and not same_host(author, id_):
            raise Unresolved(f"{id_} is attributed to another server")


def make_profile(draft: ActorDraft, username: str, domain: str) -> RemoteProfile:
    """What is stored of an actor under its confirmed handle. Collections and a shared inbox are of its own server."""

    def own(url: str) -> str:
        return url if same_host(url, draft.uri) else ""

    return RemoteProfile(
        uri=draft.uri,
        username=username,
        domain=domain,
        inbox_url=draft.inbox_url,
        url=draft.url,
        actor_type=draft.actor_type,
        display_name=draft.display_name,
        note=draft.note,
        fields=draft.fields,
        avatar_remote_url=draft.avatar.url,
        avatar_description=draft.avatar.description,
        header_remote_url=draft.header.url,
        header_description=draft.header.description,
        emojis=draft.emoji_names,
        attribution_domains=draft.attribution_domains,
        locked=draft.locked,
        bot=draft.bot,
        is_group=draft.is_group,
        discoverable=draft.discoverable,
        indexable=draft.indexable,
        memorial=draft.memorial,
        key_id=draft.key.id,
        public_key=draft.key.pem,
        more_keys=[FurtherKey(key.id, key.pem) for key in draft.keys[1:]],
        shared_inbox_url=own(draft.shared_inbox_url),
        followers_url=own(draft.followers_url),
        following_url=own(draft.following_url),
        outbox_url=own(draft.outbox_url),
        featured_url=own(draft.featured_url),
        featured_tags_url=own(draft.featured_tags_url),
        collections_url=own(draft.collections_url),
        feature_policy=weigh_policy(draft.feature_policy, draft.uri, draft.followers_url, draft.following_url),
        show_media=draft.show_media,
        show_media_replies=draft.show_media_replies,
        show_featured=draft.show_featured,
        also_known_as=draft.also_known_as,
    )
