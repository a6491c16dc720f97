"""What becomes of a member who is deleted, here and on the other server."""

from __future__ import annotations

import requests

from server import PATIENCE

from .peers import Peers

JSON = {"Accept": "application/activity+json"}


def test_who_is_deleted_is_gone_everywhere(peers: Peers) -> None:
    alpha, beta = peers.alpha, peers.beta
    alice, bob = alpha.sign_up("alice"), beta.sign_up("bob")
    peers.befriend(alice, bob)
    made = [alpha.post("/api/v1/statuses", alice, status=f"Number {n}", visibility="public") for n in range(3)]
    for status in made:
        beta.at_home(bob, status["uri"])
    alpha.server.command("accounts", "delete", alice.username, "--yes")
    own = f"{alpha.server.url}/api/v1/accounts/verify_credentials"
    assert requests.get(own, headers=alice.headers, timeout=PATIENCE).status_code == 401
    actor = requests.get(f"{alpha.server.url}/users/{alice.username}", headers=JSON, timeout=PATIENCE)
    assert (actor.status_code, actor.json()["type"]) == (410, "Tombstone")
    beta.until(lambda: not any(one["account"]["username"] == alice.username for one in beta.home(bob)), "beta forgets")

    def is_erased() -> bool:
        path = f"{alpha.server.url}/api/v1/statuses/"
        return all(requests.get(path + one["id"], timeout=PATIENCE).status_code == 404 for one in made)

    alpha.until(is_erased, "the statuses go")
    form = {"username": alice.username, "email": "new@mail.example", "password": "correct horse", "agreement": "true"}
    with_app = {"Authorization": f"Bearer {alpha.server._app_token()}"}
    again = requests.post(f"{alpha.server.url}/api/v1/accounts", json=form, headers=with_app, timeout=PATIENCE)
    assert again.status_code == 422
