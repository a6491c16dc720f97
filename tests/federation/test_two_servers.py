"""Two Phiomia servers speak with each other about everything that people do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from .peers import Peer, Peers


def post(peers: Peers, who: Any, text: str, **more: Any) -> dict[str, Any]:
    """A status on alpha."""
    status: dict[str, Any] = peers.alpha.post("/api/v1/statuses", who, status=text, **more)
    return status


def test_following_both_ways_brings_statuses_home(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    hello = post(peers, alice, "Hello from alpha")
    seen = peers.beta.at_home(bob, hello["uri"])
    assert seen["content"] == "<p>Hello from alpha</p>"
    assert seen["account"]["acct"] == f"{alice.username}@alpha.test"
    answer = peers.beta.post(
        "/api/v1/statuses", bob, status=f"{peers.alpha.handle(alice)} hi", in_reply_to_id=seen["id"]
    )
    back = peers.alpha.at_home(alice, answer["uri"])
    assert back["in_reply_to_id"] == hello["id"]
    assert peers.alpha.notified(alice, "mention")["status"]["uri"] == answer["uri"]


def test_each_visibility_reaches_those_it_is_for(peers: Peers) -> None:
    alice, bob, carol = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob"), peers.beta.sign_up("carol")
    peers.follow(peers.beta, bob, peers.alpha, alice)
    peers.beta.patch("/api/v2/notifications/policy", carol, for_private_mentions="accept")
    made = {word: post(peers, alice, word, visibility=word) for word in ("public", "unlisted", "private")}
    named = post(peers, alice, f"{peers.beta.handle(carol)} psst", visibility="direct")
    for word, status in made.items():
        assert peers.beta.at_home(bob, status["uri"])["visibility"] == word
    got = peers.beta.notified(carol, "mention")["status"]
    assert (got["uri"], got["visibility"]) == (named["uri"], "direct")
    assert named["uri"] not in [status["uri"] for status in peers.beta.home(bob)]
    private = peers.beta.at_home(bob, made["private"]["uri"])
    answer = requests.get(f"{peers.beta.server.url}/api/v1/statuses/{private['id']}", headers=carol.headers, timeout=30)
    assert answer.status_code == 404


def test_marks_boosts_edits_and_deletions_arrive(peers: Peers) -> None:
    alice, bob, carol = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob"), peers.alpha.sign_up("carol")
    peers.befriend(alice, bob)
    peers.follow(peers.alpha, carol, peers.beta, bob)
    status = post(peers, alice, "Firts")
    seen = peers.beta.at_home(bob, status["uri"])
    peers.beta.post(f"/api/v1/statuses/{seen['id']}/favourite", bob)
    assert peers.alpha.notified(alice, "favourite")["status"]["id"] == status["id"]
    peers.beta.post(f"/api/v1/statuses/{seen['id']}/reblog", bob)
    assert peers.alpha.notified(alice, "reblog")["status"]["id"] == status["id"]
    boosted = peers.alpha.until(
        lambda: next((one for one in peers.alpha.home(carol) if one["reblog"]), None), "the boost is at home"
    )
    assert boosted["reblog"]["id"] == status["id"]
    peers.alpha.put(f"/api/v1/statuses/{status['id']}", alice, status="First")
    peers.beta.until(
        lambda: peers.beta.get(f"/api/v1/statuses/{seen['id']}", bob)["content"] == "<p>First</p>" or None, "the edit"
    )
    peers.beta.post(f"/api/v1/statuses/{seen['id']}/unfavourite", bob)
    peers.beta.post(f"/api/v1/statuses/{seen['id']}/unreblog", bob)
    peers.alpha.until(lambda: _counts(peers, status["id"]) == (0, 0) or None, "both are taken back")
    peers.alpha.delete(f"/api/v1/statuses/{status['id']}", alice)
    peers.beta.until(lambda: _status_code(peers.beta, bob, seen["id"]) == 404 or None, "the deletion")


def _counts(peers: Peers, status_id: str) -> tuple[int, int]:
    status = peers.alpha.get(f"/api/v1/statuses/{status_id}")
    return status["favourites_count"], status["reblogs_count"]


def test_votes_arrive_in_a_poll(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    made = post(peers, alice, "Which?", poll={"options": ["this", "that"], "expires_in": 3600, "multiple": True})
    poll = peers.beta.at_home(bob, made["uri"])["poll"]
    assert [option["title"] for option in poll["options"]] == ["this", "that"]
    peers.beta.post(f"/api/v1/polls/{poll['id']}/votes", bob, choices=[0, 1])

    def counted() -> bool | None:
        found = peers.alpha.get(f"/api/v1/polls/{made['poll']['id']}", alice)
        return ([option["votes_count"] for option in found["options"]], found["voters_count"]) == ([1, 1], 1) or None

    peers.alpha.until(counted, "the votes are counted")


def test_a_picture_with_its_description_arrives(peers: Peers, tmp_path: Path) -> None:
    import pyvips

    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    file = tmp_path / "blue.png"
    pyvips.Image.black(64, 48, bands=3).linear([0, 0, 0], [10, 20, 200]).cast("uchar").write_to_file(str(file))
    media_id = peers.alpha.upload(alice, file, "All blue")
    made = post(peers, alice, "Look", media_ids=[media_id])
    (media,) = peers.beta.at_home(bob, made["uri"])["media_attachments"]
    assert (media["type"], media["description"]) == ("image", "All blue")


def test_a_profile_arrives_and_changes(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    _, here = peers.befriend(alice, bob)
    peers.alpha.patch("/api/v1/accounts/update_credentials", alice, display_name="Alice in alpha", note="Hello")
    peers.beta.until(
        lambda: peers.beta.get(f"/api/v1/accounts/{here}", bob)["display_name"] == "Alice in alpha" or None, "the name"
    )


def test_whoever_is_locked_is_asked_and_may_say_no(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.alpha.patch("/api/v1/accounts/update_credentials", alice, locked=True)
    here = peers.beta.find(bob, peers.alpha.handle(alice))["id"]
    asked = peers.beta.post(f"/api/v1/accounts/{here}/follow", bob)
    assert (asked["requested"], asked["following"]) == (True, False)
    request = peers.alpha.until(lambda: peers.alpha.get("/api/v1/follow_requests", alice) or None, "the request")[0]
    peers.alpha.post(f"/api/v1/follow_requests/{request['id']}/reject", alice)
    peers.beta.until(lambda: not _relationship(peers, bob, here)["requested"] or None, "the answer")
    peers.beta.post(f"/api/v1/accounts/{here}/follow", bob)
    peers.alpha.until(lambda: peers.alpha.get("/api/v1/follow_requests", alice) or None, "the second request")
    peers.alpha.post(f"/api/v1/follow_requests/{request['id']}/authorize", alice)
    peers.beta.until(lambda: _relationship(peers, bob, here)["following"] or None, "the yes")
    peers.alpha.post(f"/api/v1/accounts/{request['id']}/remove_from_followers", alice)
    peers.beta.until(lambda: not _relationship(peers, bob, here)["following"] or None, "the removal")


def _relationship(peers: Peers, who: Any, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = peers.beta.get("/api/v1/accounts/relationships", who, **{"id[]": id_})[0]
    return found


def test_a_block_ends_what_was(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    there, here = peers.befriend(alice, bob)
    peers.alpha.post(f"/api/v1/accounts/{there}/block", alice)
    # The ends of the follows come apart from it, in any order.
    wanted = {"following": False, "followed_by": False, "blocked_by": True}
    peers.beta.until(lambda: wanted.items() <= _relationship(peers, bob, here).items() or None, "the block")
    peers.alpha.post(f"/api/v1/accounts/{there}/unblock", alice)
    peers.beta.until(lambda: not _relationship(peers, bob, here)["blocked_by"] or None, "the end of the block")


def test_pins_are_seen_elsewhere(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    _, here = peers.befriend(alice, bob)
    made = post(peers, alice, "Pinned")
    peers.beta.at_home(bob, made["uri"])
    peers.alpha.post(f"/api/v1/statuses/{made['id']}/pin", alice)
    pinned = f"/api/v1/accounts/{here}/statuses"
    peers.beta.until(lambda: peers.beta.get(pinned, bob, pinned="true") or None, "the pin")
    peers.alpha.post(f"/api/v1/statuses/{made['id']}/unpin", alice)
    peers.beta.until(lambda: not peers.beta.get(pinned, bob, pinned="true") or None, "the end of the pin")


def test_everything_arrives_once_after_a_server_was_away(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    theirs = peers.alpha.at_home(alice, peers.beta.post("/api/v1/statuses", bob, status="Before")["uri"])
    old, doomed = post(peers, alice, "Old"), post(peers, alice, "Doomed")
    there = {one: peers.beta.at_home(bob, status["uri"])["id"] for one, status in (("old", old), ("doomed", doomed))}
    with peers.beta.away():
        made = [post(peers, alice, word, visibility=word) for word in ("public", "unlisted", "private")]
        peers.alpha.put(f"/api/v1/statuses/{old['id']}", alice, status="Mended")
        peers.alpha.delete(f"/api/v1/statuses/{doomed['id']}", alice)
        for verb in ("favourite", "reblog"):
            peers.alpha.post(f"/api/v1/statuses/{theirs['id']}/{verb}", alice)
        receipts = f"/api/phiomia/v1/statuses/{made[0]['id']}/deliveries"
        peers.alpha.until(lambda: peers.alpha.get(receipts, alice)["retrying"] == 1 or None, "the outage is noticed")
    peers.alpha.let_retries_be_due()
    for status in made:
        peers.beta.at_home(bob, status["uri"])
    edited = f"/api/v1/statuses/{there['old']}"
    peers.beta.until(lambda: peers.beta.get(edited, bob)["content"] == "<p>Mended</p>" or None, "the edit")
    peers.beta.until(lambda: _status_code(peers.beta, bob, there["doomed"]) == 404 or None, "the deletion")
    for kind in ("favourite", "reblog"):
        peers.beta.notified(bob, kind)
    peers.alpha.until(lambda: peers.alpha.get(receipts, alice)["reached"] == 1 or None, "the receipt")
    uris = [status["uri"] for status in peers.beta.home(bob)]
    assert len(uris) == len(set(uris))
    kinds = sorted(one["type"] for one in peers.beta.get("/api/v1/notifications", bob))
    assert kinds == ["favourite", "follow", "reblog"]


def test_whoever_is_heard_from_gets_what_has_waited(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    with peers.beta.away():
        made = [post(peers, alice, f"Number {n}") for n in range(3)]
        receipts = f"/api/phiomia/v1/statuses/{made[0]['id']}/deliveries"
        peers.alpha.until(lambda: peers.alpha.get(receipts, alice)["retrying"] == 1 or None, "the outage is noticed")
    peers.beta.post("/api/v1/statuses", bob, status="Back again")
    for status in made:
        peers.beta.at_home(bob, status["uri"])


def _status_code(peer: Peer, who: Any, status_id: str) -> int:
    return requests.get(f"{peer.server.url}/api/v1/statuses/{status_id}", headers=who.headers, timeout=30).status_code


def test_followers_come_along_when_somebody_moves(peers: Peers) -> None:
    alice, bob, carol = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob"), peers.beta.sign_up("carol")
    peers.follow(peers.beta, carol, peers.alpha, alice)
    new = peers.beta.get("/api/v1/accounts/verify_credentials", bob)["id"]
    with pytest.raises(AssertionError, match="does not name this one"):
        peers.alpha.server.command("accounts", "move", alice.username, peers.beta.handle(bob))
    peers.beta.server.command("accounts", "alias", bob.username, peers.alpha.handle(alice))
    peers.alpha.server.command("accounts", "move", alice.username, peers.beta.handle(bob))
    peers.beta.until(lambda: _relationship(peers, carol, new)["following"] or None, "the follower has come along")
    moved = peers.alpha.get(f"/api/v1/accounts/{alice.id}")["moved"]
    assert moved["acct"] == f"{bob.username}@beta.test"


def test_authors_learn_where_a_status_has_arrived(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    made = post(peers, alice, "Hello")
    address = f"/api/phiomia/v1/statuses/{made['id']}/deliveries"
    peers.alpha.until(lambda: peers.alpha.get(address, alice)["reached"] == 1 or None, "the receipt")
    assert peers.alpha.get(address, alice)["deliveries"][0]["server"] == "beta.test"
    assert "1 inboxes: 1 reached" in peers.alpha.server.command("deliveries", made["uri"])


def test_a_custom_emoji_arrives(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    peers.alpha.execute(
        "INSERT INTO custom_emojis (id, shortcode, domain, url, static_url, created_at)"
        " VALUES (1, 'fennec', '', 'https://alpha.test/media/fennec.png', 'https://alpha.test/media/fennec.png', 1)"
        " ON CONFLICT DO NOTHING"
    )
    made = post(peers, alice, "Look :fennec:")
    (emoji,) = peers.beta.at_home(bob, made["uri"])["emojis"]
    assert emoji["shortcode"] == "fennec"


def test_people_elsewhere_are_asked_before_they_are_recommended(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    there, _ = peers.befriend(alice, bob)
    peers.beta.patch("/api/v1/accounts/update_credentials", bob, discoverable="true")
    add = {"name": "Friends", "discoverable": True}
    made = peers.alpha.post("/api/v1/collections", alice, **add)["collection"]
    path = f"{peers.alpha.server.url}/api/v1/collections/{made['id']}/items"

    def put() -> str | None:
        answer = requests.post(path, headers=alice.headers, json={"account_id": there}, timeout=30)
        return answer.json()["collection_item"]["id"] if answer.ok else None

    item_id = peers.alpha.until(put, "alpha knows that bob may be recommended")
    collection = f"/api/v1/collections/{made['id']}"
    peers.alpha.until(lambda: peers.alpha.get(collection)["collection"]["items"] or None, "bob's server agrees")
    mine = f"/api/v1/accounts/{bob.id}/in_collections"

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = peers.beta.get(mine, bob)["collections"]
        return found

    (shown,) = peers.beta.until(listed, "bob sees where he is recommended")
    assert (shown["name"], shown["local"], shown["uri"]) == ("Friends", False, made["uri"])
    peers.alpha.patch(collection, alice, name="Best friends")
    peers.beta.until(lambda: listed()[0]["name"] == "Best friends" or None, "the new name")
    (place,) = shown["items"]
    peers.beta.post(f"/api/v1/collections/{shown['id']}/items/{place['id']}/revoke", bob)
    peers.alpha.until(lambda: not peers.alpha.get(collection)["collection"]["items"] or None, "he wants out")
    again = requests.post(path, headers=alice.headers, json={"account_id": there}, timeout=30)
    assert (again.status_code, item_id != "") == (403, True)
