"""Translations by services that are asked over HTTP, posts for other pages, and links on profiles."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import msgspec

from phiomia.domain.accounts.verify_links import VerifyLinks, has_link_to, run_verify_links
from phiomia.platform.http import Fetcher, FetchOptions
from phiomia.platform.json import decode, encode
from phiomia.platform.reachable import networks
from phiomia.platform.settings import Translation
from world import BASE, World, story

POST = "POST /api/v1/statuses"
TRANSLATE = "POST /api/v1/statuses/:id/translate"
LANGUAGES = "GET /api/v1/instance/translation_languages"


class Service:
    """A server that translates by shouting, and has a page that links back to Alice."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = False
        self.base = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next((int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = (await reader.readexactly(size)).decode()
        path = head.split(" ")[1]
        self.asked.append(path)
        kind = "text/html" if path == "/me" else "application/json"
        text = f'<a rel="me" href="{BASE}/@alice">x</a>' if path == "/me" else json.dumps(self._answer(path, body))
        status = "500 No" if self.broken else "200 OK"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
            f"Connection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()

    def _answer(self, path: str, body: str) -> Any:
        if path == "/":
            return {}
        if path == "/languages":
            return [{"code": "en", "targets": ["de", "en"]}, {"code": "de", "targets": ["en"]}]
        if path == "/translate":
            texts = json.loads(body)["q"]
            return {"translatedText": [one.replace("Hello", "HALLO<script>") for one in texts]}
        if path.startswith("/v2/languages"):
            return [{"language": "EN"}, {"language": "DE"}]
        rows = [one.replace("Hello", "Hallo") for one in parse_qs(body, keep_blank_values=True)["text"]]
        return {"translations": [{"text": one, "detected_source_language": "EN"} for one in rows]}


@asynccontextmanager
async def serve(world: World, name: str = "libretranslate") -> AsyncIterator[Service]:
    """The service, chosen by the operator."""
    service = Service()
    server = await asyncio.start_server(service.answer, "127.0.0.1", 0)
    service.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    options = FetchOptions(base_url=BASE, allow_private=networks(["127.0.0.0/8"]))
    async with Fetcher(options) as fetcher:
        chosen = Translation(service=name, url=service.base, key="k")  # type: ignore[arg-type]
        world.api.config = msgspec.structs.replace(world.api.config, translation=chosen)
        world.api.outside = SimpleNamespace(fetcher=fetcher)
        yield service
    server.close()


@story("statuses", "translation")
async def test_translating_is_kept(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    poll = {"options": ["Hello", "b"], "expires_in": 600}
    sent = {"status": "Hello & you", "spoiler_text": "Hello", "language": "en", "poll": poll}
    made = await world.client.check(POST, alice, json=sent)
    async with serve(world) as service:
        assert await world.client.check(LANGUAGES) == {"en": ["de"], "de": ["en"]}
        for who in (alice, bob):
            found = await world.client.check(TRANSLATE, who, id=made["id"], form={"lang": "de"})
            assert (found["content"], found["spoiler_text"]) == ("<p>HALLO</p>", "HALLO")
            assert [one["title"] for one in found["poll"]["options"]] == ["HALLO", "b"]
            assert (found["language"], found["detected_source_language"]) == ("de", "en")
        assert service.asked.count("/translate") == 1
        edited = {"status": "Hello again", "language": "en"}
        await world.client.check("PUT /api/v1/statuses/:id", alice, id=made["id"], json=edited)
        await world.client.check(TRANSLATE, bob, id=made["id"], form={"lang": "de"})
        assert service.asked.count("/translate") == 2
        path = f"/api/v1/statuses/{made['id']}/translate"
        assert (await world.client.post(path, bob, form={"lang": "fr"})).status == 403
        assert (await world.client.post(path)).status == 401
        assert (await world.client.post("/api/v1/statuses/1/translate", bob)).status == 404
        private = await world.client.check(POST, bob, json={"status": "x", "visibility": "private", "language": "en"})
        assert (await world.client.post(f"/api/v1/statuses/{private['id']}/translate", bob)).status == 403
        service.broken = True
        other = await world.client.check(POST, alice, json={"status": "Hello", "language": "en"})
        answer = await world.client.post(f"/api/v1/statuses/{other['id']}/translate", bob, form={"lang": "de"})
        assert answer.status == 503


@story("statuses", "translation")
async def test_another_service(world: World) -> None:
    alice = await world.account("alice")
    made = await world.client.check(POST, alice, json={"status": "Hello", "language": "en"})
    async with serve(world, "deepl"):
        assert await world.client.check(LANGUAGES) == {"en": ["de"], "de": ["en"]}
        found = await world.client.check(TRANSLATE, alice, id=made["id"], form={"lang": "de"})
        assert (found["content"], found["provider"]) == ("<p>Hallo</p>", "DeepL.com")


@story("statuses", "translation")
async def test_nobody_translates(world: World) -> None:
    alice = await world.account("alice")
    made = await world.client.check(POST, alice, json={"status": "Hello", "language": "en"})
    assert await world.client.check(LANGUAGES) == {}
    assert (await world.client.post(f"/api/v1/statuses/{made['id']}/translate", alice)).status == 403


@story("statuses", "oembed")
async def test_posts_for_other_pages(world: World) -> None:
    alice = await world.account("alice")
    made = await world.client.check(POST, alice, json={"status": "Hello <b>"})
    found = await world.client.check("GET /api/oembed", query={"url": f"{BASE}/@alice/{made['id']}"})
    assert "<p>Hello &lt;b&gt;</p>" in found["html"]
    assert (found["width"], found["height"], found["author_name"]) == (400, None, "Alice")
    hidden = await world.client.check(POST, alice, json={"status": "few", "visibility": "private"})
    for url in (
        f"{BASE}/@alice/{hidden['id']}",
        f"{BASE}/@bob/{made['id']}",
        f"https://other.example/@alice/{made['id']}",
        "https://[/",
        "",
    ):
        assert (await world.client.get("/api/oembed", url=url)).status == 404, url


@story("statuses")
async def test_profiles_are_linked_back_to(world: World) -> None:
    alice = await world.account("alice")
    async with serve(world) as service:
        pages = (("a", "/me"), ("b", "/"))
        fields = [{"name": name, "value": f"{service.base}{path}", "html": ""} for name, path in pages]
        await world.execute("UPDATE accounts SET fields = :fields WHERE id = :id", fields=encode(fields), id=alice.id)
        links = world.api.fragments.links
        context: Any = SimpleNamespace(db=world.db, outside=world.api.outside, links=links)
        await run_verify_links(context, VerifyLinks(alice.id))
        found = decode(await world.value("SELECT fields FROM accounts WHERE id = :id", id=alice.id))
        assert [bool(one.get("verified_at")) for one in found] == [True, False]
        await run_verify_links(context, VerifyLinks(alice.id))
        assert service.asked == ["/me", "/", "/"]


def test_which_links_count() -> None:
    own = {"https://a.b/@x"}
    assert has_link_to("<link href=https://a.b/@X rel='nofollow me'>", own)
    assert not has_link_to('<a href="https://a.b/@x">', own)
    assert not has_link_to('<a rel="me" href="https://a.b/@y">', own)
    assert not has_link_to("<a rel=me href='" * 60_000, own)
