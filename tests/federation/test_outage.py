"""A server is really away for two minutes, while others go on: afterwards everything is there, and nothing twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from server import Member

from .peers import Peer, Peers, check_waits, run_peers

OUTAGE_S = 120.0


def _post(peer: Peer, who: Member, text: str, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = peer.post("/api/v1/statuses", who, status=text, **more)
    return status


@pytest.mark.timeout(OUTAGE_S + 240)
def test_all_of_two_minutes_arrives_once(tmp_path: Path) -> None:
    with run_peers(tmp_path) as peers:
        alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
        there, _ = peers.befriend(alice, bob)
        before = _post(peers.alpha, alice, "Befroe")
        theirs = peers.alpha.at_home(alice, _post(peers.beta, bob, "Before")["uri"])
        here = peers.beta.at_home(bob, before["uri"])["id"]
        with peers.beta.away():
            ended = time.monotonic() + OUTAGE_S
            made = [_post(peers.alpha, alice, f"Number {n}") for n in range(3)]
            peers.alpha.put(f"/api/v1/statuses/{before['id']}", alice, status="Before")
            peers.alpha.post(f"/api/v1/statuses/{theirs['id']}/favourite", alice)
            # By now it is known to alpha that beta is away, and tried again more than once until it comes back.
            time.sleep(OUTAGE_S / 2)
            made += [_post(peers.alpha, alice, f"{peers.beta.handle(bob)} late", visibility="direct")]
            time.sleep(max(ended - time.monotonic(), 0.0))
        # The first sign of life brings everything; without one it would come with alpha's next try.
        _post(peers.beta, bob, "Back again")
        _see_it_all(peers, bob, here, made)
        assert peers.alpha.get("/api/v1/accounts/relationships", alice, **{"id[]": there})[0]["following"]
        check_waits(peers.alpha.waits + peers.beta.waits)
        peers.check_logs()


def _see_it_all(peers: Peers, bob: Member, edited: str, made: list[dict[str, Any]]) -> None:
    for status in made[:-1]:
        peers.beta.at_home(bob, status["uri"])
    path = f"/api/v1/statuses/{edited}"
    peers.beta.until(lambda: peers.beta.get(path, bob)["content"] == "<p>Before</p>" or None, "the edit")
    assert peers.beta.notified(bob, "mention")["status"]["uri"] == made[-1]["uri"]
    peers.beta.notified(bob, "favourite")
    uris = [status["uri"] for status in peers.beta.home(bob)]
    assert len(uris) == len(set(uris))
    kinds = sorted(one["type"] for one in peers.beta.get("/api/v1/notifications", bob))
    assert kinds == ["favourite", "follow", "mention"]
