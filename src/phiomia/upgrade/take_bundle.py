"""Takes a bundle in: its tags into the checkout, its libraries to where releases are built. Nothing of it is run.

Whether the release may be taken up is decided afterwards, by its tag, as if it had been fetched.
"""

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any, NamedTuple

from phiomia.upgrade.ancestry import GitError, ask_git
from phiomia.upgrade.bundle import FORMAT, MANIFEST, REPOSITORY, WHEELS, BundleError, describe_machine
from phiomia.upgrade.fetch import compare_tags, read_refs
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import Report
from phiomia.upgrade.versions import version_order

_MANIFEST_BYTES = 1024 * 1024
_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"{re.escape(REPOSITORY)}|{WHEELS}/[A-Za-z0-9_][A-Za-z0-9_.+-]*\.(?:whl|tar\.gz)")


class File(NamedTuple):
    """A file that has to be in it."""

    name: str
    size: int
    sha256: str


class Contents(NamedTuple):
    """What a bundle says of itself."""

    version: str
    since: str
    python: str
    platform: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """How much room its files take."""
        return sum(one.size for one in self.files)


def take_bundle(places: Places, path: Path, report: Report) -> str:
    """The release that a bundle leads to, after taking it in. Raises BundleError, GitError."""
    try:
        with tarfile.open(path, "r:") as archive:
            contents = read_contents(archive)
            report.say(f"{path.name} leads to {contents.version} and holds {contents.size / 1024**2:,.0f} MB")
            _check(places, contents)
            places.shared.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".bundle-", dir=places.shared) as folder:
                _extract(archive, contents, Path(folder))
                report.say("fetching its tags")
                _fetch(places.checkout, Path(folder) / REPOSITORY, contents)
                _keep_wheels(places, Path(folder) / WHEELS)
    except (tarfile.TarError, OSError) as error:
        raise BundleError(f"{path} can't be read: {error}") from None
    return contents.version


def read_contents(archive: tarfile.TarFile) -> Contents:
    """What is to be in it, from its first file. Raises BundleError."""
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MANIFEST_BYTES:
        raise BundleError("This is no bundle of a release.")
    try:
        told = json.loads(_open(archive, first).read())
        if told["format"] != FORMAT:
            raise BundleError(f"The bundle has the format {told['format']}, which this release does not know.")
        version_order(told["version"])
        files = tuple(_read_file(one) for one in told["files"])
        contents = Contents(told["version"], str(told["since"]), str(told["python"]), str(told["platform"]), files)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"The bundle does not say properly what is in it: {error}.") from None
    if len({one.name for one in files}) != len(files) or REPOSITORY not in [one.name for one in files]:
        raise BundleError("The bundle does not say properly what is in it.")
    return contents


def _read_file(told: dict[str, Any]) -> File:
    one = File(told["name"], told["size"], told["sha256"])
    if not _NAME.fullmatch(one.name):
        raise ValueError(f"{one.name!r} does not belong there")
    if not isinstance(one.size, int) or one.size < 0 or not _DIGEST.fullmatch(one.sha256):
        raise ValueError(f"{one.name} has no size or no checksum")
    return one


def _check(places: Places, contents: Contents) -> None:
    here = describe_machine()
    if (contents.python, contents.platform) != (here["python"], here["platform"]):
        raise BundleError(
            f"The bundle was made with Python {contents.python} on {contents.platform}, this is Python"
            f" {here['python']} on {here['platform']}: libraries would not fit. Make it on a machine like this one."
        )
    free = shutil.disk_usage(places.app).free
    if free < 2 * contents.size:
        needed, there = 2 * contents.size / 1024**2, free / 1024**2
        raise BundleError(f"The bundle needs {needed:,.0f} MB of disk space, there are {there:,.0f} MB.")


def _extract(archive: tarfile.TarFile, contents: Contents, folder: Path) -> None:
    (folder / WHEELS).mkdir()
    left = {one.name: one for one in contents.files}
    while member := archive.next():
        wanted = left.pop(member.name, None)
        if wanted is None or not member.isreg():
            raise BundleError(f"The bundle has {member.name!r}, which does not belong there.")
        if member.size != wanted.size or _copy(_open(archive, member), folder / wanted.name) != wanted.sha256:
            raise BundleError(f"{wanted.name} is damaged: its checksum is another one. Copy the bundle again.")
    if left:
        raise BundleError(f"The bundle lacks {min(left)}: it was cut off. Copy it again.")


def _copy(source: IO[bytes], to: Path) -> str:
    digest = hashlib.sha256()
    with to.open("xb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _open(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise BundleError(f"The bundle has {member.name!r}, which is no file.")
    return file


def _fetch(checkout: Path, repository: Path, contents: Contents) -> None:
    try:
        ask_git(checkout, "bundle", "verify", "--quiet", str(repository))
    except GitError as error:
        since = f" and comes after {contents.since}" if contents.since else ""
        raise BundleError(f"The bundle does not fit this checkout{since}: {error}") from None
    theirs = read_refs(ask_git(checkout, "bundle", "list-heads", str(repository)))
    if contents.version not in theirs:
        raise BundleError(f"The bundle has no tag v{contents.version}.")
    moved = compare_tags(checkout, theirs)
    if moved:
        version = min(moved)
        raise BundleError(
            f"The tag v{version} is another one in the bundle ({moved[version][:12]}) than here."
            " A release never changes: find out who moved it."
        )
    ask_git(checkout, "fetch", "--quiet", "--no-tags", str(repository), "refs/tags/v*:refs/tags/v*")


def _keep_wheels(places: Places, folder: Path) -> None:
    """Replaces the libraries that an earlier bundle brought."""
    places.wheels.mkdir(exist_ok=True)
    kept = {path.name for path in folder.iterdir()}
    for path in places.wheels.iterdir():
        if path.name not in kept:
            path.unlink()
    for path in folder.iterdir():
        path.replace(places.wheels / path.name)
