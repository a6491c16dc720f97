"""What is not for everybody, and who gets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phiomia.domain.peers.models import domain_allows, domain_blocks
from phiomia.domain.peers.rules import note_rules_changed
from phiomia.domain.peers.severity import Severity
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import WriteSession, insert_into
from phiomia.platform.settings import Federation as Settings
from world import make_account

from .fake_peer import FakePeer
from .published import BASE, SECURE, Site, publishing
from .strict import check

_ALLOW = insert_into(domain_allows, "id", "domain", "created_at")
_BLOCK = insert_into(domain_blocks, "id", "domain", "severity", "created_at")


@pytest.fixture(scope="module")
def peer() -> Iterator[FakePeer]:
    with FakePeer() as running:
        yield running


def with_peer(settings: dict[str, object] | None = None):  # type: ignore[no-untyped-def]
    """Like `publishing`, with somebody else's server beside it."""

    def tell(play):  # type: ignore[no-untyped-def]
        def test(migrated_database_url: str, peer: FakePeer) -> None:
            publishing(**(settings or {}))(lambda site: play(site, peer))(migrated_database_url)

        test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
        return test

    return tell


@with_peer()
async def test_only_who_may_see_it_gets_a_private_status(site: Site, peer: FakePeer) -> None:
    alice = await make_account(site.db, "alice")
    follower, named, stranger = (peer.add_actor(name) for name in ("bob", "carol", "dave"))
    bob, carol = await site.meet(follower), await site.meet(named)
    await site.meet(stranger)
    await site.db.write(lambda session: follow(session, bob.id, alice.id))
    private = site.uri("alice", await site.post(alice, visibility=Visibility.PRIVATE))
    direct = site.uri("alice", await site.post(alice, visibility=Visibility.DIRECT, mentions=[carol.id]))
    seen = {
        (actor.name, uri): (await site.get_as(actor, uri)).status
        for actor in (follower, named, stranger)
        for uri in (private, direct)
    }
    assert seen == {
        ("bob", private): 200, ("bob", direct): 404,
        ("carol", private): 404, ("carol", direct): 200,
        ("dave", private): 404, ("dave", direct): 404,
    }  # fmt: skip
    answer = await site.get_as(follower, private)
    check(answer.document)
    assert answer.headers["cache-control"] == "private, no-store"
    assert "Signature" in answer.headers["vary"].split(", ")
    for scheme in ("cavage", "rfc9421"):
        assert (await site.get_as(follower, f"{private}/activity", scheme=scheme)).document["type"] == "Create"
    assert (await site.get_as(follower, "/users/alice/outbox?page=true")).document["orderedItems"] == []


@with_peer()
async def test_a_blocked_person_gets_nothing_private(site: Site, peer: FakePeer) -> None:
    alice, actor = await make_account(site.db, "alice"), peer.add_actor("bob")
    bob = await site.meet(actor)
    private = site.uri("alice", await site.post(alice, visibility=Visibility.PRIVATE, mentions=[bob.id]))
    assert (await site.get_as(actor, private)).status == 200
    await site.db.write(lambda session: block(session, alice.id, bob.id))
    assert (await site.get_as(actor, private)).status == 404


@with_peer()
async def test_a_wrong_signature_is_no_signature(site: Site, peer: FakePeer) -> None:
    alice, actor = await make_account(site.db, "alice"), peer.add_actor("erin")
    await site.meet(actor)
    private = site.uri("alice", await site.post(alice, visibility=Visibility.PRIVATE))
    other = site.uri("alice", 1)
    assert (await site.get_as(actor, private, url=other)).status == 401
    assert (await site.get(private, Signature="x")).status == 400
    assert (await site.get_as(actor, private, now=1_700_000_000)).status == 401


@with_peer()
async def test_followers_are_told_to_their_own_server_only(site: Site, peer: FakePeer) -> None:
    alice, actor = await make_account(site.db, "alice"), peer.add_actor("bob")
    bob, elsewhere = await site.meet(actor), await make_account(site.db, "zoe", domain="far.example")
    for one in (bob, elsewhere, await make_account(site.db, "local")):
        await site.db.write(lambda session, one=one: follow(session, one.id, alice.id))
    path = f"{BASE}/users/alice/followers_synchronization"
    assert (await site.get(path)).status == 401
    document = (await site.get_as(actor, path)).document
    check(document)
    expected = {"id": path, "type": "OrderedCollection"}
    assert document.items() >= expected.items()
    stored = await _uri(site, bob.id)
    assert document["orderedItems"] == [stored]


