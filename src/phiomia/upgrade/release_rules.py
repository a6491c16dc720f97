"""What must hold of a checkout between releases: changes are told of, and old instructions can still be executed."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.fragments import read_fragments
from phiomia.upgrade.manifest import Manifest, read_releases
from phiomia.upgrade.min_code import base_version
from phiomia.upgrade.versions import version_order


class Cut(NamedTuple):
    """A release and the commit that brought its manifest, which needs no tag to be found."""

    version: str
    commit: str


def check_checkout(root: Path) -> list[str]:
    """What is wrong, in words; nothing when all is well. Raises GitError, ManifestError."""
    return [*_untold(root), *_lost_steps(root)]


def find_cut(root: Path, version: str) -> Cut | None:
    """The commit that added the manifest of a release; None when the history here does not reach so far."""
    path = f"releases/{version}.toml"
    commit = _git(root, "log", "--diff-filter=A", "--format=%H", "-1", "HEAD", "--", path).strip()
    return Cut(version, commit) if commit else None


def find_previous(root: Path, version: str) -> Cut | None:
    """The release that a checkout of this version follows; None when there is none. Raises GitError, ManifestError.

    The number stays until the next release is cut, so what has changed since follows the release of its own number.
    """
    releases = read_releases(root / "releases")
    own = find_cut(root, version) if version in releases else None
    if own is not None and _list_changed(root, own):
        return own
    older = [one for one in releases if base_version(one) < base_version(version)]
    return find_cut(root, max(older, key=version_order)) if older else None


def _untold(root: Path) -> Iterator[str]:
    releases = read_releases(root / "releases")
    last = find_cut(root, max(releases, key=version_order)) if releases else None
    if last is None or read_fragments(root / "changelog.d"):
        return
    changed = _list_changed(root, last)
    if changed:
        names = ", ".join(changed[:5])
        yield (
            f"{len(changed)} files changed since {last.version} ({names}), and no fragment in changelog.d"
            " says what is different: script/change writes one."
        )


def _list_changed(root: Path, since: Cut) -> list[str]:
    changed = _git(root, "diff", "--name-only", since.commit, "--", "src", "uv.lock").split()
    # A release sets its number after its manifest was made.
    return [name for name in changed if name != "src/phiomia/__init__.py"]


def _lost_steps(root: Path) -> Iterator[str]:
    releases = read_releases(root / "releases")
    min_from = _oldest_start(releases)
    wanted: dict[str, tuple[str, str]] = {}
    for version, manifest in sorted(releases.items(), key=lambda item: version_order(item[0])):
        # Whoever starts there or later has had the instructions up to there. Of the same one the newest code counts.
        if not min_from or version_order(version) > version_order(min_from):
            wanted |= {step.id: (step.run, version) for step in manifest.steps}
    for step_id, (run, version) in wanted.items():
        if run and not has_function(root, run):
            yield (
                f"{run} is gone, but {version} asks for {step_id} and one can upgrade from"
                f" {min_from or 'every release'}: keep it until min_from has passed {version}."
            )
    for fragment in read_fragments(root / "changelog.d"):
        for step in fragment.steps:
            if step.run and not has_function(root, step.run):
                yield f"changelog.d/{fragment.name}.toml: there is no {step.run}."


def _oldest_start(releases: dict[str, Manifest]) -> str:
    newest = max(releases, key=version_order, default="")
    return releases[newest].min_from if newest else ""


def has_function(root: Path, run: str) -> bool:
    """Whether `package.module:function` is there as an `async def`."""
    module, _, name = run.partition(":")
    base = root.joinpath("src", *module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            tree = ast.parse(path.read_text("utf-8"))
            return any(isinstance(node, ast.AsyncFunctionDef) and node.name == name for node in tree.body)
    return False


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise GitError(done.stderr.strip() or f"git {arguments[0]} failed")
    return done.stdout
