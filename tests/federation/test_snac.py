"""What people do with each other, between our server and snac."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server import Member

from .peers import check_waits
from .snac import WithSnac, require_snac, run_with_snac


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithSnac]:
    """Both servers, for all tests of this module."""
    require_snac()
    with run_with_snac(tmp_path_factory.mktemp("snac")) as both:
        yield both
        check_waits(both.ours.waits)


@pytest.fixture(scope="module")
def friends(running: WithSnac) -> tuple[Member, str, str]:
    """Two who follow each other: the member, the other's name, and their id at our server."""
    alice, sam = running.ours.sign_up("alice"), "sam"
    running.snac.join(sam)
    return alice, sam, running.befriend(alice, sam)


Friends = tuple[Member, str, str]


def test_statuses_and_edits_and_deletes_go_there(running: WithSnac, friends: Friends) -> None:
    alice, _, _ = friends
    status = running.ours.post("/api/v1/statuses", alice, status="Hello snac")
    running.ours.until(lambda: running.snac.knows(status["uri"], "Hello snac"), "it arrives")
    running.ours.put(f"/api/v1/statuses/{status['id']}", alice, status="Hello again")
    running.ours.until(lambda: running.snac.knows(status["uri"], "Hello again"), "the edit arrives")
    running.ours.delete(f"/api/v1/statuses/{status['id']}", alice)
    running.ours.until(lambda: not running.snac.knows(status["uri"]), "it is deleted")


@pytest.mark.parametrize(("kind", "visibility"), [("note", "public"), ("note_unlisted", "unlisted")])
def test_statuses_come_here(running: WithSnac, friends: Friends, kind: str, visibility: str) -> None:
    alice, sam, _ = friends
    uri = running.snac.note(sam, f"Said {visibility}", kind)
    seen = running.ours.at_home(alice, uri)
    assert seen["visibility"] == visibility
    assert f"Said {visibility}" in seen["content"]


def test_a_mention_comes_here(running: WithSnac, friends: Friends) -> None:
    alice, sam, _ = friends
    running.snac.does("note_mention", sam, f"Only for {running.ours.handle(alice)}")
    status = running.ours.notified(alice, "mention")["status"]
    assert status["visibility"] == "direct"
    assert status["account"]["acct"] == f"{sam}@delta.test"


def test_boosts_and_their_end_come_here(running: WithSnac, friends: Friends) -> None:
    alice, sam, _ = friends
    status = running.ours.post("/api/v1/statuses", alice, status="Boost this")
    running.ours.until(lambda: running.snac.knows(status["uri"]), "it arrives")
    running.snac.does("boost", sam, status["uri"])
    path = f"/api/v1/statuses/{status['id']}"
    running.ours.until(lambda: running.ours.get(path, alice)["reblogs_count"] == 1, "the boost is counted")
    running.snac.does("unboost", sam, status["uri"])
    running.ours.until(lambda: running.ours.get(path, alice)["reblogs_count"] == 0, "it is taken back")


def test_followers_come_along_from_there(running: WithSnac) -> None:
    alice, bob = running.ours.sign_up("alice"), running.ours.sign_up("bob")
    running.snac.join("sid")
    id_ = running.ours.find(alice, "@sid@delta.test")["id"]
    running.ours.post(f"/api/v1/accounts/{id_}/follow", alice)
    path = "/api/v1/accounts/relationships"

    def follows(whom: str) -> bool:
        return bool(running.ours.get(path, alice, **{"id[]": whom})[0]["following"])

    running.ours.until(lambda: follows(id_), "the follow is accepted")
    running.ours.server.command("accounts", "alias", bob.username, "@sid@delta.test")
    running.snac.does("alias", "sid", running.ours.actor(bob))
    running.snac.does("migrate", "sid")
    running.ours.until(lambda: follows(bob.id), "the follower has come along")
