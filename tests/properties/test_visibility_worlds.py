"""Random worlds: whatever holds between people, every way to a status agrees with the rules told in other words.

A world has members and people of other servers, some limited, some suspended; they follow, ask to follow, block and
mute each other, block servers, keep lists; they write, answer, boost, quote, and name each other. Then every member,
everybody elsewhere and a stranger look at everything: over the API, in streams, as documents and collections, on pages.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from federation.fake_peer import CONTEXT, FakeActor, key_pair
from federation.published import Site, open_site
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.models import (
    account_domain_blocks,
    blocks,
    follow_requests,
    follows,
    list_accounts,
    lists,
    mutes,
)
from phiomia.domain.statuses.models import quotes, status_mentions, statuses
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.timelines.feeds import backfill_feed
from phiomia.platform.clock import now_ms
from phiomia.platform.db import insert_into
from phiomia.platform.ids import new_id
from phiomia.streaming.log_events import StatusEvent
from phiomia.streaming.ports import StreamViewer
from phiomia.streams import Renderings
from world import BASE, Account, World, open_world

WORDS = ("public", "unlisted", "private", "direct")
PEOPLE = 6
ELSEWHERE = (("rita", "far.example"), ("rolf", "far.example"), ("sara", "other.example"))
STATUSES = 36
_PAIRS = {"follows": follows, "blocks": blocks, "mutes": mutes, "follow_requests": follow_requests}
_PAIR = {name: insert_into(table, "id", "account_id", "target_id", "created_at") for name, table in _PAIRS.items()}
_STATUS = insert_into(
    statuses, "id", "account_id", "visibility", "content", "conversation_id", "created_at", "local", "uri", "url",
    "in_reply_to_id", "in_reply_to_account_id", "reblog_of_id", "quoting",
)  # fmt: skip
_MENTION = insert_into(status_mentions, "status_id", "account_id", "silent")
_QUOTE = insert_into(quotes, "status_id", "account_id", "quoted_id", "quoted_account_id", "state", "created_at")
_DOMAIN = insert_into(account_domain_blocks, "id", "account_id", "domain", "created_at")
_LIST = insert_into(lists, "id", "account_id", "title", "replies_policy")
_LISTED = insert_into(list_accounts, "list_id", "account_id")


@dataclass(frozen=True)
class Person:
    """Somebody, with the key of who signs elsewhere."""

    name: str
    domain: str
    state: int
    account: Account
    actor: FakeActor | None = None


@dataclass(frozen=True)
class Post:
    """A status of the world."""

    id: int
    author: str
    word: str
    named: frozenset[str]
    answers: int | None
    boosts: int | None
    quotes: int | None


@dataclass
class Model:
    """What was made, and who may see it."""

    people: dict[str, Person] = field(default_factory=dict)
    pairs: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: {name: set() for name in _PAIRS})
    domain_blocks: set[tuple[str, str]] = field(default_factory=set)
    lists: dict[str, tuple[int, set[str]]] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)

    def may_see(self, viewer: str | None, post: Post) -> bool:
        """The rules as sentences."""
        if post.boosts is not None and not self.may_see(viewer, self.posts[post.boosts]):
            return False
        if self.people[post.author].state == AccountState.SUSPENDED:
            return False
        if viewer == post.author:
            return True
        if viewer is None:
            return post.word in ("public", "unlisted")
        if (post.author, viewer) in self.pairs["blocks"]:
            return False
        if post.word in ("public", "unlisted") or viewer in post.named:
            return True
        return post.word == "private" and (viewer, post.author) in self.pairs["follows"]

    def dislikes(self, viewer: str, other: str) -> bool:
        """Whether the viewer wants to see nothing of somebody in timelines, or must not."""
        blocked = {(viewer, other), (other, viewer)} & self.pairs["blocks"]
        domain = self.people[other].domain
        return bool(blocked) or (viewer, other) in self.pairs["mutes"] or (viewer, domain) in self.domain_blocks

    @property
    def members(self) -> list[Person]:
        """Those of this server who may look."""
        return [one for one in self.people.values() if not one.domain and one.state < AccountState.SUSPENDED]


class Maker:
    """Makes one world."""

    def __init__(self, world: World, site: Site, seed: int) -> None:
        self.world, self.site, self.chance, self.model = world, site, random.Random(seed), Model()

    async def make(self) -> Model:
        """Everything, in the order in which it needs each other."""
        for number in range(PEOPLE):
            state = self.chance.choice((0, 0, 0, 0, 1, 2)) if number > 1 else 0
            account = await self.world.account(f"m{number}", state=state)
            self.model.people[f"m{number}"] = Person(f"m{number}", "", state, account)
        for name, domain in ELSEWHERE:
            await self._meet(name, domain, self.chance.choice((0, 0, 0, 1, 2)))
        names = list(self.model.people)
        for one, other in product(names, names):
            if one != other:
                await self._relate(one, other)
        for one in names[:PEOPLE]:
            if self.chance.random() < 0.3:
                await self._block_server(one, self.chance.choice(ELSEWHERE)[1])
            await self._list(one, self.chance.sample([name for name in names if name != one], 4))
        for _ in range(STATUSES):
            await self._post(names)
        return self.model

    async def _meet(self, name: str, domain: str, state: int) -> None:
        base = f"https://{domain}"
        private, public = key_pair()
        uri = f"{base}/users/{name}"
        document = {"@context": CONTEXT, "id": uri, "publicKey": {"id": f"{uri}#main-key", "publicKeyPem": public}}
        actor = FakeActor(base, name, document, private, f"{uri}#main-key")
        account = await self.site.meet(actor)
        await self.world.execute(
            "UPDATE accounts SET rev = rev + 1, state = :state WHERE id = :id", state=state, id=account.id
        )
        self.model.people[name] = Person(name, domain, state, account, actor)

    async def _relate(self, one: str, other: str) -> None:
        chances = {"follows": 0.4, "blocks": 0.08, "mutes": 0.08, "follow_requests": 0.1}
        people = self.model.people
        for kind, chance in chances.items():
            if self.chance.random() >= chance or (
                kind == "follow_requests" and (one, other) in self.model.pairs["follows"]
            ):
                continue
            self.model.pairs[kind].add((one, other))
            row = {
                "id": new_id(),
                "account_id": people[one].account.id,
                "target_id": people[other].account.id,
                "created_at": now_ms(),
            }
            await self.world.write(lambda session, kind=kind, row=row: session.execute(_PAIR[kind], **row))

    async def _block_server(self, one: str, domain: str) -> None:
        self.model.domain_blocks.add((one, domain))
        row = {
            "id": new_id(),
            "account_id": self.model.people[one].account.id,
            "domain": domain,
            "created_at": now_ms(),
        }
        await self.world.write(lambda session: session.execute(_DOMAIN, **row))

    async def _list(self, one: str, listed: list[str]) -> None:
        list_id = new_id()
        self.model.lists[one] = (list_id, set(listed))
        row = {"id": list_id, "account_id": self.model.people[one].account.id, "title": "x", "replies_policy": 1}
        await self.world.write(lambda session: session.execute(_LIST, **row))
        for name in listed:
            pair = {"list_id": list_id, "account_id": self.model.people[name].account.id}
            await self.world.write(lambda session, pair=pair: session.execute(_LISTED, **pair))

    async def _post(self, names: list[str]) -> None:
        author, posts = self.chance.choice(names), self.model.posts
        before = [one for one in posts.values() if one.boosts is None]
        kind = self.chance.choice(("plain", "plain", "answer", "answer", "boost", "quote")) if before else "plain"
        meant = self.chance.choice(before) if kind != "plain" else None
        word = self.chance.choice(WORDS)
        if kind == "boost" and meant is not None:
            if meant.word in ("private", "direct") and (meant.word == "direct" or meant.author != author):
                return
            if any(one.boosts == meant.id and one.author == author for one in posts.values()):
                return
            word = "private" if meant.word == "private" else self.chance.choice(WORDS[:3])
        named = frozenset(self.chance.sample(names, 2)) - {author} if kind != "boost" else frozenset[str]()
        target = None if meant is None else meant.id
        post = Post(
            new_id(), author, word, named,
            *(target if kind == one else None for one in ("answer", "boost", "quote")),
        )  # fmt: skip
        posts[post.id] = post
        await self._write(post, meant)

    async def _write(self, post: Post, meant: Post | None) -> None:
        person = self.model.people[post.author]
        uri = f"https://{person.domain}/statuses/{post.id}" if person.domain else ""
        answered = self.model.people[meant.author].account.id if meant is not None and post.answers else None
        row = {
            "id": post.id, "account_id": person.account.id, "visibility": WORDS.index(post.word),
            "content": f"<p>{post.id}</p>", "conversation_id": self._conversation(post), "created_at": now_ms(),
            "local": not person.domain, "uri": uri, "url": uri, "in_reply_to_id": post.answers,
            "in_reply_to_account_id": answered, "reblog_of_id": post.boosts, "quoting": post.quotes is not None,
        }  # fmt: skip
        await self.world.write(lambda session: session.execute(_STATUS, **row))
        for name in post.named:
            mention = {"status_id": post.id, "account_id": self.model.people[name].account.id, "silent": False}
            await self.world.write(lambda session, mention=mention: session.execute(_MENTION, **mention))
        if post.quotes is not None and meant is not None:
            quote = {
                "status_id": post.id, "account_id": person.account.id, "quoted_id": meant.id,
                "quoted_account_id": self.model.people[meant.author].account.id,
                "state": int(QuoteState.ACCEPTED), "created_at": now_ms(),
            }  # fmt: skip
            await self.world.write(lambda session: session.execute(_QUOTE, **quote))

    def _conversation(self, post: Post) -> int:
        while post.answers is not None:
            post = self.model.posts[post.answers]
        return post.id


class Looker:
    """Looks at a world on every way, and compares."""

    def __init__(self, world: World, site: Site, model: Model) -> None:
        self.world, self.site, self.model = world, site, model
        self.renderings = Renderings(world.db, world.api.fragments)

    async def look(self) -> None:
        """Fails when a way shows too much or too little."""
        for member in (*self.model.members, None):
            await self.ask_for_statuses(member)
            await self.ask_for_authors(member)
            await self.ask_for_timelines(member)
        await self.fill_feeds()
        for member in self.model.members:
            await self.ask_for_timelines(member)
        await self.listen()
        await self.ask_for_documents()
        await self.ask_for_collections_and_pages()

    def seen_by(self, viewer: str | None) -> set[str]:
        """The ids that the model lets somebody see."""
        return {str(id_) for id_, post in self.model.posts.items() if self.model.may_see(viewer, post)}

    def check_inside(self, viewer: str | None, found: Any, where: str) -> None:
        """Nothing in an answer, however deep, is hidden from the viewer."""
        shown = set(ids_within(found, self.model.posts))
        hidden = [self.model.posts[int(one)] for one in shown - self.seen_by(viewer)]
        assert hidden == [], (where, viewer, hidden)

    async def ask_for_statuses(self, member: Person | None) -> None:
        """One by one, together, in their threads, and who has boosted them."""
        who, name = (None, None) if member is None else (member.account, member.name)
        seen = self.seen_by(name)
        together: set[str] = set()
        ids = [str(id_) for id_ in self.model.posts]
        for start in range(0, len(ids), 20):
            together |= set((await self.world.client.get("/api/v1/statuses", who, id=ids[start : start + 20])).ids)
        assert together == seen, (name, together ^ seen)
        for id_ in ids:
            one = await self.world.client.get(f"/api/v1/statuses/{id_}", who)
            assert one.status == (200 if id_ in seen else 404), (name, self.model.posts[int(id_)])
            context = await self.world.client.get(f"/api/v1/statuses/{id_}/context", who)
            assert context.status == (200 if id_ in seen else 404), (name, self.model.posts[int(id_)])
            if id_ in seen:
                self.check_inside(name, [one.json, context.json], "thread")
            for more in ("reblogged_by", "favourited_by", "history", "source", "quotes"):
                answer = await self.world.client.get(f"/api/v1/statuses/{id_}/{more}", who)
                assert id_ in seen or answer.status in (401, 403, 404), (more, name, answer.status)

    async def ask_for_authors(self, member: Person | None) -> None:
        """What each has written, as their profile lists it."""
        who, name = (None, None) if member is None else (member.account, member.name)
        for author in self.model.people.values():
            listed = await self.world.client.get(f"/api/v1/accounts/{author.account.id}/statuses", who, limit=40)
            found = set(listed.ids) if listed.status == 200 else set()
            own = {str(id_) for id_, post in self.model.posts.items() if post.author == author.name} & self.seen_by(
                name
            )
            assert found == own, (name, author.name, found ^ own)
            if listed.status == 200:
                self.check_inside(name, listed.json, "profile")

    async def ask_for_timelines(self, member: Person | None) -> None:
        """Public ones, home and lists: nothing hidden, and nothing of those whom one does not want to see."""
        who, name = (None, None) if member is None else (member.account, member.name)
        paths = ["/api/v1/timelines/public", "/api/v1/timelines/public?local=true"]
        if member is not None:
            paths += ["/api/v1/timelines/home", f"/api/v1/timelines/list/{self.model.lists[member.name][0]}"]
        for path in paths:
            answer = await self.world.client.get(
                path.partition("?")[0], who, limit=40, **({"local": True} if "?" in path else {})
            )
            if answer.status == 401:
                continue
            assert answer.status == 200, (path, answer.body)
            self.check_inside(name, answer.json, path)
            for one in answer.json:
                post = self.model.posts[int(one["id"])]
                for author in {post.author, self.model.posts[post.boosts].author if post.boosts else post.author} - {
                    name
                }:
                    assert name is None or not self.model.dislikes(name, author), (path, name, post)
                if "public" in path:
                    assert post.word == "public" and post.boosts is None
                    assert self.model.people[post.author].state == AccountState.ACTIVE, (path, post)

    async def fill_feeds(self) -> None:
        """Lets everybody's feed be stored, as if they had followed those whom they follow just now."""
        ids = {name: one.account.id for name, one in self.model.people.items()}
        for one, other in sorted(self.model.pairs["follows"]):
            pair = ids[one], ids[other]
            await self.world.write(lambda session, pair=pair: backfill_feed(session, *pair))

    async def listen(self) -> None:
        """Streams: who of all listeners is shown a status, in private and in public streams."""
        people = {one.account.id: one.name for one in self.model.members}
        viewers = [StreamViewer(id_, 1, frozenset({"read"}), None) for id_ in people]
        for id_, post in self.model.posts.items():
            heard = await self.renderings.statuses(id_, list(people))
            expected = {id_ for id_, name in people.items() if self.model.may_see(name, post)}
            assert set(heard) == expected, (post, [people[one] for one in set(heard) ^ expected])
            for account, rendered in heard.items():
                assert account is not None
                self.check_inside(people[account], json.loads(rendered), "stream")
            if post.word == "public" and post.boosts is None:
                author = self.model.people[post.author]
                event = StatusEvent(id_, author.account.id, post.word, not author.domain)
                shown = await self.renderings.public_audience(event, viewers)
                for account in shown:
                    assert self.model.may_see(people[account], post), ("public stream", people[account], post)
                    assert account == self.model.people[post.author].account.id or not self.model.dislikes(
                        people[account], post.author
                    ), (people[account], post)

    async def ask_for_documents(self) -> None:
        """Our statuses as documents, for those elsewhere who sign and for those who don't."""
        for id_, post in self.model.posts.items():
            author = self.model.people[post.author]
            if author.domain:
                continue
            for suffix in ("", "/activity", "/replies"):
                url = f"{self.site.uri(author.name, id_)}{suffix}"
                for asker in (None, *(one for one in self.model.people.values() if one.actor is not None)):
                    await self._ask_for_document(url, post, asker)

    async def _ask_for_document(self, url: str, post: Post, asker: Person | None) -> None:
        answer = await (
            self.site.get(url) if asker is None or asker.actor is None else self.site.get_as(asker.actor, url)
        )
        shut_out = asker is None or (
            asker.state == AccountState.SUSPENDED or (post.author, asker.domain) in self.model.domain_blocks
        )
        # What is for everybody anybody gets, by asking without a name.
        expected = self.model.may_see(None, post) or (
            asker is not None and not shut_out and self.model.may_see(asker.name, post)
        )
        if not expected:
            assert answer.status in (401, 403, 404, 410), (url, post, asker, answer.status)
        else:
            assert answer.status in (200, 302), (url, post, asker, answer.status, answer.body)

    async def ask_for_collections_and_pages(self) -> None:
        """What strangers find: outboxes, what is pinned, pages."""
        for person in self.model.people.values():
            if person.domain:
                continue
            outbox = await self.site.get(f"/users/{person.name}/outbox?page=true")
            seen = {one for one in self.seen_by(None) if self.model.posts[int(one)].author == person.name}
            if outbox.status == 200:
                items = outbox.document["orderedItems"]
                listed = {item["id"].removesuffix("/activity").rpartition("/")[2] for item in items}
                assert listed == seen, (person, listed ^ seen)
            page = await self.site.get(f"/@{person.name}", accept="text/html")
            assert page.status == (200 if person.state < AccountState.SUSPENDED else page.status)
            hidden = {str(id_) for id_ in self.model.posts} - self.seen_by(None)
            assert not [id_ for id_ in hidden if f"<p>{id_}</p>".encode() in page.body], person
        for id_, post in self.model.posts.items():
            if not self.model.people[post.author].domain:
                page = await self.site.get(f"/@{post.author}/{id_}", accept="text/html")
                if not self.model.may_see(None, post):
                    assert page.status in (403, 404, 410), post
                    assert f"<p>{id_}</p>".encode() not in page.body


def ids_within(found: Any, posts: dict[int, Post]) -> Iterator[str]:
    """The ids of all statuses of which an answer shows the text."""
    if isinstance(found, list):
        for one in found:
            yield from ids_within(one, posts)
    elif isinstance(found, dict):
        if "content" in found and str(found.get("id", "")).isdigit() and int(found["id"]) in posts:
            yield found["id"]
        for one in found.values():
            yield from ids_within(one, posts)


@pytest.mark.parametrize("seed", range(3))
def test_every_way_to_a_status_agrees(migrated_database_url: str, seed: int) -> None:
    async def run() -> None:
        modules = ("statuses", "accounts", "timelines", "lists", "quotes")
        async with open_world(migrated_database_url, *modules) as world, open_site(migrated_database_url) as site:
            model = await Maker(world, site, seed).make()
            assert BASE and {post.word for post in model.posts.values()} == set(WORDS)
            await Looker(world, site, model).look()

    asyncio.run(run())
