"""Each page of a list is asked for with few statements, however long it is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import apsw
import pytest

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.routes import load_endpoints
from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.moderation.announcements import NewAnnouncement, announce
from phiomia.domain.oauth import bearers
from phiomia.domain.statuses.lacking import LACKING
from phiomia.entities.filtered import Filtering
from world import BASE, Account, World, story

load_endpoints()
MODULES = sorted({one.handler.__module__.rpartition(".")[2] for one in ENDPOINTS})
LISTS = sorted(
    {
        one.path
        for one in ENDPOINTS
        if one.method == "GET"
        and (one.paginated or one.returns.startswith("array<"))
        and one.path.startswith("/api/")
        # There is nothing before a page of another server was fetched; tests/api/test_cards.py has such pages.
        and one.path != "/api/v1/timelines/link"
    }
)
PAGE = 5
_CARD = (
    "INSERT INTO cards (id, url, state, kind, title, author_id, created_at)"
    " VALUES (1, 'https://news.example/', 1, 0, 'News', :author, 0)"
)
ASKED = ("all", "one", "value", "column", "views")
# A page is three round trips, whatever the process remembers.
MOST = 3
RAISE = "UPDATE {} SET rev = rev + 1"
# Of about half of them, so that some are in memory as they stand and others are not.
CHANGES = (
    "UPDATE statuses SET content = content || '!', rev = rev + 1 WHERE (id / 65536) % 2 = :half",
    "UPDATE accounts SET display_name = username || rev, rev = rev + 1 WHERE (id / 65536) % 2 = :half",
)
SEARCHES: tuple[dict[str, Any], ...] = (
    {"q": "friend"},
    {"q": "friend from:friend1"},
    {"q": "friend from:@friend1@phiomia.example -from:bob -from:nobody"},
    {"q": "friend", "type": "statuses"},
    {"q": "friend", "type": "accounts"},
    {"q": "#friend", "type": "hashtags"},
    {"q": "#friend1"},
    {"q": "@friend1"},
)
# What stays empty here, for it takes a worker, another server, or somebody who runs this one.
RANKED, OTHERS, RUN = "ranked by a worker", "from other servers", "set up by those who run the server"
EMPTY = {
    "/api/v1/accounts/:id/identity_proofs": "nobody has any",
    "/api/v1/custom_emojis": RUN,
    "/api/v1/instance/domain_blocks": RUN,
    "/api/v1/instance/peers": OTHERS,
    "/api/v1/instance/rules": RUN,
    "/api/v1/peers/search": OTHERS,
    "/api/v1/statuses/:id/history": "a status that was not edited has one version",
    "/api/v1/suggestions": RANKED,
    "/api/v2/suggestions": RANKED,
    "/api/v1/trends": RANKED,
    "/api/v1/trends/links": RANKED,
    "/api/v1/trends/statuses": RANKED,
    "/api/v1/trends/tags": RANKED,
}


@pytest.fixture(autouse=True)
def tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one that is looked up anew, after some seconds, would count with the page that happens to be asked for."""
    monkeypatch.setattr(bearers, "_KEEP_SECONDS", 3_600.0)


class Counted:
    """A session that counts what it is asked."""

    def __init__(self, session: Any, count: Callable[[], None]) -> None:
        self._session, self._count = session, count

    def __getattr__(self, name: str) -> Any:
        if name in ASKED:
            self._count()
        return getattr(self._session, name)


class Counter:
    """Stands before the database of a world and counts the statements that read."""

    def __init__(self, world: World) -> None:
        self.statements = 0
        database: Any = world.db
        self._read, self._scan = database.read, database.scan
        database.read, database.scan = self.read, self.scan

    def count(self) -> None:
        """One more."""
        self.statements += 1

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        """A session as the database lends it, but counted."""
        async with self._read() as session:
            yield Counted(session, self.count)

    async def scan(self, ask: Callable[[Any], Awaitable[Any]], *more: float) -> Any:
        """The same for what looks through tables."""

        def counted(session: Any) -> Awaitable[Any]:
            # On PostgreSQL it is lent by `read`.
            return ask(session if isinstance(session, Counted) else Counted(session, self.count))

        return await self._scan(counted, *more)


