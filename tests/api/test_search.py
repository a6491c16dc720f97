import random
from typing import Any

import pytest

from contract import assert_returns
from phiomia.domain.search.index import index_account, index_status, unindex_status
from phiomia.domain.search.jobs import (
    IndexStatus,
    IndexStatusesOf,
    note_interest,
    run_index_status,
    run_index_statuses_of,
)
from phiomia.domain.search.parse import parse
from phiomia.domain.search.words import split_words
from phiomia.platform.clock import DAY, iso_day, now_ms
from phiomia.platform.ids import new_id
from world import BASE, Account, World, story

SEARCH = "GET /api/v2/search"


async def say(world: World, who: Account, text: str, **more: Any) -> str:
    """The id of an indexed status; `more` are columns, `mentions` and `tags`."""
    mentions, tags = more.pop("mentions", []), more.pop("tags", [])
    id_ = new_id(more.pop("at", None))
    row = {"id": id_, "account_id": who.id, "conversation_id": id_, "source": text, "created_at": 0, **more}
    columns = ", ".join(row)
    await world.execute(f"INSERT INTO statuses ({columns}) VALUES ({', '.join(f':{name}' for name in row)})", **row)
    for other in mentions:
        await world.execute(
            "INSERT INTO status_mentions (status_id, account_id) VALUES (:id, :other)", id=id_, other=other.id
        )
    for tag_id in tags:
        await world.execute("INSERT INTO status_tags (tag_id, status_id) VALUES (:tag, :id)", tag=tag_id, id=id_)
    await world.write(lambda session: index_status(session, id_))
    return str(id_)


async def find(world: World, who: Account, q: str, **more: Any) -> list[str]:
    """Ids of the statuses found."""
    found = await world.client.check(SEARCH, who, query={"q": q, "type": "statuses", **more})
    assert found["accounts"] == [] and found["hashtags"] == []
    return [status["id"] for status in found["statuses"]]


async def find_accounts(world: World, who: Account | None, q: str, **more: Any) -> list[str]:
    """Handles of the accounts found."""
    found = await world.client.check(SEARCH, who, query={"q": q, "type": "accounts", **more})
    return [account["acct"] for account in found["accounts"]]


async def open_to_all(world: World, *who: Account) -> None:
    for one in who:
        await world.execute("UPDATE accounts SET indexable = true, rev = rev + 1 WHERE id = :id", id=one.id)


async def introduce(world: World, *who: Account) -> None:
    for one in who:
        await world.write(lambda session, one=one: index_account(session, one.id))


