"""Commands and units refuse a release that is not from those who make them before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_world import Installation
from trust_world import Key

pytestmark = pytest.mark.timeout(300)


def git(installation: Installation, *arguments: str) -> str:
    """What git says of the checkout."""
    command = ["git", "-C", installation.places.checkout, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def key(installation: Installation, tmp_path: Path) -> Iterator[Key]:
    """Whom 0.1.0, which is installed, names. The tags of the other releases are not signed."""
    made = Key(tmp_path / "key")
    path = installation.directory("0.1.0") / "releases/allowed_signers"
    path.parent.chmod(0o755)
    path.write_text(made.line())
    tag = git(installation, "rev-parse", "refs/tags/v0.1.1").strip()
    git(installation, "checkout", "--quiet", "--detach", "refs/tags/v0.1.0")
    yield made
    path.unlink()
    git(installation, "update-ref", "refs/tags/v0.1.1", tag)
    git(installation, "checkout", "--quiet", "--detach", "refs/tags/v0.1.0")


def test_refused_everywhere(installation: Installation, key: Key) -> None:
    """Plan, apply, instructions, steps and units say the same, and nothing is built."""
    reason = "v0.1.1 is not signed, and the installed release asks for a signature."
    told = json.loads(installation.command("upgrade", "plan", "0.1.1", "--json", ok=False))
    assert {"code": "unsigned", "reason": reason} in told["refusals"]
    assert reason in installation.command("upgrade", "apply", "0.1.1", ok=False)
    now = time.time_ns()
    os.utime(installation.places.current, ns=(now, now), follow_symlinks=False)
    git(installation, "checkout", "--quiet", "refs/tags/v0.1.1")
    assert reason in installation.command("upgrade", "instructions", ok=False)
    assert reason in installation.command("step", "tidy", ok=False)
    assert reason in installation.command("run", "web", "--reload", ok=False)
    assert any(reason in problem for problem in installation.status()["problems"])
    assert (installation.current, installation.ran) == ("0.1.0", [])


def test_signed_and_applied(installation: Installation, key: Key) -> None:
    """The plan says who has signed; what was signed otherwise by the time of fetching is not built."""
    said = installation.command("upgrade", "plan", "0.1.1", PHIOMIA_UPGRADE_SIGNATURES="off")
    assert "Mind: Nobody looks at signatures" in said
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key.path}")
    commit = installation.repository.commit_of("0.1.1")
    git(installation, *signing, "tag", "--sign", "--force", "--message", "0.1.1", "v0.1.1", commit)
    said = installation.command("upgrade", "plan", "0.1.1")
    assert "Signed: v0.1.1: releases@phiomia, ED25519 SHA256:" in said
    installation.command("upgrade", "apply", "0.1.1")
    assert installation.current == "0.1.1"
    assert installation.journal()[0]["plan"]["signed"][0].startswith("v0.1.1: releases@phiomia")


def test_not_signed_is_said(installation: Installation) -> None:
    """While a release names nobody, nothing is asked."""
    assert "Mind: Releases are not signed: 0.1.0 names nobody" in installation.command("upgrade", "plan", "0.1.1")
    said = installation.command("upgrade", "plan", "0.1.1", ok=False, PHIOMIA_UPGRADE_SIGNATURES="require")
    assert "upgrade.signatures is require, but 0.1.0 names nobody" in said
    said = installation.command("upgrade", "plan", "0.7.0", ok=False)
    assert "There is no release 0.7.0" in said
    git(installation, "branch", "v0.7.0", "refs/tags/v0.2.0")
    try:
        said = installation.command("upgrade", "plan", "0.7.0", ok=False)
        assert "v0.7.0 is a branch. There is no tag of that name" in said
    finally:
        git(installation, "branch", "--delete", "--force", "v0.7.0")
