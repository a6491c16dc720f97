"""Installs the libraries of a release from files that came in a bundle, with no index to ask.

Only files whose hash the release's own tree names are used, whatever else lies there. Standard library only.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phiomia.upgrade.requirements import export_requirements
from phiomia.upgrade.run_building import environment_of_builds, run_building

BUILD_REQUIREMENTS = "releases/build-requirements.txt"
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


def has_wheels(wheels: Path, release: Path) -> bool:
    """Whether there is a file for each library that every machine needs."""
    if not wheels.is_dir():
        return False
    there = _digests(wheels)
    return all(any(one in there for one in digests) for digests, always in _list_needed(release) if always)


def install_wheels(wheels: Path, release: Path, python: str, uv: str | None) -> None:
    """Makes the release's environment. Raises BuildError."""
    requirements = release / "requirements.txt"
    requirements.write_text(export_requirements((release / "uv.lock").read_text("utf-8")), "utf-8")
    # Settings of who builds must not name an index; neither must the environment.
    inherited = environment_of_builds()
    environment = {name: value for name, value in inherited.items() if not name.startswith(("PIP_", "UV_"))}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    with tempfile.TemporaryDirectory(prefix="phiomia-wheels-") as name:
        _link_known(wheels, release, Path(name))
        what = ["--no-index", "--find-links", name, "--no-deps", "--require-hashes", "--requirement", str(requirements)]
        if uv is not None:
            make = [uv, "venv", "--quiet", "--offline", "--python", python, "venv"]
            install = [uv, "pip", "install", "--quiet", "--offline", "--python", "venv/bin/python", *what]
        else:
            make = [python, "-m", "venv", "venv"]
            install = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
        run_building(make, release, "make the environment", environment)
        run_building(install, release, "install the libraries of the bundle", environment)


def _link_known(wheels: Path, release: Path, folder: Path) -> None:
    known = {digest for digests, _ in _list_needed(release) for digest in digests}
    for digest, path in _digests(wheels).items():
        if digest in known:
            (folder / path.name).symlink_to(path)


def _list_needed(release: Path) -> Iterator[tuple[set[str], bool]]:
    """For each library the hashes of the files that may be it, and whether every machine needs it."""
    text = export_requirements((release / "uv.lock").read_text("utf-8"))
    path = release / BUILD_REQUIREMENTS
    text += path.read_text("utf-8") if path.is_file() else ""
    for line in text.replace("\\\n", "").splitlines():
        if found := set(_HASH.findall(line)):
            yield found, " ; " not in line


def _digests(wheels: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(wheels.iterdir()):
        with path.open("rb") as file:
            found[hashlib.file_digest(file, "sha256").hexdigest()] = path
    return found
