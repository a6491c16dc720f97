"""What git says of releases: which ones a commit contains, and what stood in the tree of one."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.versions import version_order

_TAGS = "refs/tags/v"


class GitError(Exception):
    """Git is missing, this is no checkout, or there is no such tag."""


class Place(NamedTuple):
    """A commit: what to call it, and the releases it contains, itself among them if it is one."""

    name: str
    contains: frozenset[str]


class History(NamedTuple):
    """Where the checkout is, and which releases each release contains."""

    here: Place
    contains: Mapping[str, frozenset[str]]


def read_history(root: Path) -> History:
    """Ancestry of all tags `v<version>`. Raises GitError."""
    tags = _read_tags(root)
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
    contained = _contained(root, tags, [head, *tags.values()])
    contains = {name: contained[commit] for name, commit in tags.items()}
    return History(_place(tags, head, contained[head]), contains)


def read_release_files(root: Path, version: str) -> dict[str, str]:
    """The texts of `releases/*.toml` in the tree of a release, by file name. Raises GitError."""
    tree = f"{_TAGS}{version}^{{commit}}"
    found = {}
    for line in _git(root, "ls-tree", "-z", tree, "releases/").split("\0"):
        about, _, path = line.partition("\t")
        if path.endswith(".toml"):
            found[path.rpartition("/")[2]] = about.split()[2]
    return dict(zip(found, _read_objects(root, list(found.values())), strict=True))


def export_tree(root: Path, version: str, paths: Iterable[str]) -> bytes:
    """A tar archive of these paths as they were in a release. Raises GitError."""
    return _run(root, "archive", "--format=tar", f"{_TAGS}{version}^{{commit}}", "--", *paths)


def export_commit(root: Path, commit: str) -> bytes:
    """A tar archive of everything as it was in a commit. Raises GitError."""
    return _run(root, "archive", "--format=tar", commit)


def find_commit(root: Path, name: str) -> str:
    """The commit that a tag, a branch or a part of a number stands for. Raises GitError."""
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()


def find_release(root: Path, version: str) -> str:
    """The commit of a release. Raises GitError."""
    return find_commit(root, f"{_TAGS}{version}")


def find_place(root: Path, commit: str) -> Place:
    """A commit as a starting point, whatever is checked out. Raises GitError."""
    tags = _read_tags(root)
    return _place(tags, commit, _contained(root, tags, [commit])[commit])


def ask_git(root: Path, *arguments: str, seconds: float | None = None) -> str:
    """What git prints. Raises GitError, also when it takes longer than that."""
    return _run(root, *arguments, seconds=seconds).decode("utf-8")


def honest_environment() -> dict[str, str]:
    """Variables with which git shows objects as their hashes say, whatever somebody here replaces them by."""
    return {**os.environ, "GIT_NO_REPLACE_OBJECTS": "1"}


def _read_objects(root: Path, names: list[str]) -> list[str]:
    """The texts of so many files, by the hashes of what stands in them."""
    # One process for all of them: each release has a manifest for every release before it.
    read = _run(root, "cat-file", "--batch", asked="".join(f"{name}\n" for name in names).encode())
    texts, at = [], 0
    for name in names:
        end = read.index(b"\n", at)
        found = read[at:end].decode().split()
        if len(found) != 3 or found[1] != "blob":
            raise GitError(f"git cat-file in {root}: {name} is no file that is there")
        at = end + 1 + int(found[2])
        texts.append(read[end + 1 : at].decode("utf-8"))
        at += 1
    return texts


def _place(tags: Mapping[str, str], commit: str, contains: frozenset[str]) -> Place:
    names = sorted((name for name, tagged in tags.items() if tagged == commit), key=version_order)
    return Place(names[-1] if names else f"{commit[:12]}+unreleased", contains)


def _read_tags(root: Path) -> dict[str, str]:
    tags = {}
    form = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"
    for line in _git(root, "for-each-ref", f"--format={form}", f"{_TAGS}*").splitlines():
        name, kind, commit, inner_kind, inner = line.split("\0")
        version = name.removeprefix(_TAGS)
        try:
            version_order(version)
        except ValueError:
            continue
        if "commit" in (kind, inner_kind):
            tags[version] = commit if kind == "commit" else inner
    return tags


def _contained(root: Path, tags: Mapping[str, str], commits: list[str]) -> dict[str, frozenset[str]]:
    versions = list(tags)
    own: dict[str, int] = {}
    for place, version in enumerate(versions):
        own[tags[version]] = own.get(tags[version], 0) | 1 << place
    found: dict[str, int] = {}
    # Parents come before their children, so one pass is enough.
    for line in _git(root, "rev-list", "--topo-order", "--reverse", "--parents", *dict.fromkeys(commits)).splitlines():
        commit, *parents = line.split()
        bits = own.get(commit, 0)
        for parent in parents:
            bits |= found.get(parent, 0)  # a shallow clone ends somewhere
        found[commit] = bits
    return {
        commit: frozenset(version for place, version in enumerate(versions) if found[commit] >> place & 1)
        for commit in commits
    }


def _git(root: Path, *arguments: str) -> str:
    return _run(root, *arguments).decode("utf-8")


def _run(root: Path, *arguments: str, seconds: float | None = None, asked: bytes = b"") -> bytes:
    environment = honest_environment()
    if seconds is not None:
        # Whoever waits for so long only is not there to type a password.
        environment["GIT_TERMINAL_PROMPT"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            input=asked,
            env=environment,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise GitError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]} in {root}: no answer within {seconds:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or "no such thing"
        raise GitError(f"git {arguments[0]} in {root}: {said}")
    return done.stdout