@story("search")
async def test_who_finds_what(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await open_to_all(world, alice)
    open_ = await say(world, alice, "An open cat")
    quiet = await say(world, alice, "A quiet cat", visibility=1)
    direct = await say(world, alice, "A secret cat", visibility=3, mentions=[bob])
    private = await say(world, bob, "A private cat", visibility=2)
    closed = await say(world, bob, "A cat of somebody who wants not to be found")
    assert await find(world, alice, "cat") == [direct, quiet, open_]
    assert await find(world, bob, "cat") == [closed, private, direct, open_]
    assert await find(world, carol, "cat") == [open_]
    # Interest makes it findable, but nothing that may not be seen.
    for table, status in (("favourites", closed), ("bookmarks", private)):
        await world.execute(
            f"INSERT INTO {table} (id, account_id, status_id, created_at) VALUES (:id, :who, :status, 0)",
            id=new_id(),
            who=carol.id,
            status=int(status),
        )
        await world.write(lambda session, status=status: note_interest(session, int(status), carol.id))
        await run_index_status(world, IndexStatus(int(status)))  # type: ignore[arg-type]
    far = await world.account("far", domain="far.example")
    await world.write(lambda session: note_interest(session, int(open_), far.id))
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'search.index_status'") == 2
    assert await find(world, carol, "cat") == [closed, open_]
    assert await find(world, carol, "cat in:library") == [closed]
    assert await find(world, carol, "cat in:public") == [open_]
    boost = new_id()
    await world.execute(
        "INSERT INTO statuses (id, account_id, conversation_id, reblog_of_id, created_at) "
        "VALUES (:id, :who, 1, :of, 0)",
        id=boost,
        who=carol.id,
        of=int(quiet),
    )
    await world.write(lambda session: index_status(session, boost))
    await world.write(lambda session: index_status(session, int(quiet)))
    assert await find(world, carol, "cat") == [closed, quiet, open_]
    # Blocks, mutes and moderation.
    await world.execute(
        "INSERT INTO mutes (id, account_id, target_id, created_at) VALUES (1, :carol, :alice, 0)",
        carol=carol.id,
        alice=alice.id,
    )
    assert await find(world, carol, "cat") == [closed]
    await world.execute("UPDATE accounts SET state = 1 WHERE id = :id", id=bob.id)
    assert await find(world, carol, "cat") == [] and closed in await find(world, bob, "cat")
    await world.execute("UPDATE accounts SET state = 2 WHERE id = :id", id=alice.id)
    assert await find(world, bob, "cat") == [closed, private]
    await world.write(lambda session: unindex_status(session, int(closed)))
    assert await find(world, bob, "cat") == [private]


@story("search")
async def test_the_language_of_queries(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await open_to_all(world, alice, bob)
    one = await say(world, alice, "The quick brown fox", language="en", at=now_ms() - 10 * DAY)
    two = await say(world, bob, "Brown quick: the other fox!", in_reply_to_id=int(one), language="pt-BR")
    three = await say(world, alice, "Über den Fuchs, 東京都に行く, foo_bar-baz", spoiler_text="Spoiler", sensitive=True)
    four = await say(world, alice, "See https://example.org/fox", media_count=0)
    asks: dict[str, list[str]] = {
        "fox": [four, two, one],
        "FOX quick": [two, one],
        '"quick brown"': [one],
        '"quick brown': [one],
        "fox -other": [four, one],
        'fox -"quick brown"': [four, two],
        "uber": [three],
        "ÜBER": [three],
        "spoiler": [three],
        "東京": [three],
        "京都に": [three],
        "東都": [],
        "foo_bar": [three],
        "bar baz": [three],
        "from:alice fox": [four, one],
        "from:@alice@phiomia.example fox": [four, one],
        "from:me": [four, three, one],
        "-from:me fox": [two],
        "from:nobody fox": [],
        "has:link": [four],
        "has:media fox": [],
        "is:reply": [two],
        "is:sensitive": [three],
        "language:pt": [two],
        "language:pt-br": [two],
        "language:en fox": [one],
        f"fox before:{day(-5)}": [one],
        f"fox after:{day(-5)}": [four, two],
        f"fox during:{day(-10)}": [one],
        "fox before:yesterday": [],
        "-fox": [three],
        "fox -fox": [],
        "...": [],
        "nothing": [],
    }
    for query, expected in asks.items():
        assert await find(world, alice, query) == expected, query
    assert await find(world, alice, "fox", account_id=bob.id) == [two]
    assert await find(world, alice, "fox", max_id=four) == [two, one]
    assert await find(world, alice, "fox", min_id=one) == [four, two]
    assert await find(world, alice, "fox", limit=1, offset=1) == [two]


def day(back: int) -> str:
    return iso_day(now_ms() + back * DAY)


@story("search")
async def test_what_else_is_searched(world: World) -> None:
    alice = await world.account("alice")
    picture = await world.picture(alice, description="A photographed zebra")
    status = await say(world, alice, "Look", media_count=1, poll_id=7)
    await world.execute("UPDATE media SET status_id = :status WHERE id = :id", status=int(status), id=picture)
    await world.execute(
        "INSERT INTO polls (id, status_id, account_id) VALUES (7, :status, :who)", status=int(status), who=alice.id
    )
    await world.execute("INSERT INTO poll_options (poll_id, position, title) VALUES (7, 0, 'Striped')")
    remote = await say(world, alice, "", local=False, content="<p>Hello <b>gnu</b>s</p><p>world</p>")
    await world.write(lambda session: index_status(session, int(status)))
    for query in ("zebra", "striped", "has:media", "has:image", "has:poll", "look zebra"):
        assert await find(world, alice, query) == [status], query
    assert await find(world, alice, "gnus world") == [remote]
    assert await find(world, alice, "has:video") == []


@story("search")
async def test_nothing_is_a_syntax_error(world: World) -> None:
    alice = await world.account("alice")
    chance = random.Random(1)
    pieces = [
        '"', "'", "*", "(", ")", "-", "+", "AND", "OR", "NOT", "NEAR(", "^", ":", "body:", "{", "}", "\\", "&", "|",
        "!", "<->", ":*", "fox", "from:", "has:", "is:", "before:", "in:library", "a",
        "\ue000p", "%", "_", "é", "東", "\u0301",
        "'fox':1", "#", "@", "@a@b", "before:2024-02-30", "language:x", "\u200d", "🦊", "İ", "ß",
    ]  # fmt: skip
    for _ in range(60):
        query = "".join(chance.choice(pieces) + chance.choice(["", " "]) for _ in range(chance.randint(1, 9)))
        if query.strip():
            answer = await world.client.get("/api/v2/search", alice, q=query)
            assert answer.status == 200, query
    assert parse("a" * 10_000).wanted == (("a" * 64,),)
    assert len(parse("a " * 500).wanted) <= 20


@story("search")
async def test_accounts(world: World) -> None:
    viewer = await world.account("viewer")
    names = ("al", "alice", "alicia", "bob", "Alfred_Quiet", "malice")
    people = {name: await world.account(name) for name in names}
    far = await world.account("alice", domain="far.example")
    await introduce(world, *people.values(), far)
    assert await find_accounts(world, viewer, "al") == ["al", "alice", "alicia", "Alfred_Quiet", "alice@far.example"]
    assert (await find_accounts(world, viewer, "alice"))[:2] == ["alice", "alice@far.example"]
    assert await find_accounts(world, viewer, "@alice@far.example") == ["alice@far.example"]
    assert await find_accounts(world, viewer, "@alice@phiomia.example") == ["alice"]
    assert await find_accounts(world, viewer, "alice far") == ["alice@far.example"]
    assert await find_accounts(world, viewer, "alfred_q") == ["Alfred_Quiet"]
    assert await find_accounts(world, viewer, "nobody") == []
    await world.execute(
        "INSERT INTO follows (id, account_id, target_id, created_at) VALUES (1, :viewer, :far, 0)",
        viewer=viewer.id,
        far=far.id,
    )
    assert (await find_accounts(world, viewer, "al"))[:2] == ["al", "alice@far.example"]
    assert await find_accounts(world, viewer, "al", following=True) == ["alice@far.example"]
    assert await find_accounts(world, viewer, "al", limit=1, offset=1) == ["alice@far.example"]
    found = await world.client.check("GET /api/v1/accounts/search", viewer, query={"q": "al", "limit": 2})
    assert [account["acct"] for account in found] == ["al", "alice@far.example"]
    await world.execute("UPDATE accounts SET display_name = 'Königin', rev = rev + 1 WHERE id = :id", id=far.id)
    await introduce(world, far)
    assert await find_accounts(world, viewer, "konig") == ["alice@far.example"]
    # Those who are suspended, or not let in yet, are not shown.
    await world.execute("UPDATE accounts SET state = 2, rev = rev + 1 WHERE id = :id", id=people["alice"].id)
    await world.execute("UPDATE users SET approved_at = NULL WHERE id = :id", id=people["alicia"].user_id)
    assert await find_accounts(world, viewer, "alic") == ["alice@far.example"]
    assert await find_accounts(world, viewer, "alicia") == []


@story("search")
async def test_hashtags(world: World) -> None:
    alice = await world.account("alice")
    for id_, name, used in ((1, "cat", 5), (2, "cats", 9), (3, "catalonia", 7), (4, "dog", 1), (5, "ćwikła", 1)):
        await world.execute(
            "INSERT INTO tags (id, name, display_name, created_at, last_used_at) VALUES (:id, :name, :shown, 0, :used)",
            id=id_,
            name=name,
            shown=name.title(),
            used=used,
        )
    await say(world, alice, "#cat", tags=[1])
    await say(world, alice, "#cat", tags=[1], at=now_ms() - 2 * DAY)
    await say(world, alice, "#cat", tags=[1], visibility=2)
    found = await world.client.check(SEARCH, alice, query={"q": "#CAT", "type": "hashtags"})
    assert [tag["name"] for tag in found["hashtags"]] == ["Cat", "Cats", "Catalonia"]
    assert found["hashtags"][0]["url"] == f"{BASE}/tags/cat" and found["hashtags"][0]["following"] is False
    found = await world.client.check(SEARCH, None, query={"q": "cat", "limit": 1})
    assert [tag["name"] for tag in found["hashtags"]] == ["Cat"] and "following" not in found["hashtags"][0]
    await world.execute("INSERT INTO tag_follows (account_id, tag_id, created_at) VALUES (:id, 1, 0)", id=alice.id)
    tag = (await world.client.get("/api/v1/tags/Cat", alice)).json
    assert_returns("GET /api/v1/tags/:name", tag)
    assert tag["following"] is True
    assert [(one["uses"], one["accounts"]) for one in tag["history"][:4]] == [
        ("1", "1"),
        ("0", "0"),
        ("1", "1"),
        ("0", "0"),
    ]
    assert len(tag["history"]) == 7
    unused = (await world.client.get("/api/v1/tags/unheardof")).json
    assert_returns("GET /api/v1/tags/:name", unused)
    assert unused["name"] == "unheardof" and unused["history"][0]["uses"] == "0"
    assert (await world.client.get("/api/v1/tags/123")).status == 404


@story("search")
async def test_everything_at_once_and_who_may_ask(world: World) -> None:
    alice = await world.account("alice")
    await introduce(world, alice)
    status = await say(world, alice, "alice was here")
    found = await world.client.check(SEARCH, alice, query={"q": "alice"})
    assert [one["id"] for one in found["accounts"]] == [str(alice.id)]
    assert [one["id"] for one in found["statuses"]] == [status]
    found = await world.client.check(SEARCH, None, query={"q": "alice"})
    assert len(found["accounts"]) == 1 and found["statuses"] == []
    get = world.client.get
    assert (await get("/api/v2/search", None, q="alice", offset=1)).status == 401
    assert (await get("/api/v2/search", None, q="alice", resolve=True)).status == 401
    assert (await get("/api/v2/search", alice, q="alice", resolve=True)).status == 200
    assert (await get("/api/v2/search", alice, q=" ")).status == 400
    assert (await get("/api/v2/search", alice)).status == 400
    assert (await get("/api/v2/search", alice, q="alice", limit=-1)).status == 400
    assert (await get("/api/v2/search", alice, q="alice", type="x")).status == 422
    assert (await get("/api/v1/accounts/search", None, q="alice")).status == 401


@story("search")
async def test_addresses(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    far = await world.account("far", domain="far.example")
    status = await say(world, alice, "hello")
    secret = await say(world, alice, "hello", visibility=3)
    remote = await say(world, far, "", local=False, uri="https://far.example/s/1", content="hi")

    async def ask(q: str) -> tuple[list[str], list[str]]:
        found = await world.client.check(SEARCH, bob, query={"q": q, "resolve": True})
        return [one["acct"] for one in found["accounts"]], [one["id"] for one in found["statuses"]]

    assert await ask(f"{BASE}/@alice") == (["alice"], [])
    assert await ask(f"{BASE}/users/alice") == (["alice"], [])
    assert await ask(f"{BASE}/@alice/{status}") == ([], [status])
    assert await ask(f"{BASE}/users/alice/statuses/{status}") == ([], [status])
    assert await ask(f"{BASE}/@alice/{secret}") == ([], [])
    assert await ask(f"{BASE}/@alice/99999999999999999999") == ([], [])
    assert await ask("https://far.example/s/1") == ([], [remote])
    assert await ask("https://far.example/users/far") == (["far@far.example"], [])
    assert await ask("https://else.example/1") == ([], [])


@story("search")
async def test_a_change_of_mind_about_being_found(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    ids = [await say(world, alice, f"cat {number}") for number in range(3)]
    assert await find(world, bob, "cat") == []
    await open_to_all(world, alice)
    await run_index_statuses_of(world, IndexStatusesOf(alice.id))  # type: ignore[arg-type]
    assert await find(world, bob, "cat") == ids[::-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("Ünïcödé naïve ﬁne", ["unicode", "naive", "fine"]),
        ("straße Øl łódź", ["strasse", "ol", "lodz"]),
        ("й и", ["й", "и"]),
        ("東京 ab漢c", ["東", "京", "ab", "漢", "c"]),
        ("हिन्दी", ["हिन्दी"]),
        ("it's a_b", ["it", "s", "a", "b"]),
        ("\ue000p 🦊", ["p"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words
