"""Other servers without a network: what they would serve stands in a dictionary, what they send is dispatched."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.follow_requests import authorize_follow_request
from phiomia.domain.statuses.known import Known, find_by_uri
from phiomia.federation.documents_of_others import Documents
from phiomia.federation.inbox.context import Activity, Gone, InboxContext, Outcome, Result, Unresolved
from phiomia.federation.inbox.create import store_status
from phiomia.federation.inbox.dispatch import dispatch
from phiomia.federation.resolve import RemoteResolver
from phiomia.platform.clock import iso, now_ms
from phiomia.platform.db import Query
from phiomia.platform.http import Response
from phiomia.platform.jobs import Job
from world import BASE, DOMAIN, Account, World

HOST = "far.example"
J = TypeVar("J", bound=Job)
_JOBS = Query.raw(sqlite="SELECT args FROM jobs WHERE type = :type ORDER BY id")
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
Json = dict[str, Any]


class Pages(Documents):
    """Serves documents by address, and WebFinger for the actors among them."""

    def __init__(self, rules: DomainRules, pages: dict[str, Json]) -> None:
        super().__init__(None, rules, frozenset({DOMAIN}), None)  # type: ignore[arg-type]
        self.pages = pages
        self.asked: list[str] = []

    async def _ask(self, url: str) -> tuple[Json, str]:
        self.asked.append(url)
        if url not in self.pages:
            raise Gone(f"{url} is not there")
        return self.pages[url], url

    async def get(self, url: str, **_more: Any) -> Response:
        parts = urlsplit(url)
        user, _, host = parse_qs(parts.query)["resource"][0].removeprefix("acct:").partition("@")
        for id_, page in self.pages.items():
            if urlsplit(id_).netloc == host and page.get("preferredUsername") == user:
                link = {"rel": "self", "type": "application/activity+json", "href": id_}
                answer = {"subject": f"acct:{user}@{host}", "links": [link]}
                return Response(200, {}, json.dumps(answer).encode(), url)
        raise Gone(f"{url} is not there")


@dataclass
class Far:
    """The servers of others around a world."""

    world: World
    pages: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        links = self.world.api.fragments.links
        self.rules = DomainRules(self.world.db)
        self.documents = Pages(self.rules, self.pages)
        self.resolver = RemoteResolver(self.world.db, links, self.documents, self.rules)
        self.context = InboxContext(self.world.api.config, self.world.db, links, self.resolver, self.rules)
        self.resolver.store = lambda document, actor, depth: store_status(self.context, document, actor, depth)

    async def actor(self, name: str = "dora", host: str = HOST, **more: Any) -> Actor:
        """Somebody of another server, known here."""
        page = actor_page(f"https://{host}/users/{name}", name) | more
        self.pages[page["id"]] = page
        return await self.resolver.account(page["id"])

    async def receive(
        self, document: Json, actor: Actor, *, sender: str = "", recipient: Account | None = None
    ) -> Outcome:
        """What becomes of an activity that the actor has sent."""
        activity = Activity(
            id=document.get("id") or "",
            type=document["type"],
            actor=actor,
            object=document.get("object"),
            raw=document,
            sender=sender or actor.uri,
            recipient_id=recipient.id if recipient else None,
            received_at=now_ms(),
        )
        try:
            return await dispatch(self.context, activity)
        except Unresolved as error:
            return Outcome(Result.REJECTED, error.reason)

    async def status(self, uri: str) -> Known | None:
        """A stored status by its id."""
        async with self.world.db.read() as session:
            return await find_by_uri(session, uri)

    async def jobs(self, kind: type[J]) -> list[J]:
        """The jobs of a kind that wait, in their order."""
        async with self.world.db.read() as session:
            found = await session.column(_JOBS, type=kind.TYPE)
        return [msgspec.json.decode(one, type=kind) for one in found]

    async def befriend(self, member: Account, actor: Actor) -> None:
        """The member follows the actor."""
        await self.world.write(lambda session: follow(session, member.id, actor.id))
        await self.world.write(lambda session: authorize_follow_request(session, actor.id, member.id))


def ours(name: str, status_id: int | None = None) -> str:
    """The id of a member, or of a member's status."""
    return f"{BASE}/users/{name}" + (f"/statuses/{status_id}" if status_id else "")


def actor_page(uri: str, name: str) -> Json:
    """An actor as most servers describe one."""
    return {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": uri,
        "type": "Person",
        "preferredUsername": name,
        "name": name.title(),
        "inbox": f"{uri}/inbox",
        "outbox": f"{uri}/outbox",
        "followers": f"{uri}/followers",
        "featured": f"{uri}/featured",
        "publicKey": {"id": f"{uri}#main-key", "owner": uri, "publicKeyPem": "a key"},
    }


def note(actor: Actor, number: int = 1, **more: Any) -> Json:
    """A public Note of the actor, written now."""
    uri = f"{actor.uri}/statuses/{number}"
    return {
        "id": uri,
        "type": "Note",
        "attributedTo": actor.uri,
        "content": f"<p>Note {number}</p>",
        "published": iso(now_ms()),
        "to": [PUBLIC],
        "cc": [actor.followers_url],
        **more,
    }


def activity(kind: str, actor: Actor, about: Any, number: int = 1, **more: Any) -> Json:
    """An activity of the actor."""
    return {"id": f"{actor.uri}/{kind}/{number}", "type": kind, "actor": actor.uri, "object": about, **more}


def mention(name: str) -> Json:
    """A tag that names a member."""
    return {"type": "Mention", "href": ours(name), "name": f"@{name}@{DOMAIN}"}
