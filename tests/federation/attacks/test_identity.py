"""Attacks on who somebody is: forged, replayed and borrowed signatures change nothing."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phiomia.activitypub.multikey import write_public
from phiomia.activitypub.proofs import prove
from world import BASE

from ..fake_peer import CONTEXT, FakeActor, Signed
from ..receiving import INBOX, Here, receiving
from .ground import look, say

KINDS = ("Accept", "Add", "Announce", "Block", "Create", "Delete", "EmojiReact", "Flag", "Follow", "Like", "Move",
         "QuoteRequest", "Reject", "Remove", "Undo", "Update")  # fmt: skip
PASSED_ON = {"Create", "Update", "Delete", "Announce"}


async def status(here: Here, request: Signed, **headers: str | None) -> int:
    """What our inbox says to it."""
    return (await here.deliver(request, **headers)).status_code


async def befriend(here: Here, *people: FakeActor) -> None:
    """Makes people known here, by what they sign themselves."""
    for one in people:
        assert await status(here, one.sign_post(INBOX, one.activity("Like", f"{BASE}/users/x/statuses/1"))) == 202
    await here.work()


@receiving
async def test_nobody_signs_for_somebody_else(here: Here) -> None:
    one, other = here.peer(), here.peer()
    alice, neighbour, stranger = one.add_actor("alice"), one.add_actor("nina", key=1), other.add_actor("eve", key=2)
    bob = await here.world.account("bob")
    await befriend(here, alice, neighbour, stranger)
    note = alice.note("<p>forged</p>", to=[f"{BASE}/users/bob"])
    before = await look(here)
    for signer in (neighbour, stranger):
        for kind in KINDS:
            about = note if kind in ("Create", "Update") else note["id"] if kind == "Delete" else f"{BASE}/users/bob"
            for forged in (
                alice.activity(kind, about),
                alice.activity(kind, about) | {"actor": [alice.uri, signer.uri]},
                alice.activity(kind, about) | {"actor": {"id": alice.uri, "type": "Person"}},
            ):
                asked = len(one.requests) + len(other.requests)
                answer = await status(here, signer.sign_post(INBOX, forged))
                assert answer == (202 if kind in PASSED_ON else 401), kind
                if answer == 401:
                    assert len(one.requests) + len(other.requests) == asked, "asked somebody"
                await here.work()
        assert await look(here) == before, signer.uri
    assert bob.id


@receiving
async def test_the_same_again_elsewhere_later_or_at_once(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    bob = await here.world.account("bob")
    await here.world.account("carol")
    me = f"{BASE}/users/bob"
    tag = [{"type": "Mention", "href": me, "name": "@bob"}]
    create = alice.create(alice.note(to=[me], cc=[], tag=tag))
    request = alice.sign_post(f"{BASE}/users/bob/inbox", create)
    for _ in range(3):
        assert await status(here, request) == 202
        await here.work()
    for url in (INBOX, f"{BASE}/users/carol/inbox", f"{BASE}/actor/inbox"):
        assert await status(here, Signed(url, request.headers, request.body)) == 401
    assert await status(here, request, Host="elsewhere.example") == 401
    for hours in (-13, 13):
        assert await status(here, alice.sign_post(INBOX, create, now=time.time() + 3_600 * hours)) == 401
    # Its sender may send the same again, under new signatures.
    assert await status(here, alice.sign_post(INBOX, create)) == 202
    await here.work()
    assert await here.world.value("SELECT count(*) FROM statuses") == 1
    told = "SELECT count(*) FROM notifications WHERE account_id = :id"
    assert await here.world.value(told, id=bob.id) == 1


@receiving
async def test_borrowed_keys_open_nothing(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    alice, eve = peer.add_actor("alice"), other.add_actor("eve", key=1)
    await here.world.account("bob")
    key = eve.document["publicKey"]
    places: dict[str, Any] = {
        f"{other.url}/elsewhere": {"id": f"{other.url}/elsewhere", "owner": alice.uri, **_pem(key)},
        f"{peer.url}/uploads/plain": say(
            json.dumps(alice.document | {"publicKey": key}).encode(), Content_Type="application/json"
        ),
        f"{peer.url}/uploads/text": say(json.dumps(alice.document).encode(), Content_Type="text/plain"),
        f"{peer.url}/gone": say(status=410),
        f"{peer.url}/away": say(status=404),
        f"{peer.url}/out": say(status=302, Location=f"{other.url}/in"),
        f"{peer.url}/other-id": eve.document | {"id": eve.uri},
        f"{peer.url}/unlisted": {"id": f"{peer.url}/unlisted", "type": "Key", "owner": alice.uri, **_pem(key)},
    }
    other.documents["/in"] = {"id": f"{peer.url}/out", "type": "Key", "owner": alice.uri, **_pem(key)}
    before = await look(here)
    for url, found in places.items():
        (peer if url.startswith(peer.url) else other).documents["/" + url.split("/", 3)[3]] = found
        eve.key_id = url
        for _ in range(4):
            like = alice.activity("Like", f"{BASE}/users/bob/statuses/1")
            assert await status(here, eve.sign_post(INBOX, like)) == 401, url
        path = "/" + url.split("/", 3)[3]
        assert peer.asked(path) + other.asked(path) <= 1, url
    assert (await look(here), await here.waiting()) == (before, [])


def _pem(key: dict[str, Any]) -> dict[str, Any]:
    return {"publicKeyPem": key["publicKeyPem"]}


@receiving
async def test_a_key_in_somebody_elses_name_changes_nothing(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    alice, eve = peer.add_actor("alice"), other.add_actor("eve", key=1)
    await befriend(here, alice)
    stolen = {"id": alice.key_id, "owner": alice.uri, **_pem(eve.document["publicKey"])}
    eve.document["publicKey"] = [eve.document["publicKey"], stolen]
    await befriend(here, eve)
    eve.key_id = alice.key_id
    like = alice.activity("Like", f"{BASE}/users/bob/statuses/1")
    for _ in range(3):
        assert await status(here, eve.sign_post(INBOX, like)) == 401
    held = await here.world.value("SELECT public_key FROM accounts WHERE uri = :uri", uri=alice.uri)
    assert held == alice.document["publicKey"]["publicKeyPem"]
    more = await here.world.value("SELECT more_keys FROM accounts WHERE uri = :uri", uri=eve.uri)
    assert alice.key_id not in more
    assert await status(here, alice.sign_post(INBOX, like)) == 202


@receiving
async def test_signatures_over_graphs_are_none_and_no_context_is_fetched(here: Here) -> None:
    peer, relay_peer = here.peer(), here.peer()
    alice, relay = peer.add_actor("alice"), relay_peer.add_actor("relay")
    await here.world.account("bob")
    me = f"{BASE}/users/bob"
    note = alice.note("<p>never written</p>", to=[me], cc=[], tag=[{"type": "Mention", "href": me, "name": "@bob"}])
    signature = {
        "type": "RsaSignature2017",
        "creator": alice.key_id,
        "created": "2026-01-01T00:00:00Z",
        "signatureValue": "YQ==",
    }
    tricks: list[dict[str, Any]] = [
        {"signature": signature},
        {"signature": signature, "@graph": [{"type": "Follow", "actor": alice.uri, "object": me}]},
        {"signature": signature, "@reverse": {"object": note}},
        {"signature": signature, "@included": [note], "@nest": {"actor": alice.uri}},
        {"signature": signature, "@context": [*CONTEXT, {"object": "as:actor", "actor": "as:object"}]},
        {"signature": signature, "@context": [f"{relay_peer.url}/context", f"{peer.url}/context"]},
    ]
    for trick in tricks:
        assert await status(here, relay.sign_post(INBOX, alice.create(note) | trick)) == 202
        assert await here.work() == []
    assert await here.world.value("SELECT count(*) FROM statuses") == 0
    assert peer.asked("/context") == relay_peer.asked("/context") == 0


@receiving
async def test_proofs_hold_for_the_authors_own_key_and_words_alone(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    relay, alice, eve = other.add_actor("relay"), peer.add_actor("alice"), other.add_actor("eve")
    await here.world.account("bob")
    me = f"{BASE}/users/bob"
    key, hers = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    for actor, owned in ((alice, key), (eve, hers)):
        actor.document["assertionMethod"] = [
            {
                "id": f"{actor.uri}#ed",
                "type": "Multikey",
                "controller": actor.uri,
                "publicKeyMultibase": write_public(owned.public_key()),
            }
        ]
    note = alice.note("<p>caf\u00e9 1.0</p>", to=[me], cc=[], tag=[{"type": "Mention", "href": me, "name": "@bob"}])
    good = prove(alice.create(note), f"{alice.uri}#ed", key, "2026-01-01T00:00:00Z")
    altered = [
        good | {"object": note | {"content": "<p>cafe\u0301 1.0</p>"}},
        good | {"published": "2026-01-01T00:00:00Z"},
        good | {"proof": good["proof"] | {"proofPurpose": "authentication"}},
        good | {"proof": good["proof"] | {"verificationMethod": f"{eve.uri}#ed"}},
        good | {"proof": [good["proof"], good["proof"]]},
        prove(alice.create(note), f"{eve.uri}#ed", hers, "2026-01-01T00:00:00Z"),
        prove(alice.create(note), f"{alice.uri}#unlisted", key, "2026-01-01T00:00:00Z"),
        prove(alice.create(note), f"{alice.uri}#ed", hers, "2026-01-01T00:00:00Z"),
    ]
    for number, forged in enumerate(altered):
        # From each the same activity is taken once, so each time somebody else passes it on.
        assert await status(here, other.add_actor(f"relay{number}").sign_post(INBOX, forged)) in (202, 400)
        assert len(await here.waiting()) == 1, number
        await here.work()
        assert await here.world.value("SELECT count(*) FROM statuses") == 0, number
    turned = dict(reversed(list(good.items())))
    assert await status(here, relay.sign_post(INBOX, turned)) == 202
    await here.work()
    assert await here.world.value("SELECT count(*) FROM statuses") == 1


@pytest.mark.parametrize("inbox", ["https://elsewhere.example/inbox", f"{BASE}/inbox", "http://10.0.0.1/inbox"])
def test_nobody_has_us_send_to_somebody_elses_inbox(migrated_database_url: str, inbox: str) -> None:
    @receiving
    async def play(here: Here) -> None:
        alice = here.peer().add_actor("alice", inbox=inbox)
        await here.world.account("bob")
        follow = alice.activity("Follow", f"{BASE}/users/bob")
        await status(here, alice.sign_post(INBOX, follow))
        await here.work()
        assert await here.accounts() == []
        assert await here.world.value("SELECT count(*) FROM follows") == 0

    play(migrated_database_url)