class Town:
    """Alice, who has five of everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.paths: dict[str, str] = {}

    async def act(self, endpoint: str, who: Account, **sent: Any) -> Any:
        """What the server answers to something that must succeed."""
        method, _, path = endpoint.partition(" ")
        answer = await self.world.client.request(method, path, who, json=sent or None)
        assert answer.status == 200, f"{endpoint}: {answer.body!r}"
        return answer.json

    async def build(self) -> None:
        """Makes it all."""
        world, act = self.world, self.act
        self.alice, self.bob = await world.account("alice"), await world.account("bob")
        alice, bob = self.alice, self.bob
        await act("PATCH /api/v1/accounts/update_credentials", alice, locked=True, discoverable=True)
        await act(f"POST /api/v1/accounts/{bob.id}/follow", alice)
        crowd = [await world.account(f"friend{n}") for n in range(PAGE)]
        wanting = [await world.account(f"fan{n}") for n in range(PAGE)]
        enemies = [await world.account(f"enemy{n}") for n in range(2 * PAGE)]
        self.post = (await act("POST /api/v1/statuses", bob, status="Say something", quote_approval_policy="public"))[
            "id"
        ]
        listed = (await act("POST /api/v1/lists", alice, title="Some"))["id"]
        self.friends, self.posts = [one.id for one in crowd], [self.post]
        own = (await act("POST /api/v1/statuses", alice, status="Mine", quote_approval_policy="public"))["id"]
        polled = await act(
            "POST /api/v1/statuses",
            bob,
            status="Which?",
            quote_approval_policy="public",
            poll={"options": ["a", "b"], "expires_in": 600},
        )
        await world.execute(_CARD, author=bob.id)
        await act("PATCH /api/v2/notifications/policy", alice, for_private_mentions="filter")
        for n, friend in enumerate(crowd):
            await act("PATCH /api/v1/accounts/update_credentials", friend, discoverable=True, note=f"#tag{n}")
            await act(f"POST /api/v1/accounts/{friend.id}/follow", alice)
            await act(f"POST /api/v1/accounts/{friend.id}/follow", bob)
            await act(f"POST /api/v1/accounts/{bob.id}/follow", friend)
            await act(f"POST /api/v1/accounts/{alice.id}/follow", friend)
            await act(f"POST /api/v1/follow_requests/{friend.id}/authorize", alice)
            await act(f"POST /api/v1/accounts/{friend.id}/endorse", alice)
            await act(f"POST /api/v1/accounts/{wanting[n].id}/follow", friend)
            await act(f"POST /api/v1/lists/{listed}/accounts", alice, account_ids=[str(friend.id)])
            await act(f"POST /api/v1/statuses/{own}/favourite", friend)
            await act(f"POST /api/v1/statuses/{own}/reblog", friend)
            await act("POST /api/v1/statuses", friend, status="Look", quoted_status_id=own)
            said = await act("POST /api/v1/statuses", friend, status=f"@alice @bob #tag{n} #shared", in_reply_to_id=own)
            self.posts.append(said["id"])
            # One that has all of what is apart.
            rich = await act(
                "POST /api/v1/statuses",
                friend,
                status=f"@alice all at once, friend #tag{n} #shared",
                in_reply_to_id=own,
                quoted_status_id=polled["id"],
                quote_approval_policy="followers",
            )
            await world.execute("UPDATE statuses SET card_id = 1, rev = rev + 1 WHERE id = :id", id=int(rich["id"]))
            self.posts.append(rich["id"])
            await act(f"POST /api/v1/statuses/{rich['id']}/favourite", alice)
            await act(f"POST /api/v1/statuses/{rich['id']}/bookmark", alice)
            await act(f"POST /api/v1/statuses/{rich['id']}/favourite", bob)
            await act(f"POST /api/v1/statuses/{said['id']}/favourite", alice)
            await act(f"POST /api/v1/statuses/{said['id']}/bookmark", alice)
            await act(f"POST /api/v1/statuses/{said['id']}/reblog", alice)
            await act("POST /api/v1/statuses", friend, status="@alice psst", visibility="direct")
            await act("POST /api/v1/statuses", wanting[n], status="@alice psst", visibility="direct")
            await act(f"POST /api/v1/accounts/{alice.id}/follow", wanting[n])
            await act(f"POST /api/v1/accounts/{enemies[n].id}/block", alice)
            await act(f"POST /api/v1/accounts/{enemies[PAGE + n].id}/mute", alice)
            await act("POST /api/v1/domain_blocks", alice, domain=f"far{n}.example")
            await act(f"POST /api/v1/tags/tag{n}/follow", alice)
            await act("POST /api/v1/featured_tags", alice, name=f"tag{n}")
            await act("POST /api/v1/featured_tags", bob, name=f"tag{n}")
            await act(f"POST /api/v1/accounts/{friend.id}/endorse", bob)
            await act("POST /api/v1/statuses", bob, status=f"Number {n}")
            of_all = (await act("POST /api/v1/lists", alice, title=f"List {n}"))["id"]
            await act(f"POST /api/v1/lists/{of_all}/accounts", alice, account_ids=[str(bob.id)])
            await act(
                "POST /api/v1/statuses",
                alice,
                status=f"A friend: #tag{n} #other{n} #friend{n}",
                poll={"options": ["a", "b"], "expires_in": 600},
            )
            await act("POST /api/v1/statuses", alice, status="later", scheduled_at="2999-01-01T00:00:00Z")
            given = {"name": f"Good {n}", "discoverable": True, "account_ids": [str(friend.id)]}
            await act("POST /api/v1/collections", alice, **given)
            await act("POST /api/v1/collections", bob, **given | {"account_ids": [str(alice.id)]})
            words = [{"keyword": f"word{n}"}, {"keyword": f"other{n}"}]
            unwanted = {"title": f"x{n}", "context": ["home"], "keywords_attributes": words}
            filtered = await act("POST /api/v2/filters", alice, **unwanted)
            await act(f"POST /api/v2/filters/{filtered['id']}/statuses", alice, status_id=said["id"])
            await act(f"POST /api/v2/filters/{filtered['id']}/statuses", alice, status_id=own)
            await world.write(partial(announce, new=NewAnnouncement(f"#tag{n}"), base=BASE))
        groups = await world.client.get("/api/v2/notifications", alice)
        group = next(one["group_key"] for one in groups.json["notification_groups"] if one["type"] == "favourite")
        self.ids = {
            "accounts": bob.id, "statuses": own, "lists": listed, "list": listed, "tag": "shared",
            "filters": filtered["id"], "notifications": group,
        }  # fmt: skip

    def path(self, template: str) -> str:
        """The path with what its parameter stands for."""
        if ":" not in template:
            return template
        if template.endswith("/in_collections"):  # which only oneself may ask
            return template.replace(":id", str(self.alice.id))
        before = template.partition("/:")[0].rpartition("/")[2]
        return re.sub(r":\w+", str(self.ids[before]), template)

    def query(self, template: str) -> dict[str, Any]:
        """What has to be asked besides."""
        everybody = [self.alice.id, self.bob.id, *self.friends]
        queries: dict[str, dict[str, Any]] = {
            "/api/v1/accounts": {"id": everybody},
            "/api/v1/accounts/familiar_followers": {"id": everybody},
            "/api/v1/accounts/relationships": {"id": everybody},
            "/api/v1/accounts/search": {"q": "friend"},
            "/api/v1/statuses": {"id": self.posts},
            "/api/v2/search": {"q": "friend"},
            "/api/v1/peers/search": {"q": "far"},
        }
        return queries.get(template, {})


def _length(answer: Any) -> int:
    if isinstance(answer, list):
        return len(answer)
    return max(len(value) for value in answer.values() if isinstance(value, list))


class Forgetful:
    """Asks as a viewer, each time of a process that remembers less than it might."""

    def __init__(self, world: World, who: Account) -> None:
        self._world, self._who, self._counter = world, who, Counter(world)

    async def count(self, path: str, query: dict[str, Any]) -> tuple[Any, dict[str, int]]:
        """What the server answers, and how many statements it takes, by what has been lost before."""
        losses = {"nothing": self._nothing, "fragments": self._fragments, "filters": self._filters, "both": self._both}
        counts = {}
        await self._filters()
        for name, lose in (losses | {"revisions": self._revisions}).items():
            await self._world.client.get(path, self._who, **query)  # so that what is kept in memory is there
            await lose()
            self._counter.statements = 0
            answer = await self._world.client.get(path, self._who, **query)
            counts[name] = self._counter.statements
        return answer, counts

    async def compare(self, path: str, query: dict[str, Any], half: int) -> bool:
        """Whether a process that remembers what has changed since answers as one that remembers nothing."""
        await self._world.client.get(path, self._who, **query)
        for change in CHANGES:
            await self._world.execute(change, half=half)
        remembered = await self._world.client.get(path, self._who, **query)
        await self._both()
        return bool(remembered.body == (await self._world.client.get(path, self._who, **query)).body)

    async def _nothing(self) -> None:
        return

    async def _fragments(self) -> None:
        self._world.api.fragments.clear()

    async def _filters(self) -> None:
        # As in a server, where filters are kept until the bus says that they have changed.
        self._world.api.fragments.filtering = Filtering(KnownFilters(self._world.api.bus))

    async def _both(self) -> None:
        await self._fragments()
        await self._filters()

    async def _revisions(self) -> None:
        for table in ("statuses", "accounts"):
            await self._world.execute(RAISE.format(table))


@story(*MODULES, effects=True)
async def test_a_page_is_few_statements(world: World) -> None:
    town = Town(world)
    await town.build()
    forgetful = Forgetful(world, town.alice)
    faults, empty = [], []
    for template in LISTS:
        path, query = town.path(template), town.query(template)
        short = {name: value[:1] if isinstance(value, list) else value for name, value in query.items()}
        counts, lengths = [], []
        for asked in (short | {"limit": 1}, query | {"limit": 40}):
            answer, counted = await forgetful.count(path, asked)
            if answer.status != 200:
                faults.append(f"{path}: {answer.status} {answer.body!r:.200}")
                break
            counts.append(counted["nothing"])
            lengths.append(_length(answer.json))
            if max(counted.values()) > MOST:
                faults.append(f"{template}: {counted} statements for {lengths[-1]}, {MOST} at most")
        else:
            if lengths[1] < 2:
                empty.append(template)
            # A longer page may show more kinds of things, but never takes more for each of them.
            if counts[1] > counts[0] and lengths[1] < 2 * counts[1]:
                faults.append(f"{template}: {counts} statements for {lengths}")
    assert faults == [], "\n".join(faults)
    assert sorted(empty) == sorted(EMPTY)


@story(*MODULES, effects=True)
async def test_a_page_shows_what_has_changed_since_it_was_remembered(world: World) -> None:
    town = Town(world)
    await town.build()
    forgetful = Forgetful(world, town.alice)
    pages = [(town.path(one), town.query(one)) for one in LISTS] + [("/api/v2/search", query) for query in SEARCHES]
    stale = [path for path, query in pages for half in (0, 1) if not await forgetful.compare(path, query, half)]
    assert stale == []


def test_the_longest_statement_stays_prepared() -> None:
    most = apsw.Connection(":memory:").cache_stats()["max_cacheable_bytes"]
    assert len(LACKING.text("sqlite").encode()) < most


@story(*MODULES, effects=True)
async def test_a_search_is_few_statements_whatever_is_sought(world: World) -> None:
    town = Town(world)
    await town.build()
    forgetful = Forgetful(world, town.alice)
    for query in (*SEARCHES, {"q": f"{BASE}/@bob"}, {"q": f"{BASE}/@bob/{town.post}"}):
        answer, counted = await forgetful.count("/api/v2/search", query)
        assert _length(answer.json) > 0, query
        assert max(counted.values()) <= MOST, f"{query}: {counted}"
    everything = (await world.client.get("/api/v2/search", town.alice, q="friend")).json
    assert all(len(found) >= PAGE for found in everything.values())
