"""Gets new tags from where the checkout came from, and notices those that were moved there."""

from collections.abc import Mapping
from pathlib import Path

from phiomia.upgrade.ancestry import GitError, ask_git
from phiomia.upgrade.versions import version_order

_TAGS = "refs/tags/v"
_REMOTE_SECONDS = 60


def fetch_tags(root: Path) -> dict[str, str]:
    """Gets new releases; gives those whose tag is another one there than here, with what it is there. Raises GitError.

    Git keeps a tag that it has, says so in one line among others, and fails; that must not pass for a bad network.
    """
    if not find_remote(root):
        return {}
    try:
        ask_git(root, "fetch", "--tags", "--quiet")
    except GitError:
        moved = find_moved_tags(root)
        if not moved:
            raise
        return moved
    return {}


def find_moved_tags(root: Path) -> dict[str, str]:
    """Releases whose tag differs between here and where the checkout came from. Raises GitError."""
    return compare_tags(root, list_remote_tags(root))


def compare_tags(root: Path, theirs: Mapping[str, str]) -> dict[str, str]:
    """Those of their tags that are other ones here. Raises GitError."""
    ours = read_refs(ask_git(root, "for-each-ref", "--format=%(objectname) %(refname)", f"{_TAGS}*"))
    return {version: tag for version, tag in theirs.items() if ours.get(version, tag) != tag}


def list_remote_tags(root: Path) -> dict[str, str]:
    """The releases that there are where the checkout came from, with the tag of each. Raises GitError."""
    question = ("ls-remote", "--tags", "--refs", find_remote(root), f"{_TAGS}*")
    return read_refs(ask_git(root, *question, seconds=_REMOTE_SECONDS))


def find_remote(root: Path) -> str:
    """The name of the place that the checkout came from; empty when it came from nowhere. Raises GitError."""
    remotes = ask_git(root, "remote").split()
    return "origin" if "origin" in remotes else remotes[0] if remotes else ""


def read_refs(text: str) -> dict[str, str]:
    """Releases and their tags, from what git lists."""
    found = {}
    for line in text.splitlines():
        tag, _, name = line.replace("\t", " ").partition(" ")
        version = name.removeprefix(_TAGS)
        try:
            version_order(version)
        except ValueError:
            continue
        found[version] = tag
    return found
