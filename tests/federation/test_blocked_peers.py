"""What an operator decides about another server, walked through against one: limited, no pictures, out, allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from server import PATIENCE, Member

from .peers import Peers, run_peers

ACCOUNT = "/api/v1/accounts/{}"
_LEAST_TRIES = 10


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """Two servers; alpha is the one that decides."""
    with run_peers(tmp_path_factory.mktemp("blocked")) as peers:
        yield peers
        peers.check_logs()


def _rule(pair: Peers, *words: str) -> None:
    pair.alpha.server.command("domains", *words)


def _sooner_or_later(happens: Callable[[], bool]) -> bool:
    """Whether it comes to pass: a rule is known everywhere after seconds, and a try may take a moment or as long."""
    deadline, tries = time.monotonic() + PATIENCE, 0
    while not happens():
        tries += 1
        if tries >= _LEAST_TRIES and time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _says(pair: Peers, who: Member, text: str, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = pair.beta.post("/api/v1/statuses", who, status=text, **more)
    return status


def _federated(pair: Peers, uri: str) -> bool:
    return any(one["uri"] == uri for one in pair.alpha.get("/api/v1/timelines/public", remote="true"))


def _picture(folder: Path) -> Path:
    import pyvips

    file = folder / "blue.png"
    pyvips.Image.black(64, 48, bands=3).cast("uchar").write_to_file(str(file))
    return file


def test_a_limited_server_is_kept_among_those_who_follow(pair: Peers) -> None:
    alice, bob = pair.alpha.sign_up("alice"), pair.beta.sign_up("bob")
    there, _ = pair.befriend(alice, bob)
    before = _says(pair, bob, "Before")
    pair.alpha.at_home(alice, before["uri"])
    assert _federated(pair, before["uri"])
    _rule(pair, "block", "beta.test", "--severity", "silence")
    pair.alpha.until(lambda: pair.alpha.get(ACCOUNT.format(there)).get("limited"), "bob is limited")
    after = _says(pair, bob, "After")
    pair.alpha.at_home(alice, after["uri"])
    assert not _federated(pair, after["uri"])
    assert not _federated(pair, before["uri"])
    _rule(pair, "unblock", "beta.test")
    pair.alpha.until(lambda: not pair.alpha.get(ACCOUNT.format(there)).get("limited") or None, "bob is free")
    assert _federated(pair, after["uri"])


def test_pictures_can_be_left_out(pair: Peers, tmp_path: Path) -> None:
    alice, bob = pair.alpha.sign_up("alice"), pair.beta.sign_up("bob")
    pair.befriend(alice, bob)
    _rule(pair, "block", "beta.test", "--severity", "noop", "--reject-media")

    def shows_none() -> bool:
        media = pair.beta.upload(bob, _picture(tmp_path), "All blue")
        made = _says(pair, bob, "Look", media_ids=[media])
        return pair.alpha.at_home(alice, made["uri"])["media_attachments"] == []

    assert _sooner_or_later(shows_none)
    _rule(pair, "unblock", "beta.test")


def test_nothing_is_exchanged_with_a_server_that_is_out(pair: Peers) -> None:
    alice, bob = pair.alpha.sign_up("alice"), pair.beta.sign_up("bob")
    there, here = pair.befriend(alice, bob)
    _rule(pair, "block", "beta.test", "--comment", "Spam")
    (shown,) = pair.alpha.get("/api/v1/instance/domain_blocks")
    assert (shown["domain"], shown["severity"], shown["comment"]) == ("beta.test", "suspend", "Spam")
    assert "suspend\tSpam" in pair.alpha.server.command("domains", "list")
    pair.alpha.until(lambda: _relationship(pair, alice, there) == (False, False) or None, "the ties are cut")

    def refused() -> bool:
        made = _says(pair, bob, "Nobody hears")
        receipts = f"/api/phiomia/v1/statuses/{made['id']}/deliveries"
        pair.beta.until(lambda: not pair.beta.get(receipts, bob)["waiting"] or None, "there is an answer")
        return bool(pair.beta.get(receipts, bob)["rejected"])

    assert _sooner_or_later(refused)
    mine = pair.alpha.post("/api/v1/statuses", alice, status=f"{pair.beta.handle(bob)} hello?")
    assert pair.alpha.get(f"/api/phiomia/v1/statuses/{mine['id']}/deliveries", alice)["total"] == 0
    found = pair.alpha.get("/api/v2/search", alice, q=pair.beta.actor(bob), resolve="true")
    assert found["accounts"] == []
    assert not any(one["uri"] == mine["uri"] for one in pair.beta.home(bob))
    said = pair.alpha.server.command("domains", "purge", "beta.test", "--yes")
    assert "beta.test is erased." in said
    answer = requests.get(f"{pair.alpha.server.url}{ACCOUNT.format(there)}", timeout=30)
    assert answer.status_code == 404
    _rule(pair, "unblock", "beta.test")
    pair.alpha.until(lambda: _meets(pair, alice, bob), "they meet anew")
    assert here


def _meets(pair: Peers, alice: Member, bob: Member) -> list[Any] | None:
    found: list[Any] = pair.alpha.get("/api/v2/search", alice, q=pair.beta.handle(bob), resolve="true")["accounts"]
    return found or None


def _relationship(pair: Peers, who: Member, id_: str) -> tuple[bool, bool]:
    found = pair.alpha.get("/api/v1/accounts/relationships", who, **{"id[]": id_})[0]
    return found["following"], found["followed_by"]


def test_only_those_allowed_are_let_in(pair: Peers) -> None:
    alice, bob = pair.alpha.sign_up("alice"), pair.beta.sign_up("bob")
    with pair.alpha.away():
        pair.alpha.server.settings["PHIOMIA_FEDERATION_MODE"] = "allowlist"
    assert _meets(pair, alice, bob) is None
    assert pair.beta.get("/api/v2/search", bob, q=pair.alpha.handle(alice), resolve="true")["accounts"] == []
    assert (
        requests.get(f"{pair.alpha.server.url}/users/{alice.username}", headers=_DOCUMENT, timeout=30).json().keys()
        <= _KEY
    )
    _rule(pair, "allow", "beta.test")
    pair.alpha.until(lambda: _meets(pair, alice, bob), "beta is let in")
    # Beta has asked for alice before and got nothing; what it was refused it may ask for again.
    pair.befriend(alice, bob)
    pair.beta.at_home(bob, pair.alpha.post("/api/v1/statuses", alice, status="Hello friends")["uri"])
    _rule(pair, "allow", "beta.test", "--remove")

    def refused() -> bool:
        made = _says(pair, bob, "And now?")
        receipts = f"/api/phiomia/v1/statuses/{made['id']}/deliveries"
        pair.beta.until(lambda: not pair.beta.get(receipts, bob)["waiting"] or None, "there is an answer")
        return bool(pair.beta.get(receipts, bob)["rejected"])

    assert _sooner_or_later(refused)


_DOCUMENT = {"Accept": "application/activity+json"}
# What it takes to check a signature, for strangers.
_KEY = frozenset(
    {"@context", "id", "type", "following", "followers", "inbox", "outbox", "featured", "featuredTags"}
    | {"preferredUsername", "publicKey", "endpoints"}
)
