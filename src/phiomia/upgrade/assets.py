"""Keeps the files of pages from release to release: a page that was loaded before an upgrade asks for the old ones.

Their names carry a hash of their content, so those of several releases lie side by side. Standard library only.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_STATIC = Path("src") / "phiomia" / "web" / "static"


def digest_of(content: bytes) -> str:
    """What a file's name gets."""
    return hashlib.sha256(content).hexdigest()[:12]


def hashed_name(name: str, digest: str) -> str:
    """style.css becomes style.0123456789ab.css."""
    stem, _, kind = name.rpartition(".")
    return f"{stem}.{digest}.{kind}"


def running_assets() -> Path | None:
    """Where the installation that this process belongs to keeps them; None when it runs from elsewhere."""
    release = Path(sys.prefix).parent
    assets = release.parent.parent / "assets"
    return assets if release.parent.name == "releases" and assets.is_dir() else None


def keep_assets(release: Path, assets: Path) -> None:
    """Puts the files of a release beside those that are kept already."""
    assets.mkdir(parents=True, exist_ok=True)
    for name, content in _list_assets(release):
        if not (assets / name).exists():
            temporary = assets / f".{name}.{os.getpid()}"
            temporary.write_bytes(content)
            os.replace(temporary, assets / name)


def drop_assets(assets: Path, releases: Iterable[Path]) -> None:
    """Removes what none of these releases has."""
    wanted = {name for release in releases for name, _ in _list_assets(release)}
    for path in assets.iterdir() if assets.is_dir() else ():
        if path.name not in wanted:
            path.unlink()


def find_asset(assets: Path, name: str) -> bytes | None:
    """The content of a kept file; None when there is no such file."""
    if name.startswith(".") or os.sep in name or "\0" in name:
        return None
    path = assets / name
    return path.read_bytes() if path.is_file() else None


def _list_assets(release: Path) -> list[tuple[str, bytes]]:
    folder = release / _STATIC
    found = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [(hashed_name(name, digest_of(content)), content) for name, content in found]


if __name__ == "__main__":
    # A release is asked in its own words, since another may name its files otherwise.
    keep_assets(Path(sys.argv[1]), Path(sys.argv[2]))
