"""What the inbox takes and refuses, before and after its answer."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phiomia.activitypub.multikey import write_public
from phiomia.activitypub.proofs import prove
from phiomia.activitypub.signatures.digest import digest
from world import BASE

from .fake_peer import FakeActor
from .receiving import INBOX, Here, receiving


def _like(actor: FakeActor) -> dict[str, Any]:
    return actor.activity("Like", f"{BASE}/users/nobody/statuses/1")


@receiving
async def test_a_signed_activity_is_accepted_and_waits(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    for scheme in ("cavage", "rfc9421"):
        answer = await here.deliver(alice.sign_post(INBOX, _like(alice), scheme=scheme))
        assert (answer.status_code, answer.content) == (202, b"")
    jobs = await here.waiting()
    assert [(job.sender, job.news != 0) for job in jobs] == [(alice.uri, True)] * 2
    assert await here.work() == []
    assert await here.accounts() == [alice.uri]


@receiving
async def test_a_second_delivery_is_taken_once(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    create = alice.create(alice.note())
    like = alice.sign_post(INBOX, _like(alice))
    for request in (like, like, alice.sign_post(INBOX, create), alice.sign_post(INBOX, create)):
        assert (await here.deliver(request)).status_code == 202
    assert len(await here.waiting()) == 2
    follow = alice.activity("Follow", f"{BASE}/users/nobody")
    for minutes in (1, 2):
        request = alice.sign_post(INBOX, follow, now=time.time() - 60 * minutes)
        assert (await here.deliver(request)).status_code == 202
    assert len(await here.waiting()) == 4


@receiving
async def test_a_key_is_asked_for_once(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    for _ in range(5):
        assert (await here.deliver(alice.sign_post(INBOX, _like(alice)))).status_code == 202
    assert peer.asked("/users/alice") == 1


@receiving
async def test_wrong_signatures_are_refused_with_a_reason(here: Here) -> None:
    peer = here.peer()
    alice, mallory = peer.add_actor("alice"), peer.add_actor("mallory", key=1)
    like = _like(alice)
    forged = mallory.sign_post(INBOX, like)
    answer = await here.deliver(forged)
    assert (answer.status_code, "has not signed this" in answer.json["error"]) == (401, True)
    assert "Www-Authenticate" in answer.headers
    good = alice.sign_post(INBOX, like)
    assert (await here.deliver(good, Signature=None)).status_code == 401
    assert (await here.deliver(good, Digest=None)).status_code in (400, 401)
    assert (await here.deliver(good, Digest=digest(b"something else"))).status_code == 401
    assert (await here.deliver(good, Host="other.example")).status_code == 401
    assert (await here.deliver(alice.sign_post(f"{BASE}/users/x/inbox", like))).status_code == 404
    for days in (-1, 1):
        old = alice.sign_post(INBOX, like, now=time.time() + 86_400 * days)
        assert (await here.deliver(old)).status_code == 401
    without_digest = alice.sign_get(INBOX)
    bare = type(good)(INBOX, {**without_digest, "Content-Type": "application/activity+json"}, good.body)
    assert (await here.deliver(bare)).status_code == 401
    assert await here.waiting() == []


@receiving
async def test_bodies_that_are_no_activities_are_refused(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    other = here.peer().add_actor("bob")

    async def status(body: Any, **headers: str) -> int:
        given = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (await here.deliver(alice.sign_post(INBOX, given), **headers)).status_code

    for body in (b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff", b"[" * 100_000, b'{"a":' * 5_000):
        assert await status(body) == 400, body[:20]
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    like = _like(alice)
    for wrong in ({"actor": 7}, {"actor": None}, {"type": None}, {"type": 5}, {"actor": []}, {"object": deep}):
        assert await status({**like, **wrong}) == 400, wrong
    assert await status({**like, "id": f"{other.uri}/likes/1"}) == 400
    ours = {"id": f"{BASE}/likes/1", "actor": f"{BASE}/users/alice"}
    assert await status({**like, **ours}) == 403
    assert await status(like, Content_Type="text/html") == 415
    assert await status(b" " * (1024 * 1024 + 1)) == 413
    assert await status({**like, "actor": {"id": alice.uri}, "type": ["Like", "x"], "object": None}) == 202


@receiving
async def test_wrong_types_everywhere_do_no_harm(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    values: tuple[Any, ...] = (None, 7, 1.5, True, "", "x", [], {}, [None], [[]], {"id": 7}, {"id": []}, [{}])
    for kind in ("Create", "Update", "Delete", "Announce", "Undo", "Like", "Follow", "Accept", "Reject", "Block",
                 "Flag", "Move", "Add", "Remove", "EmojiReact", "Strange"):  # fmt: skip
        for value in values:
            more = dict.fromkeys(("to", "cc", "target", "published", "content", "instrument"), value)
            sent = alice.activity(kind, value, **more)
            assert (await here.deliver(alice.sign_post(INBOX, sent))).status_code == 202
            await here.work()
    note = alice.note()
    for name in (*note, "tag", "attachment", "inReplyTo", "url", "summary", "oneOf", "sensitive", "updated"):
        for value in values:
            sent = alice.create({**note, name: value})
            assert (await here.deliver(alice.sign_post(INBOX, sent))).status_code in (202, 400)
            await here.work()


@receiving
async def test_a_rotated_key_is_asked_for_anew(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    assert (await here.deliver(alice.sign_post(INBOX, _like(alice)))).status_code == 202
    await here.work()
    here.exchange.keys._asked.clear()
    alice.rotate(1)
    assert (await here.deliver(alice.sign_post(INBOX, _like(alice)))).status_code == 202
    (job,) = await here.waiting()
    assert job.news
    await here.work()
    asked = peer.asked("/users/alice")
    for _ in range(3):
        assert (await here.deliver(alice.sign_post(INBOX, _like(alice)))).status_code == 202
    await here.work()
    assert peer.asked("/users/alice") == asked
    key = await here.world.value("SELECT public_key FROM accounts WHERE uri = :uri", uri=alice.uri)
    assert key == alice.document["publicKey"]["publicKeyPem"]


@receiving
async def test_keys_are_not_asked_for_often(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    wrong = peer.add_actor("bob", key=1)
    wrong.key_id = alice.key_id
    for _ in range(10):
        assert (await here.deliver(wrong.sign_post(INBOX, _like(alice)))).status_code == 401
    assert peer.asked("/users/alice") == 1


@receiving
async def test_keys_at_their_own_address_must_be_listed_by_their_owner(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    alice.key_id = f"{alice.uri}/main-key"
    alice.document["publicKey"]["id"] = alice.key_id
    peer.put({**alice.document["publicKey"], "type": "Key"})
    assert (await here.deliver(alice.sign_post(INBOX, _like(alice)))).status_code == 202
    stub = peer.add_actor("stub")
    stub.key_id = f"{stub.uri}/main-key"
    stub.document["publicKey"]["id"] = stub.key_id
    peer.documents["/users/stub/main-key"] = {"id": stub.uri, "type": "Person", "publicKey": stub.document["publicKey"]}
    assert (await here.deliver(stub.sign_post(INBOX, _like(stub)))).status_code == 202
    mallory = peer.add_actor("mallory", key=1)
    mallory.key_id = f"{mallory.uri}/key"
    peer.put({"id": mallory.key_id, "owner": alice.uri, "publicKeyPem": mallory.document["publicKey"]["publicKeyPem"]})
    assert (await here.deliver(mallory.sign_post(INBOX, _like(alice)))).status_code == 401


@receiving
async def test_a_key_that_can_not_be_had_now_is_no_refusal(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")

    async def fail(_request: Any) -> Any:
        from aiohttp import web

        return web.Response(status=500)

    peer.documents["/users/alice"] = fail
    answer = await here.deliver(alice.sign_post(INBOX, _like(alice)))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


@receiving
async def test_strangers_that_leave_cost_nothing(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    for kind in ("Delete", "Update"):
        answer = await here.deliver(alice.sign_post(INBOX, alice.activity(kind, alice.uri)), Signature="nonsense")
        assert answer.status_code == 202
    assert (await here.waiting(), peer.requests) == ([], [])


@receiving
async def test_what_is_passed_on_is_believed_when_its_server_says_so(here: Here) -> None:
    one, other = here.peer(), here.peer()
    relay, alice = one.add_actor("relay"), other.add_actor("alice")
    bob = await here.world.account("bob")
    me = f"{BASE}/users/bob"
    mention = {"type": "Mention", "href": me, "name": "@bob"}
    real = alice.note("<p>real</p>", to=[me], cc=[], tag=[mention])
    other.put(real)
    false = {**real, "content": "<p>forged</p>"}
    assert (await here.deliver(relay.sign_post(INBOX, alice.create(false)))).status_code == 202
    assert await here.work() == []
    content = await here.world.value("SELECT content FROM statuses WHERE uri = :uri", uri=real["id"])
    assert content == "<p>real</p>"
    unreal = alice.note("<p>never written</p>", to=[me], cc=[], tag=[mention])
    assert (await here.deliver(relay.sign_post(INBOX, alice.create(unreal)))).status_code == 202
    assert (await here.deliver(relay.sign_post(INBOX, alice.activity("Delete", real["id"])))).status_code == 202
    await here.work()
    assert await here.world.value("SELECT count(*) FROM statuses") == 1
    del other.documents[f"/users/alice/statuses/{real['id'].rpartition('/')[2]}"]
    assert (await here.deliver(relay.sign_post(INBOX, alice.activity("Delete", real["id"])))).status_code == 202
    await here.work()
    assert await here.world.value("SELECT count(*) FROM statuses") == 0
    assert bob.id


@pytest.mark.parametrize("kind", ["Follow", "Like", "Undo", "Accept", "Block", "Move", "Flag", "Add"])
def test_what_nobody_passes_on_is_refused(migrated_database_url: str, kind: str) -> None:
    @receiving
    async def play(here: Here) -> None:
        peer = here.peer()
        alice, relay = peer.add_actor("alice"), peer.add_actor("relay")
        sent = relay.sign_post(INBOX, alice.activity(kind, f"{BASE}/users/bob"))
        assert (await here.deliver(sent)).status_code == 401

    play(migrated_database_url)


@receiving
async def test_a_proof_by_the_author_lets_anybody_pass_it_on(here: Here) -> None:
    one, other = here.peer(), here.peer()
    relay = one.add_actor("relay")
    key, wrong = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    alice = other.add_actor("alice")
    method = f"{alice.uri}#ed25519-key"
    alice.document["assertionMethod"] = [
        {
            "id": method,
            "type": "Multikey",
            "controller": alice.uri,
            "publicKeyMultibase": write_public(key.public_key()),
        }
    ]
    await here.world.account("bob")
    me = f"{BASE}/users/bob"
    note = alice.note("<p>proven</p>", to=[me], cc=[], tag=[{"type": "Mention", "href": me, "name": "@bob"}])
    create = alice.create(note)
    for signer, count in ((wrong, 0), (key, 1)):
        proven = prove({**create, "id": f"{create['id']}{count}"}, method, signer, "2026-01-01T00:00:00Z")
        assert (await here.deliver(relay.sign_post(INBOX, proven))).status_code == 202
        await here.work()
        assert await here.world.value("SELECT count(*) FROM statuses") == count
    assert other.asked(f"/users/alice/statuses/{note['id'].rpartition('/')[2]}") == 0
