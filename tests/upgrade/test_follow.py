"""The checkout shows what an upgrade has installed, unless somebody has other plans with it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_world import Installation

from phiomia.upgrade.follow import follow
from phiomia.upgrade.places import Places


class Live:
    """A checkout of two releases, with a hook that leaves a trace."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root / "live", root / "app")
        self.places.checkout.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "nobody@mail.example")
        self.git("config", "user.name", "Nobody")
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            (self.places.checkout / "version").write_text(version)
            self.git("add", "--all")
            self.git("commit", "--quiet", "--message", version)
            self.git("tag", "--annotate", f"v{version}", "--message", version)
        hook = self.places.checkout / ".git/hooks/post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {root}/told\n")
        hook.chmod(0o755)
        self.told = root / "told"

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.places.checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def check_out(self, version: str) -> None:
        self.git("checkout", "--quiet", f"v{version}")
        self.told.unlink()

    @property
    def shows(self) -> str:
        return self.git("describe", "--tags", "--exact-match")


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(tmp_path)


def test_it_follows_from_the_release_before(live: Live) -> None:
    live.check_out("1.0.0")
    (live.places.checkout / "notes").write_text("mine")
    assert follow(live.places, "1.0.0", "1.2.0") == ""
    assert live.shows == "v1.2.0"
    assert not live.told.exists()
    assert follow(live.places, "1.0.0", "1.2.0") == ""
    assert follow(live.places, "1.2.0", "1.1.0") == ""
    assert live.shows == "v1.1.0"


def test_what_somebody_changed_stays(live: Live) -> None:
    live.check_out("1.0.0")
    (live.places.checkout / "version").write_text("mine")
    assert "files were changed in it" in follow(live.places, "1.0.0", "1.2.0")
    assert live.shows == "v1.0.0"
    assert (live.places.checkout / "version").read_text() == "mine"


def test_what_stood_elsewhere_stays(live: Live) -> None:
    live.check_out("1.1.0")
    assert "did not stand at 1.0.0" in follow(live.places, "1.0.0", "1.2.0")
    assert live.shows == "v1.1.0"


@pytest.fixture
def with_checkout(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    """An installation that has a checkout for itself."""
    before = installation.places
    live = tmp_path / "live"
    subprocess.run(["git", "clone", "--quiet", str(before.checkout), str(live)], check=True)
    subprocess.run(["git", "-C", str(live), "checkout", "--quiet", "v0.1.0"], check=True)
    installation.places = Places(live, before.app)
    yield installation
    installation.places = before


def test_an_upgrade_takes_the_checkout_with_it(with_checkout: Installation) -> None:
    def shown() -> str:
        command = ["git", "-C", str(with_checkout.places.checkout), "describe", "--tags", "--exact-match"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    left = with_checkout.places.journal / "of-one-that-failed.probe"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    with_checkout.command("upgrade", "0.2.0", "--yes")
    assert shown() == "v0.2.0"
    assert not left.exists()
    with_checkout.command("upgrade", "rollback")
    assert (with_checkout.current, shown()) == ("0.1.0", "v0.1.0")


def test_no_checkout_is_no_failure(live: Live) -> None:
    assert "stays where it is" in follow(Places(live.places.app, live.places.app), "1.0.0", "1.2.0")
    assert "stays where it is" in follow(live.places, "0123456789ab+unreleased", "1.1.0")
