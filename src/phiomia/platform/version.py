"""Which version runs: the release of this checkout, or the package's version with `+unreleased`.

The directory of a release that was built says what it was built of. A package that was installed without its checkout
is what its number says.
"""

import functools
import json
import subprocess
from pathlib import Path

from phiomia import __version__

_ROOT = Path(__file__).resolve().parents[3]
# Written when a release is built, see `upgrade/build.py`.
_MARK = "RELEASE.json"


@functools.cache
def describe_version() -> str:
    """The version, for people."""
    return version_of(_ROOT, __version__)


def version_of(root: Path, package: str) -> str:
    """The version of a checkout: of the tag `v…` at its commit, else the package's with `+unreleased`."""
    if (root / _MARK).exists():
        return str(json.loads((root / _MARK).read_text("utf-8"))["version"])
    if not (root / ".git").exists() or not (root / "src" / "phiomia").is_dir():
        return package
    try:
        told = subprocess.run(
            ["git", "-C", str(root), "tag", "--points-at", "HEAD", "--sort=-version:refname", "v[0-9]*"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return package
    if told.returncode != 0:  # such as a checkout of somebody else's, which git does not trust
        return package
    tags = told.stdout.split()
    if f"v{package}" in tags:
        return package
    return tags[0].removeprefix("v") if tags else f"{package}+unreleased"
