"""Reads a checkout for the planner: which releases there are, their manifests, and where the checkout is."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from phiomia.upgrade.ancestry import GitError, History, Place, read_history, read_release_files
from phiomia.upgrade.manifest import Manifest, check_releases, read_texts
from phiomia.upgrade.plan import Releases
from phiomia.upgrade.versions import version_order


class Checkout(NamedTuple):
    """A checkout and the history that its tags tell."""

    root: Path
    history: History
    # Releases whose tag is another one where the checkout came from, with what it is there.
    moved: Mapping[str, str] = MappingProxyType({})
    # Why new releases could not be fetched; empty when they were, or nobody asked.
    unfetched: str = ""

    @property
    def versions(self) -> list[str]:
        """All releases, the oldest first."""
        return sorted(self.history.contains, key=version_order)

    def newest(self, *, prereleases: bool = False) -> str | None:
        """The highest finished release, if there is one."""
        wanted = [one for one in self.versions if prereleases or version_order(one)[3] == 2]
        return wanted[-1] if wanted else None

    def releases_of(self, target: str) -> Releases:
        """The manifests in the tree of a release, which holds all before it too. Raises GitError, ManifestError."""
        if target not in self.history.contains:
            raise GitError(f"There is no release {target}.")
        found = read_texts(read_release_files(self.root, target))
        manifests = {one: manifest for one, manifest in found.items() if one in self.history.contains}
        check_releases(manifests, self.history.contains)
        return Releases(manifests, self.history.contains)

    def place_of(self, version: str) -> Place:
        """A release as a starting point. Raises GitError."""
        if version not in self.history.contains:
            raise GitError(f"There is no release {version}.")
        return Place(version, self.history.contains[version])

    def manifests(self) -> dict[str, Manifest]:
        """The manifest of every release, each from its own tree. Raises GitError, ManifestError."""
        return {one: self.releases_of(one).manifests[one] for one in self.versions}


def open_checkout(root: Path) -> Checkout:
    """The checkout at a directory. Raises GitError when it is none."""
    try:
        return Checkout(root, read_history(root))
    except GitError:
        if (root / ".git").exists() or _is_within_checkout(root):
            raise
        raise GitError(
            f"{root} is no checkout of Phiomia. `phiomia install`, typed in one, makes ~/live;"
            " $PHIOMIA_CHECKOUT names another place."
        ) from None


def source_root() -> Path:
    """Where this program's checkout would be."""
    return Path(__file__).resolve().parents[3]


def nearest_checkout() -> Path:
    """This program's checkout; where it was installed as a package, the one that it is called in, if it is."""
    root, here = source_root(), Path.cwd()
    is_package = not (root / ".git").exists()
    return here if is_package and (here / ".git").exists() and (here / "src" / "phiomia").is_dir() else root


def _is_within_checkout(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in root.resolve().parents)
