"""The gate: what is stored of other servers, and what stays out."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from phiomia.domain.accounts.remote import Actor
from phiomia.federation.documents_of_others import is_deep, is_same_id
from phiomia.federation.inbox.context import Gone, Unresolved
from phiomia.federation.lookup import ExchangeLookup
from phiomia.federation.restraint import FAILURES, Restraint
from world import BASE

from .fake_peer import ACTIVITY, Respond
from .receiving import Here, receiving


def _redirect(target: str) -> Respond:
    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": target})

    return respond


def _say(body: bytes, content_type: str = ACTIVITY, status: int = 200) -> Respond:
    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={"Content-Type": content_type})

    return respond


async def _refuse(here: Here, uri: str) -> Unresolved:
    with pytest.raises(Unresolved) as caught:
        await here.exchange.resolver.account(uri)
    assert await here.accounts() == []
    return caught.value


@receiving
async def test_an_account_is_stored_as_its_server_describes_it(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor(
        "alice",
        type="Service",
        name="Alice :cat:",
        summary='<p onclick="x()">Hi<script>alert(1)</script></p>',
        icon={"type": "Image", "url": f"{peer.url}/alice.png"},
        image={"type": "Image", "url": f"{peer.url}/header.png"},
        manuallyApprovesFollowers=True,
        showMedia=False,
        alsoKnownAs=["https://old.example/alice"],
        attachment=[{"type": "PropertyValue", "name": "Web", "value": "<b>x</b>"}],
        tag=[{"type": "Emoji", "name": ":cat:", "icon": {"type": "Image", "url": f"{peer.url}/cat.png"}}],
    )
    for name, total in (("followers", 5), ("following", 6), ("outbox", 7)):
        peer.put({"id": f"{alice.uri}/{name}", "type": "OrderedCollection", "totalItems": total})
    actor = await here.exchange.resolver.account_of_handle(alice.handle)
    assert (actor.uri, actor.acct, bool(actor.locked)) == (alice.uri, alice.handle, True)
    await here.work()
    me = await here.world.account("me")
    shown = await here.world.client.check("GET /api/v1/accounts/:id", me, id=actor.id)
    assert (shown["acct"], shown["url"], shown["uri"]) == (alice.handle, f"{peer.url}/@alice", alice.uri)
    assert (shown["avatar"], shown["header"]) == (f"{peer.url}/alice.png", f"{peer.url}/header.png")
    assert (shown["note"], shown["bot"], shown["locked"]) == ("<p>Hi</p>", True, True)
    assert (shown["show_media"], shown["show_media_replies"], shown["show_featured"]) == (False, True, True)
    assert [one["shortcode"] for one in shown["emojis"]] == ["cat"]
    assert (shown["followers_count"], shown["following_count"], shown["statuses_count"]) == (5, 6, 7)
    assert all("Signature" in one.headers for one in peer.requests if "webfinger" not in one.path)
    asked = len(peer.requests)
    assert (await here.exchange.resolver.account(alice.uri)).id == actor.id
    assert len(peer.requests) == asked


@receiving
async def test_several_who_want_the_same_wait_for_one_answer(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    found: list[Actor] = await asyncio.gather(*(here.exchange.resolver.account(alice.uri) for _ in range(10)))
    assert (len({one.id for one in found}), peer.asked("/users/alice")) == (1, 1)


@receiving
async def test_handles_must_be_agreed_upon(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    alice = peer.add_actor("alice")
    # Another server says that alice is its own.
    other.documents.clear()
    fake = other.add_actor("fake")
    fake.document["id"] = alice.uri
    actor = await here.exchange.resolver.account_of_handle(f"fake@{other.domain}")
    assert actor.acct == alice.handle
    unnamed = peer.add_actor("unnamed")
    del peer.actors["unnamed"]
    with pytest.raises(Unresolved):
        await here.exchange.resolver.account(unnamed.uri)
    thief = other.add_actor("thief", webfinger=f"thief@{peer.domain}")
    with pytest.raises(Unresolved):
        await here.exchange.resolver.account(thief.uri)
    assert await here.accounts() == [alice.uri]


@receiving
async def test_a_handle_may_be_of_another_domain_than_the_ids(here: Here) -> None:
    ids, handles = here.peer(), here.peer()
    alice = ids.add_actor("alice")
    handles.actors["alice"] = alice
    alice.base = handles.url
    actor = await here.exchange.resolver.account(alice.uri)
    assert (actor.acct, actor.uri) == (f"alice@{handles.domain}", alice.uri)


@receiving
async def test_what_does_not_live_where_it_says_stays_out(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    alice, bob = peer.add_actor("alice"), other.add_actor("bob")
    other.documents["/copy"] = alice.document | {"name": "Forged"}
    assert (await here.exchange.resolver.account(f"{other.url}/copy")).uri == alice.uri
    name = await here.world.value("SELECT display_name FROM accounts WHERE uri = :uri", uri=alice.uri)
    assert name == "Alice"
    # An open redirect of one server must not let another speak for it.
    peer.documents["/out"] = _redirect(f"{other.url}/in")
    other.documents["/in"] = bob.document | {"id": f"{peer.url}/out"}
    with pytest.raises(Unresolved):
        await here.exchange.resolver.account(f"{peer.url}/out")
    peer.documents["/users/moved"] = _redirect(bob.uri)
    assert (await here.exchange.resolver.account(f"{peer.url}/users/moved")).uri == bob.uri
    note = bob.note() | {"id": f"{peer.url}/notes/1"}
    peer.put(note)
    with pytest.raises(Unresolved):
        await here.exchange.resolver.status(note["id"])
    sender = await here.exchange.resolver.account(alice.uri)
    with pytest.raises(Unresolved):
        await here.exchange.resolver.trusted_object(note, sender)
    real = bob.note("<p>real</p>")
    other.put(real)
    told = await here.exchange.resolver.trusted_object(real | {"content": "forged"}, sender)
    assert told["content"] == "<p>real</p>"


@receiving
async def test_answers_that_are_no_documents_stay_out(here: Here) -> None:
    peer = here.peer()
    peer.documents |= {
        "/html": _say(b"<html>", "text/html"),
        "/upload": _say(b'{"id":"x"}', "image/png"),
        "/plain-ld": _say(b"{}", "application/ld+json"),
        "/list": _say(b"[]"),
        "/broken": _say(b"{"),
        "/nameless": _say(b"{}"),
        "/deep": _say(b'{"a":' * 200 + b"1" + b"}" * 200),
        "/large": _say(b" " * (2 * 1024 * 1024)),
        "/busy": _say(b"", status=503),
        "/gone": _say(b"", status=410),
        "/private": _redirect("https://10.0.0.1/"),
        "/loop": _redirect(f"{peer.url}/loop"),
        "/http": _redirect(f"http://{peer.domain}/html"),
        "/note": {"id": f"{peer.url}/note", "type": "Note"},
        "/no-inbox": {"id": f"{peer.url}/no-inbox", "type": "Person", "preferredUsername": "x"},
    }
    for path in peer.documents:
        error = await _refuse(here, f"{peer.url}{path}")
        assert isinstance(error, Gone) == (path == "/gone"), path
    await _refuse(here, f"{BASE}/users/me")
    await _refuse(here, "https://10.0.0.1/users/x")
    await _refuse(here, "nonsense")


@receiving
async def test_an_endless_answer_ends(here: Here) -> None:
    peer = here.peer()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": ACTIVITY})
        await answer.prepare(request)
        for _ in range(400):
            await answer.write(b" " * 65_536)
        return answer

    peer.documents["/endless"] = endless
    await _refuse(here, f"{peer.url}/endless")


@receiving
async def test_nobody_waits_for_a_slow_server(here: Here) -> None:
    peer = here.peer()

    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    peer.documents["/slow"] = slow
    lookup = ExchangeLookup(here.exchange, seconds=0.1)
    assert await lookup.address(f"{peer.url}/slow") is None


@receiving
async def test_what_was_not_there_is_not_asked_for_again(here: Here) -> None:
    peer = here.peer()
    for _ in range(3):
        await _refuse(here, f"{peer.url}/users/nobody")
    assert peer.asked("/users/nobody") == 1


@receiving
async def test_a_refresh_follows_the_server(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    first = await here.exchange.resolver.account(alice.uri)
    alice.document["name"] = "Alicia"
    alice.document["suspended"] = True
    again = await here.exchange.resolver.account(alice.uri, fresh=True)
    assert (again.id, again.suspended) == (first.id, True)
    alice.document["suspended"] = False
    assert not (await here.exchange.resolver.account(alice.uri, fresh=True)).suspended


@receiving
async def test_search_looks_on_other_servers(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    note = alice.note("<p>Find me</p>")
    peer.put(note)
    me = await here.world.account("me")
    here.world.api.lookup = ExchangeLookup(here.exchange)

    async def find(text: str, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = await here.world.client.check("GET /api/v2/search", me, query={"q": text, **more})
        return found

    assert (await find(f"@{alice.handle}"))["accounts"] == []
    found = await find(f"@{alice.handle}", resolve="true")
    assert [one["acct"] for one in found["accounts"]] == [alice.handle]
    found = await find(note["id"], resolve="true")
    assert [one["content"] for one in found["statuses"]] == ["<p>Find me</p>"]
    found = await find(alice.uri, resolve="true")
    assert [one["acct"] for one in found["accounts"]] == [alice.handle]
    assert (await find(f"{peer.url}/nothing", resolve="true"))["accounts"] == []


@receiving
async def test_the_address_of_a_page_leads_to_its_document(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    alice = peer.add_actor("alice")
    note = alice.note("<p>Behind the page</p>")
    peer.put(note)
    kind = "application/activity+json"
    link = f'<link href="{note["id"]}" rel="alternate" type=\'{kind}\'>'
    peer.documents["/@alice/1"] = _page(f'<!doctype html><head><link rel="stylesheet" href="/x">{link}')
    peer.documents["/@alice/2"] = _page("<p>", Link=f'<{note["id"]}>; rel="alternate"; type="{kind}"')
    other.documents["/nothing"] = _page("<p>Hello</p>")
    other.documents["/broken"] = _page(f'<link rel="alternate" type="{kind}" href="https://[">')
    forged = note | {"content": "<p>Forged</p>"}
    other.documents["/forged"] = forged
    other.documents["/forger"] = _page(f'<link rel="alternate" type="{kind}" href="{other.url}/forged">')
    found = [(await here.exchange.resolver.any(f"{peer.url}/@alice/{n}")).id for n in (1, 2)]
    assert found[0] == found[1]
    assert (await here.exchange.resolver.any(f"{other.url}/forger")).id == found[0]
    assert await here.world.value("SELECT content FROM statuses WHERE id = :id", id=found[0]) == note["content"]
    for path in ("/nothing", "/broken"):
        with pytest.raises(Unresolved):
            await here.exchange.resolver.any(f"{other.url}{path}")


def _page(text: str, **headers: str) -> Any:
    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=text, content_type="text/html", headers=headers)

    return respond


@receiving
async def test_who_is_mentioned_is_met(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    me = await here.world.account("me")
    here.world.api.lookup = ExchangeLookup(here.exchange)
    text = f"Hello @{alice.handle} and @nobody@{peer.domain}"
    status = await here.world.client.check("POST /api/v1/statuses", me, form={"status": text})
    assert [one["acct"] for one in status["mentions"]] == [alice.handle]


def test_restraint() -> None:
    now = 0.0
    restraint = Restraint(lambda: now, per_minute=3)
    url = "https://a.example/1"
    restraint.note_failure(url, Gone("gone"))
    with pytest.raises(Gone):
        restraint.check(url, "a.example")
    restraint.forget(url)
    restraint.check(url, "a.example")
    for _ in range(FAILURES):
        restraint.note_silence("b.example")
    with pytest.raises(Unresolved):
        restraint.check("https://b.example/", "b.example")
    restraint.note_answer("b.example")
    for _ in range(3):
        restraint.check("https://b.example/", "b.example")
    with pytest.raises(Unresolved):
        restraint.check("https://b.example/", "b.example")
    now = 61.0
    restraint.check("https://b.example/", "b.example")


def test_ids_and_depth() -> None:
    assert is_same_id("https://a.example", "https://a.example/")
    assert is_same_id("https://a.example/x#k", "https://a.example/x")
    assert not is_same_id("https://a.example/x", "https://a.example/x/")
    assert not is_deep([[{"a": []}]])
    nested: Any = []
    for _ in range(100):
        nested = {"a": nested}
    assert is_deep(nested)
