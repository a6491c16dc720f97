"""masto, the client for JavaScript of npm, drives the running server; the walk itself is tests/node/test_masto.mjs."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from server import Member, RunningServer

WALK = Path(__file__).parents[1] / "node" / "test_masto.mjs"


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
    done = subprocess.run(["node", str(WALK), json.dumps(given)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
