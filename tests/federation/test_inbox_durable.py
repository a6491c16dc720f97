"""What was accepted survives: the whole server is killed between its answer and its work."""

from pathlib import Path

import requests

from server import RunningServer

from .authority import authority
from .fake_peer import FakePeer

FOLLOWERS = 8


def test_a_kill_after_the_answer_loses_nothing(migrated_database_url: str, tmp_path: Path) -> None:
    settings = {"PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8", "SSL_CERT_FILE": str(authority().file)}
    with FakePeer() as peer, RunningServer(tmp_path / "server", migrated_database_url, settings) as server:
        me = server.sign_up("me")
        uri = f"{server.url}/users/{me.username}"
        for number in range(FOLLOWERS):
            actor = peer.add_actor(f"follower{number}")
            for url in (f"{uri}/inbox", f"{server.url}/inbox"):
                sent = actor.sign_post(url, actor.activity("Follow", uri))
                answer = requests.post(sent.url, data=sent.body, headers=sent.headers, timeout=30)
                assert answer.status_code == 202, answer.text
        server.kill()
        server.start()

        def followers() -> bool:
            shown = requests.get(f"{server.url}/api/v1/accounts/{me.id}", timeout=30).json()
            return bool(shown["followers_count"] == FOLLOWERS)

        server.until(followers, "everybody follows who was told so")
        server.until(lambda: len(peer.received()) >= FOLLOWERS, "everybody hears of it")
        assert {one["type"] for one in peer.received()} == {"Accept"}
        shown = server.command("domains", "block", peer.domain, "--severity", "suspend")
        assert "suspend" in shown
        assert peer.domain in server.command("domains", "list")
        assert f"{FOLLOWERS} accounts" in server.command("domains", "purge", peer.domain, "--dry-run")
        server.command("domains", "purge", peer.domain, "--yes")
        assert "0 accounts" in server.command("domains", "purge", peer.domain, "--dry-run")
