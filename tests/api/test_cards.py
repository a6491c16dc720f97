"""Previews of links: read from pages, fetched once, shown in statuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.domain.accounts.resolver import NoLookup
from phiomia.domain.statuses.attach_card import FetchCard, find_link
from phiomia.domain.statuses.fetch_card import run_fetch_card
from phiomia.domain.statuses.read_page import Preview, read_oembed, read_page
from phiomia.platform.db import Query
from phiomia.platform.http import Fetcher, FetchOptions
from phiomia.platform.json import encode
from phiomia.platform.reachable import networks
from world import World, story

POST = "POST /api/v1/statuses"
SHOW = "GET /api/v1/statuses/:id"
PAGE = """<!doctype html><html lang="en"><head><title>Plain</title>
<meta property="og:title" content="A &amp; B > C"><meta name='description' content='Words'>
<meta property="og:image" content="/picture.png"><meta property="og:image:alt" content="A picture">
<meta property="og:site_name" content="The Site"><meta name="fediverse:creator" content="@alice@localhost">
<link rel="alternate" type="application/json+oembed" href="/oembed.json">
<script type="application/ld+json">{"@graph":[{"@type":"NewsArticle","headline":"From LD",
"author":[{"name":"Ann","url":"https://ann.example/"}],"datePublished":"2026-01-02T03:04:05Z"}]}</script></head></html>"""
OEMBED = {
    "type": "video",
    "version": "1.0",
    "title": "A film",
    "provider_name": "Films",
    "html": '<script>bad()</script><iframe src="https://films.example/1" onload="bad()"></iframe>',
    "width": 640,
    "height": 360,
}


class Pages:
    """A server with two pages."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.base = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        self.asked.append(path)
        bodies = {"/page": ("text/html", PAGE), "/oembed.json": ("application/json", json.dumps(OEMBED))}
        kind, body = bodies.get(path, ("text/html", "<p>nothing"))
        status = "500 No" if path == "/broken" else "200 OK"
        sent = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        sent += f"Connection: close\r\n\r\n{body}"
        writer.write(sent.encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def site(world: World) -> AsyncIterator[tuple[Pages, Any]]:
    """A site, and a worker's context that can ask it."""
    pages = Pages()
    server = await asyncio.start_server(pages.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pages.base = f"http://127.0.0.1:{port}"
    options = FetchOptions(base_url="https://phiomia.example", allow_private=networks(["127.0.0.0/8"]))
    async with Fetcher(options) as fetcher:
        config = SimpleNamespace(domain="localhost", web_domain="localhost")
        outside = SimpleNamespace(fetcher=fetcher)
        yield pages, SimpleNamespace(db=world.db, outside=outside, lookup=NoLookup(), config=config)
    server.close()


async def jobs(world: World) -> list[FetchCard]:
    """What is to be fetched."""
    async with world.db.read() as session:
        rows = await session.column(Query.raw(sqlite="SELECT args FROM jobs WHERE type = 'statuses.fetch_card'"))
    return [FetchCard(**json.loads(row)) for row in rows]


@story("statuses", "timelines", effects=True)
async def test_a_link_is_fetched_once(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with site(world) as (pages, context):
        text = {"status": f"See {pages.base}/page"}
        first = await world.client.check(POST, alice, json=text)
        assert first["card"] is None
        second = await world.client.check(POST, bob, json=text)
        (job,) = await jobs(world)
        missing = await world.client.get("/api/v1/timelines/link", alice, url=f"{pages.base}/page")
        assert missing.status == 404
        await run_fetch_card(context, job)
        assert pages.asked == ["/page", "/oembed.json"]
        for status in (first, second):
            card = (await world.client.check(SHOW, None, id=status["id"]))["card"]
            assert (card["title"], card["type"], card["url"]) == ("A film", "video", f"{pages.base}/page")
            assert card["authors"] == [{"name": "Ann", "url": "https://ann.example/", "account": None}]
            assert ("<script" in card["html"], "onload" in card["html"]) == (False, False)
            assert card["html"].startswith('<iframe src="https://films.example/1"')
        third = await world.client.check(POST, alice, json=text)
        assert third["card"]["image"] == f"{pages.base}/picture.png"
        assert len(await jobs(world)) == 1
        listed = await world.client.check("GET /api/v1/timelines/link", None, query={"url": f"{pages.base}/page"})
        assert [one["id"] for one in listed] == [third["id"], second["id"], first["id"]]
        await world.client.check("PUT /api/v1/statuses/:id", alice, id=third["id"], json={"status": "No link"})
        assert (await world.client.check(SHOW, None, id=third["id"]))["card"] is None


@story("statuses", effects=True)
async def test_authors_are_believed_if_they_agree(world: World) -> None:
    alice = await world.account("alice")
    async with site(world) as (pages, context):
        made = await world.client.check(POST, alice, json={"status": f"{pages.base}/page"})
        (job,) = await jobs(world)
        await run_fetch_card(context, job)
        # The page names her, but she does not name the page: only she is told.
        card = (await world.client.check(SHOW, alice, id=made["id"]))["card"]
        assert card["authors"][0]["account"] is None and card["missing_attribution"] is True
        for viewer, told in ((await world.account("bob"), False), (None, None)):
            card = (await world.client.check(SHOW, viewer, id=made["id"]))["card"]
            assert card["authors"][0]["account"] is None and card.get("missing_attribution") is told
        await world.execute(
            "UPDATE accounts SET attribution_domains = :domains WHERE id = :id",
            domains=encode(["127.0.0.1"]),
            id=alice.id,
        )
        await run_fetch_card(context, job)
        shown = await world.client.check(SHOW, alice, id=made["id"])
        assert shown["card"]["authors"][0]["account"]["username"] == "alice"
        assert shown["card"]["missing_attribution"] is False


@story("statuses", effects=True)
async def test_pages_with_nothing_to_show(world: World) -> None:
    alice = await world.account("alice")
    async with site(world) as (pages, context):
        made = await world.client.check(POST, alice, json={"status": f"{pages.base}/nothing"})
        (job,) = await jobs(world)
        await run_fetch_card(context, job)
        assert (await world.client.check(SHOW, alice, id=made["id"]))["card"] is None
        again = await world.client.check(POST, alice, json={"status": f"again {pages.base}/nothing"})
        assert (again["card"], len(await jobs(world))) == (None, 1)


def test_reading_a_page() -> None:
    page = read_page(PAGE.encode(), "text/html; charset=utf-8", "https://site.example/a/b")
    preview = page.preview
    assert (preview.title, preview.description, preview.language) == ("From LD", "Words", "en")
    assert (preview.image_url, preview.image_description) == ("https://site.example/picture.png", "A picture")
    assert (page.creator, page.oembed_url) == ("alice@localhost", "https://site.example/oembed.json")
    bare = read_page(b'<meta property="og:title" content="A &amp; B > C"><title>x</title>', "", "https://site.example/")
    assert bare.preview.title == "A & B > C"
    assert (
        read_page("<title>ä</title>".encode("latin-1"), "text/html; charset=latin-1", "https://a.b/").preview.title
        == "ä"
    )


@pytest.mark.parametrize(
    "junk",
    [
        b"<meta " * 90_000,
        b"<meta a='" * 60_000,
        b"<meta " + b'""' * 250_000,
        b"<script application/ld+json>" * 20_000,
        b"<title>" * 70_000,
        b"\xff<",
    ],
)
def test_hostile_pages_cost_little(junk: bytes) -> None:
    assert read_page(junk, "text/html; charset=nonsense", "https://a.b/").preview.html == ""


def test_oembed_of_all_kinds() -> None:
    base = Preview(title="T")
    for body in (b"[]", b"{", b'{"type": "rich", "html": "<b>"}', b'{"type":"photo"}', b'{"type":5,"width":"x"}'):
        assert read_oembed(body, base, "https://a.b/") == base
    photo = read_oembed(b'{"type":"photo","url":"/p.png","width":10,"height":"20"}', base, "https://a.b/")
    assert (photo.kind, photo.embed_url, photo.width, photo.height) == (1, "https://a.b/p.png", 10, 20)


def test_which_link_counts() -> None:
    mention = '<a href="https://a.b/@x" class="u-url mention">@x</a>'
    tag = '<a href="https://a.b/tags/x" class="mention hashtag" rel="tag">#x</a>'
    assert find_link(f'<p>{mention} {tag} <a href="https://c.d/?a=1&amp;b=2" rel="nofollow">x</a></p>', set()) == (
        "https://c.d/?a=1&b=2"
    )
    assert find_link('<a href="https://own.example/x">x</a>', {"own.example"}) == ""
    assert find_link('<p class="quote-inline">RE: <a href="https://a.b/1">1</a></p>', set()) == ""
    assert find_link('<a href="magnet:x">x</a><a href="https://[x/">x</a>', set()) == ""
