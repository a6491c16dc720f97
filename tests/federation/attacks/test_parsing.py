"""Attacks on what reads: broken, deep, endless and enormous documents cost little and change nothing."""

from __future__ import annotations

import importlib
import json
import random
import re
import time
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import phiomia
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.domain.statuses.replies import FindReplies
from phiomia.federation.inbox.context import Activity, Unresolved
from phiomia.federation.inbox.dispatch import HANDLERS, dispatch
from phiomia.federation.inbox.quote_jobs import CheckQuote
from phiomia.federation.inbox.quotes import run_check_quote
from phiomia.federation.inbox.receive import _read
from phiomia.federation.inbox.threads import FindMentions, FindParent, find_replies, run_find_mentions, run_find_parent
from phiomia.federation.parse.values import address, id_of, types
from phiomia.platform.db import Query
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.limits import REPLIES_WITH_STATUS, THREAD_DEPTH, UNKNOWN_MENTIONS
from world import World, story

from ..far import Far, Json, activity, note
from ..receiving import INBOX, Here, receiving
from ..test_examples import names, read
from .ground import look

ROOT = Path(phiomia.__file__).parent
DEEP, WIDE = 10_000, 200_000
# In numbers of their own: limits that are raised by mistake shall be noticed.
MOST_STEPS, MOST_PAGES, MOST_QUOTES = 110, 5, 4
_JOBS = Query.raw(sqlite="SELECT id, type, args FROM jobs ORDER BY id")


@receiving
async def test_broken_json_is_refused_and_odd_json_does_no_harm(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    await here.world.account("bob")
    like = json.dumps(alice.activity("Like", "https://phiomia.example/users/bob/statuses/1"))[:-1]
    assert (await here.deliver(alice.sign_post(INBOX, like.encode() + b"}"))).status_code == 202
    await here.work()
    before = await look(here)
    nested = '{"a":' * 500 + "1" + "}" * 500
    refused = [
        b"[" * DEEP + b"]" * DEEP,
        f'{like}, "x": {"[" * DEEP}{"]" * DEEP}}}'.encode(),
        f'{like}, "x": {nested}}}'.encode(),
        f'{like}, "x": NaN}}'.encode(),
        f'{like}, "x": Infinity}}'.encode(),
        f'{like}, "x": "\\ud800"}}'.encode(),
        f'{like}, "x": "'.encode() + b'\xed\xa0\x80"}',
        f'{like}, "x": "\0"}}'.encode(),
        f"{like}}}".encode("utf-16"),
        b"\xef\xbb\xbf" + f"{like}}}".encode(),
        f"[{like}}}]".encode(),
        f"{like}}} {{}}".encode(),
    ]
    for body in refused:
        assert (await here.deliver(alice.sign_post(INBOX, body))).status_code == 400, body[-60:]
    assert (await here.deliver(alice.sign_post(INBOX, f'{like}, "x": "{"a" * 2**21}"}}'.encode()))).status_code == 413
    odd = [
        f'{like}, "x": [{",".join(["1"] * WIDE)}]}}'.encode(),
        f'{like}, "x": 1e400}}'.encode(),
        f'{like}, "x": {"9" * 4_000}}}'.encode(),
        f'{like}, "x": "\\u0000", "type": "\\u0000"}}'.encode(),
        f'{like}, "type": "Flag", "content": "\\u0000", "type": "Dislike"}}'.encode(),
        f'{like}, "id": "https://far.example/{"a" * 5_000}"}}'.encode(),
    ]
    for body in odd:
        assert (await here.deliver(alice.sign_post(INBOX, body))).status_code in (202, 400), body[:80]
        await here.work()
    assert await look(here) == before


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


JUNK: list[Any] = [
    *(None, True, False, -1, 2**70, 1.5, "", "x", "\0", "\u202e", "a" * 5_000, [], {}, [None], [[[]]], [{}]),
    *({"id": 5}, {"type": []}, ["x"] * 300, {"id": "https://far.example/x"}, "https://evil.example/users/eve"),
    *({"type": "Note", "content": {"a": 1}}, "9999-99-99T00:00:00Z", {"@value": "x"}),
]


def mutate(document: Json, chance: random.Random) -> Json:
    """The document with wrong things in some places."""
    changed: Json = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 3)):
        where = chance.choice(list(places(changed)))
        inner: Any = changed
        for key in where[:-1]:
            inner = inner[key]
        match chance.randrange(4):
            case 0 if isinstance(inner, dict):
                del inner[where[-1]]
            case 1:
                inner[where[-1]] = [inner[where[-1]], deepcopy(chance.choice(JUNK))]
            case _:
                inner[where[-1]] = deepcopy(chance.choice(JUNK))
    return changed


