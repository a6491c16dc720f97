"""Where things are in the installed layout: the checkout that selects, and the directory of what is built and runs.

Nothing runs from the checkout. A release directory holds the code of one tag, its `venv/` and RELEASE.json, and is
never changed once it is there; `current` and `previous` are links to two of them. Standard library only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = "PHIOMIA_CHECKOUT"
APP = "PHIOMIA_APP"
SHA_LENGTH = 12


@dataclass(frozen=True)
class Places:
    """The two directories and what is where in them."""

    checkout: Path
    app: Path

    @property
    def releases(self) -> Path:
        """The release directories."""
        return self.app / "releases"

    @property
    def current(self) -> Path:
        """The link to the release that runs."""
        return self.app / "current"

    @property
    def previous(self) -> Path:
        """The link to the release that ran before."""
        return self.app / "previous"

    @property
    def shared(self) -> Path:
        """What belongs to no release, such as backups."""
        return self.app / "shared"

    @property
    def wheels(self) -> Path:
        """Libraries that came in a bundle, for machines without a network."""
        return self.shared / "wheels"

    @property
    def assets(self) -> Path:
        """Web assets of the last releases, for pages that were loaded from them."""
        return self.app / "assets"

    @property
    def journal(self) -> Path:
        """One file for each upgrade."""
        return self.app / "journal"

    @property
    def state(self) -> Path:
        """What upgrades remember, and their lock."""
        return self.app / "state"

    @property
    def installed(self) -> bool:
        """Whether the layout is there with a release in it."""
        return self.current.is_symlink()

    def release_directory(self, version: str, sha: str) -> Path:
        """Where a release is, or would be."""
        return self.releases / f"{version}-{sha[:SHA_LENGTH]}"

    def environ(self) -> dict[str, str]:
        """The variables that lead other processes to the same places."""
        return {CHECKOUT: str(self.checkout), APP: str(self.app)}


def find_places(environ: Mapping[str, str] = os.environ) -> Places:
    """The places that the environment names; `~/live` and `~/app` unless it does."""
    home = Path(environ.get("HOME") or Path.home())
    checkout, app = environ.get(CHECKOUT), environ.get(APP)
    return Places(
        Path(checkout).absolute() if checkout else home / "live", Path(app).absolute() if app else home / "app"
    )
