"""What members do reaches fake peers: who gets it, signed by whom, and what happens when they do not take it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from phiomia.activitypub.signatures.request import Request
from phiomia.domain.accounts.events import AccountDeleted
from phiomia.domain.accounts.peers import FORGOTTEN_MS, forget_peers
from phiomia.domain.peers.reach import note_reachable
from phiomia.domain.peers.receipts import DeliveryState, Note, expect_receipts, note_receipts
from phiomia.domain.peers.relays import add_relay, note_relay_answer
from phiomia.domain.peers.rules import note_rules_changed
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.follow_requests import authorize_follow_request
from phiomia.domain.relationships.followers_digest import digest_of
from phiomia.domain.relationships.remove_from_followers import remove_from_followers
from phiomia.domain.relationships.unblock import unblock
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.statuses.boost import boost, unboost
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.favourite import favourite, unfavourite
from phiomia.domain.statuses.pin import pin, unpin
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.inbox import followers_sync
from phiomia.federation.inbox.followers_sync import SyncFollowers
from phiomia.federation.outbox.availability import Host, judge_answer, read_retry_after
from phiomia.federation.outbox.forward import find_interested, forward_later
from phiomia.federation.outbox.relays import AskRelay, name_follow
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Query, open_database
from phiomia.platform.events import record
from phiomia.platform.jobs import defer, hosts
from phiomia.upgrade import schema
from world import BASE

from .fake_peer import FakePeer
from .stage import Stage, staged

OK = DeliveryState.REACHED
STATES = "SELECT state, attempts FROM deliveries WHERE status_id = :id"


@staged
async def test_a_status_reaches_a_server_once_however_many_follow_there(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    for name in ("bob", "carol", "dave"):
        await stage.follow(await stage.meet(peer.add_actor(name)), alice)
    status_id = await stage.post(alice)
    await stage.until(lambda: [one for one in peer.received() if one["type"] == "Create"], "it arrives")
    await stage.settle()
    (create,) = [one for one in peer.received("/inbox") if one["type"] == "Create"]
    assert create["actor"] == f"{BASE}/users/alice"
    assert create["object"]["id"] == f"{BASE}/users/alice/statuses/{status_id}"
    (request,) = [one for one in peer.requests if one.method == "POST" and one.activity["type"] == "Create"]
    assert f'keyId="{BASE}/users/alice#main-key"' in request.headers["Signature"]
    assert Request.of("POST", peer.url, request.headers.items()).value("digest")
    assert await stage.rows(STATES, id=status_id) == [(OK, 1)]


@staged
async def test_who_gets_what_follows_from_the_visibility(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    follower = await stage.meet(peer.add_actor("follower"), shared=False)
    named = await stage.meet(peer.add_actor("named"), shared=False)
    await stage.meet(peer.add_actor("stranger"), shared=False)
    await stage.follow(follower, alice)
    await stage.settle()
    for visibility in Visibility:
        await stage.post(alice, visibility.word, visibility=visibility, mentions=[named.id])
    await stage.settle()
    got = {
        name: sorted(one["object"]["content"] for one in peer.received(f"/users/{name}/inbox") if "to" in one)
        for name in ("follower", "named", "stranger")
    }
    assert got == {
        "follower": ["private", "public", "unlisted"],
        "named": ["direct", "private", "public", "unlisted"],
        "stranger": [],
    }


@staged
async def test_followers_are_named_by_a_digest_with_what_is_for_them(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob")), alice)
    await stage.settle()
    peer.requests.clear()
    await stage.post(alice, visibility=Visibility.PRIVATE)
    await stage.post(alice)
    await stage.settle()
    told = {
        one.activity["object"]["to"][0][-9:]: one.headers.get("Collection-Synchronization") for one in peer.requests
    }
    assert told.pop("ms#Public") is None
    (header,) = told.values()
    assert header is not None and f'collectionId="{BASE}/users/alice/followers"' in header


@staged
async def test_everything_between_two_people_is_told(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice", locked=True)
    bob = await stage.meet(peer.add_actor("bob"), shared=False)
    theirs = f"{peer.url}/follows/1"
    for verb in (
        lambda session: follow(session, alice.id, bob.id),
        lambda session: unfollow(session, alice.id, bob.id),
        lambda session: follow(session, bob.id, alice.id, uri=theirs),
        lambda session: authorize_follow_request(session, alice.id, bob.id),
        lambda session: remove_from_followers(session, alice.id, bob.id),
        lambda session: block(session, alice.id, bob.id),
        lambda session: unblock(session, alice.id, bob.id),
    ):
        await stage.world.write(verb)
        await stage.settle()
    sent = peer.received("/users/bob/inbox")
    kinds = [one["type"] for one in sent]
    assert kinds == ["Follow", "Undo", "Accept", "Reject", "Block", "Undo"]
    assert sent[1]["object"]["id"] == sent[0]["id"]
    assert sent[2]["object"] == {"id": theirs, "type": "Follow", "actor": f"{peer.url}/users/bob"} | {
        "object": f"{BASE}/users/alice"
    }
    assert sent[5]["object"]["id"] == sent[4]["id"]


@staged
async def test_marks_boosts_pins_and_deletions_are_told_and_taken_back(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    bob = await stage.meet(peer.add_actor("bob"))
    await stage.follow(bob, alice)
    their_uri = f"{peer.url}/statuses/1"
    theirs = await stage.post(bob, local=False, uri=their_uri)
    ours = await stage.post(alice)
    await stage.settle()
    peer.requests.clear()
    for verb in (
        lambda session: favourite(session, alice.id, theirs),
        lambda session: unfavourite(session, alice.id, theirs),
        lambda session: boost(session, alice.id, theirs),
        lambda session: unboost(session, alice.id, theirs),
        lambda session: pin(session, alice.id, ours),
        lambda session: unpin(session, alice.id, ours),
        lambda session: delete_status(session, alice.id, ours),
    ):
        await stage.world.write(verb)
        await stage.settle()
    sent = peer.received("/inbox")
    assert [one["type"] for one in sent] == ["Like", "Undo", "Announce", "Undo", "Add", "Remove", "Delete"]
    assert sent[0]["object"] == sent[2]["object"] == sent[3]["object"]["object"] == their_uri
    assert sent[1]["object"]["id"] == sent[0]["id"] and sent[3]["object"]["id"] == sent[2]["id"]
    assert sent[6]["object"]["type"] == "Tombstone"


@staged
async def test_whoever_has_a_copy_hears_that_it_is_gone(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    people = [await stage.meet(peer.add_actor(name), shared=False) for name in ("booster", "fan", "replier")]
    ours = await stage.post(alice)
    await stage.world.write(lambda session: boost(session, people[0].id, ours, uri=f"{peer.url}/boosts/1"))
    await stage.world.write(lambda session: favourite(session, people[1].id, ours))
    await stage.post(people[2], local=False, uri=f"{peer.url}/statuses/2", in_reply_to_id=ours)
    await stage.world.write(lambda session: delete_status(session, alice.id, ours))
    await stage.settle()
    for name in ("booster", "fan", "replier"):
        assert [one["type"] for one in peer.received(f"/users/{name}/inbox")] == ["Delete"]


@staged
async def test_nothing_goes_to_a_blocked_server(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob")), alice)
    await stage.settle()
    peer.requests.clear()
    await stage.world.execute(
        "INSERT INTO domain_blocks (id, domain, severity, created_at) VALUES (1, :domain, 2, 1)", domain="127.0.0.1"
    )
    await stage.world.write(note_rules_changed)
    await stage.post(alice)
    await stage.settle()
    assert peer.received() == []


@staged
async def test_a_server_that_is_away_rests_and_gets_everything_once_it_is_heard_from(
    stage: Stage, peer: FakePeer
) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob")), alice)
    await stage.settle()
    peer.requests.clear()
    peer.inbox_status = 503
    wanted = [await stage.post(alice, f"<p>{n}</p>") for n in range(5)]
    await stage.settle()
    # Two run at once; the others have waited since.
    assert 1 <= len(peer.requests) <= 2
    assert [row[0] for row in await stage.rows("SELECT host FROM jobs WHERE queue = 'retry'")] == [peer.domain] * 5
    states = {state for status_id in wanted for state, _ in await stage.rows(STATES, id=status_id)}
    assert states <= {DeliveryState.WAITING, DeliveryState.RETRYING}
    peer.inbox_status = 202
    peer.requests.clear()
    assert await stage.world.write(lambda session: note_reachable(session, peer.domain, now_ms()))
    await stage.settle()
    assert sorted(one["object"]["content"] for one in peer.received()) == [f"<p>{n}</p>" for n in range(5)]
    for status_id in wanted:
        assert [state for state, _ in await stage.rows(STATES, id=status_id)] == [OK]


@staged
async def test_what_is_refused_or_gone_is_not_tried_again(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob")), alice)
    await stage.settle()
    peer.inbox_status = 403
    refused = await stage.post(alice)
    await stage.settle()
    assert [state for state, _ in await stage.rows(STATES, id=refused)] == [DeliveryState.REJECTED]
    peer.inbox_status = 410
    gone = await stage.post(alice)
    await stage.settle()
    after = await stage.post(alice)
    await stage.settle()
    assert [state for state, _ in await stage.rows(STATES, id=gone)] == [DeliveryState.GONE]
    assert await stage.rows(STATES, id=after) == [(DeliveryState.GONE, 0)]
    assert await stage.count_jobs() == 0


@staged
async def test_a_server_may_say_when_to_come_back(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob")), alice)
    await stage.settle()
    peer.inbox_status = 429
    peer.inbox_headers = {"Retry-After": "600"}
    await stage.post(alice)
    await stage.settle()
    retry_at = await stage.world.value("SELECT retry_at FROM peers WHERE host = :host", host=peer.domain)
    assert 500_000 < retry_at - now_ms() <= 600_000
    (run_at,) = [row[0] for row in await stage.rows("SELECT run_at FROM jobs WHERE type = 'outbox.deliver'")]
    assert run_at >= retry_at


@staged
async def test_servers_of_which_nothing_is_worth_knowing_are_forgotten(stage: Stage, peer: FakePeer) -> None:
    await stage.meet(peer.add_actor("bob"))
    now = now_ms()
    long_ago, lately = now - FORGOTTEN_MS - 1_000, now - FORGOTTEN_MS + 60_000
    rows = {
        "well.example": (0, None, None, None),
        "away-for-long.example": (9, long_ago, now, None),
        "gone-for-long.example": (0, None, None, long_ago),
        "away.example": (9, lately, now, None),
        "gone.example": (0, None, None, lately),
        "busy.example": (0, None, now, None),
        "failed.example": (1, lately, None, None),
        peer.domain: (9, long_ago, now, None),
    }
    for host, (failures, since, retry_at, gone_at) in rows.items():
        await stage.world.execute(
            "INSERT INTO peers (host, failures, unavailable_since, retry_at, gone_at)"
            " VALUES (:host, :failures, :since, :retry_at, :gone_at)",
            host=host, failures=failures, since=since, retry_at=retry_at, gone_at=gone_at,
        )  # fmt: skip
    assert await stage.world.write(forget_peers) == 3
    left = {host for (host,) in await stage.rows("SELECT host FROM peers")}
    assert left == {"away.example", "gone.example", "busy.example", "failed.example", peer.domain}


@pytest.mark.parametrize(
    ("status", "state", "host"),
    [
        (200, DeliveryState.REACHED, Host.WELL),
        (202, DeliveryState.REACHED, Host.WELL),
        (301, DeliveryState.RETRYING, Host.WELL),
        (400, DeliveryState.REJECTED, Host.WELL),
        (401, DeliveryState.RETRYING, Host.WELL),
        (404, DeliveryState.REJECTED, Host.WELL),
        (408, DeliveryState.RETRYING, Host.WELL),
        (410, DeliveryState.GONE, Host.GONE),
        (429, DeliveryState.RETRYING, Host.WELL),
        (500, DeliveryState.RETRYING, Host.UNKNOWN),
        (501, DeliveryState.REJECTED, Host.WELL),
        (502, DeliveryState.RETRYING, Host.UNREACHABLE),
    ],
)
def test_what_answers_mean(status: int, state: DeliveryState, host: Host) -> None:
    verdict = judge_answer(status, {}, 0)
    assert (verdict.state, verdict.host) == (state, host)


def test_how_long_a_server_wants_to_rest() -> None:
    now = int(time.time() * 1000)
    assert read_retry_after("120", now) == 120_000
    assert read_retry_after("0", now) == 1_000
    assert read_retry_after("99999999999999", now) == 24 * 3_600_000
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now) == 1_000
    assert read_retry_after("soon", now) == 0 == read_retry_after("", now)


@staged
async def test_replies_are_passed_on_as_they_came(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("follower"), shared=False), alice)
    ours = await stage.post(alice)
    await stage.settle()
    peer.requests.clear()
    with FakePeer() as other:
        stranger = await stage.meet(other.add_actor("stranger"), shared=False)
        note = other.actors["stranger"].note()
        await stage.post(stranger, local=False, uri=note["id"], in_reply_to_id=ours)
        signed = other.actors["stranger"].create(note) | {"signature": {"type": "RsaSignature2017"}}
        assert await find_interested(stage.world.db, signed) == alice.id
        assert await find_interested(stage.world.db, other.actors["stranger"].create(note)) is None
        body = json.dumps(signed, indent=1)
        await stage.world.write(lambda session: forward_later(session, alice.id, body, other.url + "/users/stranger"))
        await stage.settle()
    (request,) = [one for one in peer.requests if one.method == "POST"]
    assert request.body == body.encode()
    assert f'keyId="{BASE}/users/alice#main-key"' in request.headers["Signature"]


@staged
async def test_followers_that_a_server_does_not_know_are_put_right(stage: Stage, peer: FakePeer) -> None:
    alice, carol = await stage.world.account("alice"), await stage.world.account("carol")
    actor = peer.add_actor("bob")
    bob = await stage.meet(actor)
    await stage.world.execute("UPDATE accounts SET followers_url = :url", url=actor.document["followers"])
    await stage.world.write(lambda session: follow(session, alice.id, bob.id))
    await stage.world.write(lambda session: authorize_follow_request(session, bob.id, alice.id))
    await stage.settle()
    peer.requests.clear()
    listed = [f"{BASE}/users/carol"]
    url = f"{actor.uri}/followers_synchronization"
    peer.put({"id": url, "type": "OrderedCollection", "orderedItems": listed})
    header = f'collectionId="{actor.document["followers"]}", url="{url}", digest="{digest_of(listed)}"'
    await stage.world.write(lambda session: defer(session, SyncFollowers(actor.uri, header)))
    await stage.settle()
    assert await stage.rows("SELECT id FROM follows") == []
    (undo,) = peer.received()
    assert (undo["type"], undo["actor"]) == ("Undo", f"{BASE}/users/carol")
    assert carol.id


@staged
async def test_a_list_of_everybody_here_orders_no_delivery_for_each(stage: Stage, peer: FakePeer) -> None:
    actor, names = peer.add_actor("bob"), ("alice", "carol", "dave", "erin")
    for name in names:
        await stage.world.account(name)
    await stage.meet(actor)
    await stage.world.execute("UPDATE accounts SET followers_url = :url", url=actor.document["followers"])
    listed = [f"{BASE}/users/{name}" for name in names]
    url = f"{actor.uri}/followers_synchronization"
    peer.put({"id": url, "type": "OrderedCollection", "orderedItems": listed})
    header = f'collectionId="{actor.document["followers"]}", url="{url}", digest="{digest_of(listed)}"'
    with patch.object(followers_sync, "_MOST_UNDONE", 2):
        await stage.world.write(lambda session: defer(session, SyncFollowers(actor.uri, header)))
        await stage.settle()
    assert [one["type"] for one in peer.received()] == ["Undo", "Undo"]


@staged
async def test_a_relay_is_asked_and_gets_what_is_public(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    inbox, uri = f"{peer.url}/relay/inbox", name_follow(BASE)
    await stage.world.write(lambda session: add_relay(session, inbox, uri))
    await stage.world.write(lambda session: defer(session, AskRelay(inbox, uri)))
    await stage.settle()
    (asked,) = peer.received("/relay/inbox")
    assert (asked["type"], asked["id"], asked["actor"]) == ("Follow", uri, f"{BASE}/actor")
    await stage.post(alice, "<p>before</p>")
    await stage.settle()
    await stage.world.write(lambda session: note_relay_answer(session, uri, "", accepted=True))
    await stage.post(alice, "<p>public</p>")
    await stage.post(alice, "<p>quiet</p>", visibility=Visibility.UNLISTED)
    await stage.settle()
    assert [one["object"]["content"] for one in peer.received("/relay/inbox")[1:]] == ["<p>public</p>"]


@staged
async def test_everybody_hears_of_an_account_that_is_gone(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.meet(peer.add_actor("stranger"), shared=False)
    await stage.world.write(lambda session: record(session, AccountDeleted(alice.id, "alice")))
    await stage.settle()
    (farewell,) = peer.received("/users/stranger/inbox")
    assert (farewell["type"], farewell["object"]) == ("Delete", f"{BASE}/users/alice")


def test_what_waits_for_one_server_is_found_without_looking_through_the_rest(tmp_path: Path) -> None:
    async def explain(moving: Query) -> str:
        url = f"sqlite:///{tmp_path}/plan.sqlite3"
        await schema.upgrade(url)
        db = open_database(url)
        await db.start()
        sql = re.sub(r"\?\d*", "1", moving.for_sqlite().sql)
        try:
            async with db.read() as session:
                return "\n".join(
                    str(row[3]) for row in await session.all(Query.raw(sqlite=f"EXPLAIN QUERY PLAN {sql}"))
                )
        finally:
            await db.close()

    for moving in (hosts._PUT_OFF, hosts._BRING_FORWARD):
        assert "ix_jobs_host (host=?" in asyncio.run(explain(moving))


@staged
async def test_what_a_server_makes_us_write_down_can_be_written(stage: Stage, _peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    status_id = await stage.post(alice)
    inbox = "https://odd.example/inbox"
    await stage.world.write(
        lambda session: expect_receipts(session, status_id, [(inbox, "odd.example")], DeliveryState.WAITING)
    )
    odd = Note(status_id, inbox, DeliveryState.RETRYING, "bad status line \udcff\0 " + "x" * 5_000)
    await stage.world.write(lambda session: note_receipts(session, [odd]))
    ((written,),) = await stage.rows("SELECT last_error FROM deliveries WHERE status_id = :id", id=status_id)
    assert written.startswith("bad status line ?") and len(written) <= 300
