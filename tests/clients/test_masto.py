"""masto, the client for JavaScript of npm, drives the running server; the walks themselves are in tests/node."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from lived_in import make_subscription
from server import Member, RunningServer

NODE = Path(__file__).parents[1] / "node"


def _introduce(member: Member) -> dict[str, str]:
    return {"token": member.token, "username": member.username, "id": member.id}


@pytest.mark.node
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_walk_with_masto(phiomia: RunningServer) -> None:
    given = {
        "url": phiomia.url,
        "streaming": phiomia.url.replace("http", "ws", 1),
        "mark": secrets.token_hex(3),
        "alice": _introduce(phiomia.sign_up("alice")),
        "bob": _introduce(phiomia.sign_up("bob")),
    }
    done = subprocess.run(
        ["node", str(NODE / "test_masto.mjs"), json.dumps(given)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.node
@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_every_method_of_masto(phiomia: RunningServer) -> None:
    phiomia.command("announcements", "add", "Hello from those who run it")
    people = {name: _introduce(phiomia.sign_up(name)) for name in ("alice", "bob", "carol")}
    given = {"url": phiomia.url, "mark": secrets.token_hex(3), "subscription": make_subscription(), **people}
    walk = [str(NODE / "test_masto_surface.mjs"), json.dumps(given)]
    done = subprocess.run(["node", *walk], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
