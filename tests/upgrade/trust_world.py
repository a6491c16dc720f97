"""A place where releases come from, a checkout of it and an installed release: as much of them as trust looks at."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from phiomia.platform.config import Config, load_config
from phiomia.upgrade.assurance import Verdict, examine
from phiomia.upgrade.checkout import Checkout, open_checkout
from phiomia.upgrade.fetch import fetch_tags
from phiomia.upgrade.installed import find_installed
from phiomia.upgrade.places import Places
from phiomia.upgrade.signers import FEED, NAMESPACES, RELEASES

# Long after every date that a test makes up, long before any clock.
START = 1_750_000_000
DAY = 86_400


class Key:
    """An SSH key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
        subprocess.run(make, check=True)

    def line(self, principal: str = RELEASES, options: str = "") -> str:
        """Its line in the file of signers."""
        public = " ".join(self.path.with_suffix(".pub").read_text().split()[:2])
        return f'{principal} namespaces="{NAMESPACES[principal]}"{options} {public}\n'


class World:
    """`origin` is where releases are made, `checkout` the server's, `app` what is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin"
        self.places = Places(folder / "live", folder / "app")
        self.day = 0
        self.ours, self.theirs = Key(folder / "ours"), Key(folder / "theirs")
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def config(self) -> Config:
        """The settings."""
        return load_config({"PHIOMIA_DATA": str(self.folder / "data"), "PHIOMIA_UPGRADE_SIGNATURES": self.demand})

    demand = "auto"

    def git(self, *arguments: str, at: Path | None = None, status: int = 0) -> str:
        """What git prints at the origin, at noon of the day."""
        root = at or self.origin
        root.mkdir(exist_ok=True)
        date = f"@{START + self.day * DAY} +0000"
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(root), "-c", "user.name=T", "-c", "user.email=t@mail.example", *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**kept, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date},
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    def release(self, version: str, key: Key | None = None, *, signers: str | None = None) -> str:
        """A release of the next day; its commit."""
        self.day += 1
        if signers is not None:
            (self.origin / "releases").mkdir(exist_ok=True)
            (self.origin / "releases/allowed_signers").write_text(signers)
        (self.origin / "version").write_text(version)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        self.tag(version, key)
        return self.git("rev-parse", "HEAD").strip()

    def tag(self, version: str, key: Key | None = None, *options: str) -> None:
        """An annotated tag, signed if there is a key."""
        signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key.path}") if key else ()
        self.git(*signing, "tag", "--sign" if key else "--annotate", *options, "--message", version, f"v{version}")

    def install(self, version: str) -> None:
        """Makes a release of the origin the installed one, with a checkout."""
        if not self.places.checkout.exists():
            self.git("clone", "--quiet", str(self.origin), str(self.places.checkout))
        else:
            self.git("fetch", "--quiet", "--tags", at=self.places.checkout)
        commit = self.git("rev-parse", f"refs/tags/v{version}^{{commit}}").strip()
        path = self.places.release_directory(version, commit)
        path.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", self.origin, "archive", commit], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", path], input=archive, check=True)
        (path / "RELEASE.json").write_text(json.dumps({"version": version, "commit": commit}))
        self.places.current.unlink(missing_ok=True)
        self.places.current.symlink_to(path)

    def fetch(self) -> Checkout:
        """The checkout with what is new."""
        moved = fetch_tags(self.places.checkout)
        return open_checkout(self.places.checkout)._replace(moved=moved)

    def look(self, *versions: str) -> Verdict:
        """What is found out about releases."""
        checkout = self.fetch()
        return examine(self.places, self.config, checkout, find_installed(self.places, checkout), versions)

    def refusal(self, version: str) -> tuple[str, str]:
        """Why a release is refused: the code and the words."""
        verdict = self.look(version)
        assert verdict.refusals, "nothing was refused"
        return verdict.refusals[0].code, str(verdict.refusals[0])


def feed_line(key: Key) -> str:
    """The line of who may sign the feed."""
    return key.line(FEED)