@with_peer({"federation": SECURE})
async def test_in_secure_mode_strangers_get_keys_and_no_more(site: Site, peer: FakePeer) -> None:
    alice = await make_account(site.db, "alice")
    status = await site.post(alice)
    paths = [site.uri("alice", status), f"{site.uri('alice', status)}/activity", "/users/alice/outbox"]
    paths += ["/users/alice/followers", f"/contexts/{status}", "/users/alice/collections/featured"]
    for path in paths:
        assert (await site.get(path)).status == 401, path
    for path in ("/actor", "/.well-known/webfinger?resource=acct:alice@phiomia.example", "/nodeinfo/2.0"):
        assert (await site.get(path)).status == 200, path
    bare = await site.get("/users/alice")
    check(bare.document)
    assert bare.document["publicKey"]["publicKeyPem"]
    assert bare.document.keys().isdisjoint({"name", "summary", "attachment", "icon"})
    stranger = peer.add_actor("stranger")  # nobody here knows them: their key is asked for
    for path in ("/users/alice", *paths):
        answer = await site.get_as(stranger, path)
        check(answer.document)
        assert answer.headers["cache-control"] == "private, no-store"
    assert (await site.get_as(stranger, "/users/alice")).document["name"] == "Alice"


@with_peer({"federation": SECURE})
async def test_in_secure_mode_who_is_blocked_gets_nothing(site: Site, peer: FakePeer) -> None:
    alice, actor = await make_account(site.db, "alice"), peer.add_actor("bob")
    bob = await site.meet(actor)
    status = site.uri("alice", await site.post(alice))
    assert (await site.get_as(actor, status)).status == 200
    await site.db.write(lambda session: block(session, alice.id, bob.id))
    assert (await site.get_as(actor, status)).status == 404

    async def block_server(session: WriteSession) -> None:
        await session.execute(_BLOCK, id=1, domain="127.0.0.1", severity=int(Severity.SUSPEND), created_at=1)
        await note_rules_changed(session)

    await site.db.write(block_server)
    assert (await site.get_as(actor, "/users/alice")).status == 403


@with_peer({"federation": Settings(mode="allowlist")})
async def test_who_federates_with_few_publishes_for_few(site: Site, peer: FakePeer) -> None:
    await make_account(site.db, "alice")
    actor = peer.add_actor("bob")
    await site.meet(actor)
    assert (await site.get("/users/alice/outbox")).status == 401
    assert (await site.get_as(actor, "/users/alice/outbox")).status == 403

    async def allow(session: WriteSession) -> None:
        await session.execute(_ALLOW, id=1, domain="127.0.0.1", created_at=1)
        await note_rules_changed(session)

    await site.db.write(allow)
    assert (await site.get_as(actor, "/users/alice/outbox")).status == 200


@with_peer({"federation": SECURE})
async def test_a_server_that_wants_signatures_too_is_not_waited_for(site: Site, peer: FakePeer) -> None:
    await make_account(site.db, "alice")
    actor = peer.add_actor("secure")
    document = peer.documents["/users/secure"]
    checked = []

    async def demand(request):  # type: ignore[no-untyped-def]
        from aiohttp import web

        # What it does to know us: it asks for the document of the key that we have signed with.
        key_id = request.headers["Signature"].partition('keyId="')[2].partition('"')[0]
        ours = await site.get(key_id.partition("#")[0])
        checked.append(ours.document["publicKey"]["id"] == key_id)
        return web.json_response(document, content_type="application/activity+json")

    peer.documents["/users/secure"] = await _on_this_loop(demand)
    assert (await site.get_as(actor, "/users/alice")).document["name"] == "Alice"
    assert checked == [True]


async def _uri(site: Site, account_id: int) -> str:
    from phiomia.domain.accounts.queries import load_account

    async with site.db.read() as session:
        return (await load_account(session, account_id)).uri


async def _on_this_loop(respond):  # type: ignore[no-untyped-def]
    """A responder for the peer's thread that does its work on the test's loop, where the database is."""
    import asyncio

    loop = asyncio.get_running_loop()

    async def elsewhere(request):  # type: ignore[no-untyped-def]
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(respond(request), loop))

    return elsewhere
