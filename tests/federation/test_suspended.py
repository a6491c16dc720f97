"""What other servers hear of accounts that moderators suspend, here and there."""

from __future__ import annotations

import requests

from server import PATIENCE

from .peers import Peers

JSON = {"Accept": "application/activity+json"}


def test_the_other_server_hears_of_a_suspension_and_of_its_end(peers: Peers) -> None:
    alpha, beta = peers.alpha, peers.beta
    alice, bob = alpha.sign_up("alice"), beta.sign_up("bob")
    peers.befriend(alice, bob)
    status = alpha.post("/api/v1/statuses", alice, status="Here I am", visibility="public")
    copy = beta.at_home(bob, status["uri"])
    own = f"{alpha.server.url}/api/v1/accounts/verify_credentials"

    # Of a member of its own: everybody may know no more than the name and the key, until it ends.
    alpha.server.command("accounts", "suspend", alice.username)
    assert requests.get(own, headers=alice.headers, timeout=PATIENCE).status_code == 403
    actor = requests.get(f"{alpha.server.url}/users/{alice.username}", headers=JSON, timeout=PATIENCE).json()
    assert actor["suspended"] is True and actor["publicKey"] and actor["summary"] is None
    note = requests.get(f"{alpha.server.url}/users/{alice.username}/statuses/{status['id']}", headers=JSON, timeout=9)
    assert note.status_code in (403, 404)
    known = copy["account"]["id"]
    beta.until(lambda: beta.get(f"/api/v1/accounts/{known}", bob).get("suspended"), "beta hears of it")
    assert not any(one["id"] == copy["id"] for one in beta.home(bob))
    alpha.server.command("accounts", "unsuspend", alice.username)
    beta.until(lambda: not beta.get(f"/api/v1/accounts/{known}", bob).get("suspended"), "beta hears of the end")
    assert any(one["id"] == copy["id"] for one in beta.home(bob))
    assert requests.get(own, headers=alice.headers, timeout=PATIENCE).status_code == 200

    # Of somebody elsewhere: both servers know that nobody follows any more.
    beta.server.command("accounts", "suspend", alpha.handle(alice))
    for server, who in ((alpha, alice), (beta, bob)):
        path = f"/api/v1/accounts/{who.id}"
        server.until(
            lambda server=server, path=path: (
                {server.get(path)[n] for n in ("followers_count", "following_count")} == {0}
            ),
            f"the follows end at {server.name}",
        )
    (told,) = [one for one in beta.get("/api/v1/notifications", bob) if one["type"] == "severed_relationships"]
    assert told["event"]["type"] == "account_suspension"
    assert (told["event"]["followers_count"], told["event"]["following_count"]) == (1, 1)
