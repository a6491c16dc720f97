"""Quotes between two servers: asked for, agreed to, taken back."""

from __future__ import annotations

from typing import Any

import requests

from .peers import Peers
from .test_two_servers import post


def quote_of(peers: Peers, who: Any, status_id: str) -> dict[str, Any]:
    """The quote of a status on beta."""
    quote: dict[str, Any] = peers.beta.get(f"/api/v1/statuses/{status_id}", who)["quote"]
    return quote


def test_a_quote_is_asked_for_and_taken_back(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    said = post(peers, alice, "Quote me")
    seen = peers.beta.at_home(bob, said["uri"])
    assert seen["quote_approval"]["current_user"] == "automatic"
    made = peers.beta.post("/api/v1/statuses", bob, status="Look", quoted_status_id=seen["id"])
    accepted = peers.beta.until(
        lambda: one if (one := quote_of(peers, bob, made["id"]))["state"] == "accepted" else None, "the consent"
    )
    assert accepted["quoted_status"]["uri"] == said["uri"]
    told = peers.alpha.notified(alice, "quote")["status"]
    assert (told["uri"], told["quote"]["state"]) == (made["uri"], "accepted")
    assert peers.alpha.get(f"/api/v1/statuses/{said['id']}", alice)["quotes_count"] == 1
    path = f"/api/v1/statuses/{said['id']}/quotes/{told['id']}/revoke"
    assert peers.alpha.post(path, alice)["quote"]["state"] == "revoked"
    peers.beta.until(lambda: quote_of(peers, bob, made["id"])["state"] == "revoked" or None, "it is taken back")


def test_nobody_is_quoted_who_does_not_want_to_be(peers: Peers) -> None:
    alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
    peers.befriend(alice, bob)
    closed = post(peers, alice, "Not me", quote_approval_policy="nobody")
    seen = peers.beta.at_home(bob, closed["uri"])
    assert seen["quote_approval"] == {"automatic": [], "manual": [], "current_user": "denied"}
    sent = {"status": "Look", "quoted_status_id": seen["id"]}
    address = f"{peers.beta.server.url}/api/v1/statuses"
    assert requests.post(address, json=sent, headers=bob.headers, timeout=30).status_code == 404
    open_one = post(peers, alice, "Me")
    seen = peers.beta.at_home(bob, open_one["uri"])
    made = peers.beta.post("/api/v1/statuses", bob, status="Mine", quoted_status_id=seen["id"])
    peers.beta.until(lambda: quote_of(peers, bob, made["id"])["state"] == "accepted" or None, "the consent")
    changed = f"/api/v1/statuses/{open_one['id']}/interaction_policy"
    peers.alpha.put(changed, alice, quote_approval_policy="followers")
    peers.beta.until(
        lambda: (
            peers.beta.get(f"/api/v1/statuses/{seen['id']}", bob)["quote_approval"]["automatic"] == ["followers"]
            or None
        ),
        "the policy",
    )
