"""Makes a bundle: all that a machine without a network needs to come to a release, in one file.

It holds the release's tag with the history since another one, and the libraries of every release that a way there
stops at. Nobody has to trust it: tags are signed, and libraries are named with their hashes by what the tag stands for.
"""

import hashlib
import json
import platform
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.ancestry import ask_git, find_release
from phiomia.upgrade.checkout import Checkout, open_checkout
from phiomia.upgrade.plan import Plan, plan
from phiomia.upgrade.report import Report
from phiomia.upgrade.requirements import export_requirements

FORMAT = 1
MANIFEST = "bundle.json"
REPOSITORY = "repository.bundle"
WHEELS = "wheels"
BUILD_REQUIREMENTS = "releases/build-requirements.txt"


class BundleError(Exception):
    """The bundle can't be made or taken; the message says why."""


class Made(NamedTuple):
    """A bundle that was made."""

    path: Path
    version: str
    since: str
    stops: tuple[str, ...]
    size: int


def make_bundle(root: Path, version: str, output: Path, report: Report, *, since: str = "") -> Made:
    """Writes the bundle of a release, for servers that have `since` or came later; by default what the release says.

    Raises BundleError, GitError, ManifestError.
    """
    checkout = open_checkout(root)
    releases = checkout.releases_of(version)
    since = since or releases.manifests[version].min_from
    if since and since not in releases.contains[version]:
        raise BundleError(f"{version} does not follow {since}.")
    stops = _find_stops(checkout, version, since)
    with tempfile.TemporaryDirectory(prefix="phiomia-bundle-") as name:
        folder = Path(name)
        report.say(f"collecting the history of {version}{f' since {since}' if since else ''}")
        _bundle_history(checkout, version, since, folder / REPOSITORY)
        for stop in stops:
            report.say(f"collecting the libraries of {stop}")
            _download(root, stop, folder)
        told = {
            "format": FORMAT,
            "version": version,
            "commit": find_release(root, version),
            "since": since,
            "stops": stops,
            **describe_machine(),
            "files": [_describe(folder, path) for path in _list_files(folder)],
        }
        (folder / MANIFEST).write_text(json.dumps(told, indent=1), "utf-8")
        _write(folder, output)
    return Made(output, version, since, tuple(stops), output.stat().st_size)


def describe_machine() -> dict[str, str]:
    """What libraries must fit: they are made for one version of Python on one kind of machine."""
    kind = " ".join(filter(None, (sysconfig.get_platform(), platform.libc_ver()[0])))
    return {"python": ".".join(platform.python_version_tuple()[:2]), "platform": kind}


def digest_of(path: Path) -> str:
    """The file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_stops(checkout: Checkout, version: str, since: str) -> list[str]:
    """Every release that some way there stops at, wherever it begins."""
    releases = checkout.releases_of(version)
    begin = checkout.place_of(since).contains if since else frozenset()
    starts = [since] if since else []
    starts += sorted(releases.contains[version] - begin - {version})
    found = {version}
    for start in starts:
        made = plan(checkout.place_of(start), version, releases, allow_prerelease=True)
        if isinstance(made, Plan):
            found |= {leg.end for leg in made.legs}
    return [one for one in checkout.versions if one in found]


def _bundle_history(checkout: Checkout, version: str, since: str, path: Path) -> None:
    held = checkout.history.contains[since] if since else frozenset()
    tags = [f"refs/tags/v{one}" for one in sorted(checkout.history.contains[version] - held)]
    without = [f"^refs/tags/v{since}^{{commit}}"] if since else []
    ask_git(checkout.root, "bundle", "create", "--quiet", str(path), *tags, *without)


def _download(root: Path, version: str, folder: Path) -> None:
    (folder / WHEELS).mkdir(exist_ok=True)
    requirements = export_requirements(_read(root, version, "uv.lock")) + _read(root, version, BUILD_REQUIREMENTS)
    if not requirements.strip():
        return
    with tempfile.TemporaryDirectory(prefix="phiomia-pip-") as name:
        # A program pip of its own: the server's environments have none.
        _run([sys.executable, "-m", "venv", name], "make an environment (is python3-venv installed?)")
        listed = Path(name) / "requirements.txt"
        listed.write_text(requirements, "utf-8")
        pip = [f"{name}/bin/python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--require-hashes", "--prefer-binary", "--requirement", str(listed)]
        _run([*pip, *options, "--dest", str(folder / WHEELS)], "get the libraries")


def _read(root: Path, version: str, path: str) -> str:
    tree = f"refs/tags/v{version}^{{commit}}"
    there = ask_git(root, "ls-tree", "--name-only", tree, "--", path).strip()
    return ask_git(root, "show", f"{tree}:{path}") if there else ""


def _list_files(folder: Path) -> list[Path]:
    return [folder / REPOSITORY, *sorted((folder / WHEELS).iterdir())]


def _describe(folder: Path, path: Path) -> dict[str, object]:
    return {"name": str(path.relative_to(folder)), "size": path.stat().st_size, "sha256": digest_of(path)}


def _write(folder: Path, output: Path) -> None:
    temporary = output.with_name(f".{output.name}.new")
    # What says what is in it comes first, so that reading can stop at once.
    with tarfile.open(temporary, "w") as archive:
        for path in [folder / MANIFEST, *_list_files(folder)]:
            archive.add(path, str(path.relative_to(folder)), filter=_anonymous)
    temporary.replace(output)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")[-2000:]
        raise BundleError(f"Could not {what}: {said}")