@story(effects=True)
async def test_mutated_documents_of_others_change_nothing_of_anybody_else(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora, eve = await far.actor(), await far.actor("eve", "evil.example")
    await far.befriend(alice, dora)
    own = await world.write(lambda session: create_status(session, StatusDraft(alice.id, "<p>Hi</p>", source="Hi")))
    await far.receive(activity("Create", dora, note(dora)), dora)
    chance = random.Random(18)
    documents = [read(name) for name in names("") if "signature" not in read(name)]
    acting = [one for one in documents if types(one) & HANDLERS.keys()]
    assert len(acting) > 60
    kept = (
        "SELECT id, account_id, content, visibility FROM statuses WHERE account_id <> :eve ORDER BY id",
        "SELECT id, username, display_name, state, moved_to_id, public_key FROM accounts WHERE id <> :eve ORDER BY id",
        "SELECT account_id, target_id FROM follows WHERE account_id <> :eve AND target_id <> :eve ORDER BY id",
    )
    queries = [Query.raw(sqlite=one) for one in kept]

    async def see() -> list[Any]:
        async with world.db.read() as session:
            return [[tuple(row) for row in await session.all(query, eve=eve.id)] for query in queries]

    before = await see()
    for document in acting:
        text = json.dumps(document).replace("statuses/1001", f"statuses/{own}")
        named = json.loads(text.replace(id_of(document["actor"]) or "\0", dora.uri))
        for _ in range(20):
            mutated = mutate(named, chance)
            try:
                _read(json.dumps(mutated).encode())
            except ValueError:
                continue
            await _receive(far, mutated | {"actor": eve.uri}, eve)
        assert await see() == before, document


@receiving
async def test_mutated_documents_get_an_honest_answer(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    await here.world.account("bob")
    chance, answers = random.Random(40), set()
    for document in map(read, names("")):
        text = json.dumps(document)
        named = json.loads(text.replace(id_of(document.get("actor")) or "\0", alice.uri))
        for _ in range(2):
            mutated = mutate(named, chance) | {"actor": alice.uri}
            answer = await here.deliver(alice.sign_post(INBOX, mutated))
            answers.add(answer.status_code)
            assert answer.status_code == 202 or answer.json["error"], mutated
        await here.work()
    assert answers <= {202, 400, 401}


async def _receive(far: Far, document: Json, actor: Any) -> None:
    kinds = types(document) & HANDLERS.keys()
    if not kinds:
        return
    sent = Activity(address(document.get("id")), min(kinds), actor, document.get("object"), document, actor.uri)
    try:
        await dispatch(far.context, sent)
    except Unresolved:
        return


async def carry_out(far: Far, most: int) -> int:
    """Runs the jobs that find what belongs to a thread until there are none; gives their number."""
    context, done = type("Context", (), {"inbox": far.context}), 0
    runs: dict[Any, Any] = {FindParent: run_find_parent, FindMentions: run_find_mentions, CheckQuote: run_check_quote}
    kinds = {kind.TYPE: (kind, run) for kind, run in runs.items()}
    while done <= most:
        async with far.world.db.read() as session:
            rows = [tuple(row) for row in await session.all(_JOBS)]
        found = [row for row in rows if row[1] in kinds]
        if not found:
            break
        for id_, kind, args in found:
            done += 1
            await far.world.execute("DELETE FROM jobs WHERE id = :id", id=id_)
            job, run = kinds[kind]
            try:
                await run(context, json_decode(args, job))
            except Retry:
                pass
    return done


def json_decode(text: str, kind: type[Any]) -> Any:
    """A job from its row."""
    import msgspec

    return msgspec.json.decode(text, type=kind)


@story(effects=True)
async def test_threads_and_quotes_without_end_are_left_somewhere(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora = await far.actor()
    await far.befriend(alice, dora)
    chain = [note(dora, n, inReplyTo=f"{dora.uri}/statuses/{n + 1}") for n in range(1, 400)]
    far.pages |= {one["id"]: one for one in chain}
    await far.receive(activity("Create", dora, chain[0]), dora)
    assert await carry_out(far, 1_000) <= MOST_STEPS
    assert len(far.documents.asked) <= MOST_STEPS
    assert await world.value("SELECT count(*) FROM statuses") == THREAD_DEPTH + 1
    # Two that answer each other, and one that answers itself.
    pair = [
        note(dora, 500, inReplyTo=f"{dora.uri}/statuses/501"),
        note(dora, 501, inReplyTo=f"{dora.uri}/statuses/500"),
    ]
    itself = note(dora, 502, inReplyTo=f"{dora.uri}/statuses/502")
    quotes = [note(dora, n, quote=f"{dora.uri}/statuses/{n + 1}") for n in range(600, 1_100)]
    far.pages |= {one["id"]: one for one in (*pair, itself, *quotes)}
    for number, one in enumerate((*pair, itself, quotes[0])):
        asked = len(far.documents.asked)
        await far.receive(activity("Create", dora, one, 10 + number), dora)
        assert await carry_out(far, 100) <= MOST_QUOTES
        assert len(far.documents.asked) - asked <= MOST_QUOTES, one
    for number in (500, 501, 502):
        stored = await far.status(f"{dora.uri}/statuses/{number}")
        assert stored is not None
        shown = await world.client.get(f"/api/v1/statuses/{stored.id}/context", alice)
        assert shown.status in (200, 404)


@story(effects=True)
async def test_collections_without_end_are_left_somewhere(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora = await far.actor()
    await far.befriend(alice, dora)
    root = note(dora, 1)
    pages = f"{root['id']}/replies"
    await far.receive(activity("Create", dora, root), dora)
    stored = await far.status(root["id"])
    assert stored is not None

    async def asked(job: FindReplies) -> int:
        before = len(far.documents.asked)
        try:
            await find_replies(far.context, job)
        except Retry:
            pass
        return len(far.documents.asked) - before

    def page(number: int, following: int, items: list[Any]) -> Json:
        return {"id": f"{pages}/{number}", "type": "CollectionPage", "items": items, "next": f"{pages}/{following}"}

    far.pages |= {f"{pages}/{n}": page(n, n + 1, []) for n in range(1_000)}
    assert await asked(FindReplies(stored.id, url=f"{pages}/0", most=40)) <= MOST_PAGES
    far.pages[f"{pages}/0"] = page(0, 0, [root["id"], f"{pages}/0"])
    assert await asked(FindReplies(stored.id, url=f"{pages}/0", most=40)) <= MOST_PAGES
    items = [f"{dora.uri}/statuses/{n}" for n in range(100_000)]
    far.pages[f"{pages}/0"] = page(0, 1, items)
    assert (
        await asked(FindReplies(stored.id, url=f"{pages}/0", most=REPLIES_WITH_STATUS))
        <= REPLIES_WITH_STATUS + MOST_PAGES
    )
    far.pages[f"{pages}/0"] = page(
        0, 1, [{"id": one, "replies": {"first": {"items": items[:50]}}} for one in items[:50]]
    )
    assert await asked(FindReplies(stored.id, url=f"{pages}/0", most=40)) <= 40 + MOST_PAGES


@story(effects=True)
async def test_ten_thousand_tags_cost_no_more_than_some(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora = await far.actor()
    await far.befriend(alice, dora)
    people: list[Json] = [
        {"type": "Mention", "href": f"https://h{n}.example/users/x", "name": "@x"} for n in range(5_000)
    ]
    tags: list[Json] = [{"type": "Hashtag", "name": f"#tag{n}"} for n in range(5_000)]
    emojis: list[Json] = [
        {"type": "Emoji", "name": f":e{n}:", "icon": {"url": f"https://far.example/{n}"}} for n in range(5_000)
    ]
    for number, crowd in enumerate((people, tags, emojis, [*people[:300], *tags[:300], *emojis[:300]])):
        text = " ".join(one["name"] for one in crowd)
        sent = note(
            dora, 1 + number, content=text, tag=crowd, to=[one.get("href") for one in people], cc=[None] * 5_000
        )
        await far.receive(activity("Create", dora, sent, 1 + number), dora)
    for table, most in (("status_tags", 200), ("custom_emojis", 200), ("status_mentions", 0)):
        assert await world.value(f"SELECT count(*) FROM {table}") <= most, table
    asked = len(far.documents.asked)
    await carry_out(far, 100)
    assert len(far.documents.asked) - asked <= 3 * UNKNOWN_MENTIONS


class Pattern(NamedTuple):
    """A regular expression of the program, and by which of its methods it is asked."""

    pattern: re.Pattern[str]
    methods: frozenset[str]


SCANNING = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
# These read what the sanitiser gives, where each < begins a tag that ends.
OF_CLEAN_HTML = {"phiomia.entities.filtered._ELEMENT", "phiomia.platform.html._ANCHOR", "phiomia.web.shown._TAG"}


def patterns() -> dict[str, Pattern]:
    """Every regular expression that is made at import, by its name."""
    found: dict[str, Pattern] = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(("phiomia", *path.relative_to(ROOT).with_suffix("").parts))
        source = path.read_text()
        if "re.compile(" not in source or ".migrations." in name:
            continue
        for known, value in vars(importlib.import_module(name)).items():
            used = frozenset(re.findall(rf"\b{known}\.(\w+)\(", source))
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                found[f"{name}.{known}"] = Pattern(value, used)
    return found


SEEDS = (
    *(
        "a",
        " ",
        "<",
        "@",
        "#",
        ":",
        "a.",
        "a@",
        "/a",
        "<a ",
        "\t\n",
        "-",
        "_.",
        '"',
        "\\",
        "a=",
        'a="',
        "((",
        "PT1",
        "0.",
    ),
    *(
        ",",
        "&#",
        "http://",
        "[a](",
        "<p>",
        "</",
        "<!--",
        "@a@a.",
        "a-a_",
        "\u00e9",
        "%41",
        ";a=",
        'keyId="',
        "<link rel=",
    ),
    "= ",
)


def test_no_regular_expression_can_be_made_slow() -> None:
    found = patterns()
    assert len(found) > 60
    slow = {}
    for name, (pattern, methods) in found.items():
        asks = [pattern.match, pattern.fullmatch]
        if methods & SCANNING and name not in OF_CLEAN_HTML:
            asks.append(pattern.search)
        for seed, end in product(SEEDS, ("", "!", "\0")):
            text = seed * (8_192 // len(seed)) + end
            begun = time.process_time()
            for ask in asks:
                ask(text)
            # What grows with the length takes well below a millisecond, what grows with its square a second.
            if time.process_time() - begun > 0.2:
                slow[name] = (seed, end)
    assert slow == {}
    assert found.keys() >= OF_CLEAN_HTML
