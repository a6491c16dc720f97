"""`script/release VERSION`: folds the fragments into `releases/VERSION.toml` and renders the changelog.

What is written can be corrected by hand before it is committed; `--tag`, given after that, makes the annotated tag.
"""

import argparse
import ast
import datetime
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from phiomia.upgrade.ancestry import GitError, History, export_tree, read_history
from phiomia.upgrade.closure import hash_roles
from phiomia.upgrade.fragments import Fragment, read_fragments
from phiomia.upgrade.make_tag import make_tag
from phiomia.upgrade.manifest import (
    URGENCIES,
    Change,
    Manifest,
    ManifestError,
    Requires,
    Restart,
    Schema,
    Step,
    check_releases,
    read_manifest,
    read_releases,
    write_manifest,
)
from phiomia.upgrade.min_code import newest
from phiomia.upgrade.render import render_tree
from phiomia.upgrade.unpack import unpack
from phiomia.upgrade.versions import is_prerelease, version_order

# The least that a role does when something in it has changed.
_TAKE_UP = Restart(web="reload", workers="restart", streaming="handover")


@dataclass(frozen=True)
class Order:
    """What the release manager decides."""

    version: str
    date: datetime.date
    urgency: str = "routine"
    min_from: str = ""
    stop_reason: str = ""


def main(arguments: Sequence[str], root: Path) -> int:
    """Does what the arguments say; gives the exit status."""
    options = _parse(arguments)
    try:
        version_order(options.version)
        if options.tag:
            signed = make_tag(root, options.version, options.sign)
            print(f"tagged v{options.version}{f', signed by {signed}' if signed else ''}")
            return 0
        order = Order(
            version=options.version,
            date=options.date or datetime.datetime.now(datetime.UTC).date(),
            urgency=options.urgency,
            min_from=options.min_from,
            stop_reason=options.stop,
        )
        print(f"wrote {cut_release(root, order).relative_to(root)}; look at it, commit, then --tag")
    except (ManifestError, GitError, ValueError) as error:
        print(f"script/release: {error}", file=sys.stderr)
        return 1
    return 0


def cut_release(root: Path, order: Order) -> Path:
    """Writes the manifest, deletes the fragments, renders the changelog. Raises ManifestError, GitError."""
    path = root / "releases" / f"{order.version}.toml"
    if path.exists():
        raise ManifestError(f"{path.name} is there already")
    fragments = read_fragments(root / "changelog.d")
    releases = read_releases(root / "releases")
    manifest = fold(root, order, fragments, releases, read_history(root))
    text = write_manifest(manifest)
    read_manifest(text, path.name)
    here = frozenset({*releases, order.version})
    check_releases({**releases, order.version: manifest}, {order.version: here})
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    for fragment in fragments:
        (root / "changelog.d" / f"{fragment.name}.toml").unlink()
    (root / "CHANGELOG.md").write_text(render_tree(root), "utf-8")
    return path


def fold(
    root: Path, order: Order, fragments: Sequence[Fragment], releases: dict[str, Manifest], history: History
) -> Manifest:
    """The manifest of a release: fragments, the schema's revisions, and what the processes need."""
    previous = max(history.here.contains, key=version_order, default=None)
    before = previous and releases.get(previous)
    return Manifest(
        version=order.version,
        date=order.date,
        channel=_channel(order.version),
        urgency=order.urgency,
        min_from=order.min_from or (before.min_from if before else ""),
        stop=bool(order.stop_reason),
        stop_reason=order.stop_reason,
        requires=before.requires if before else Requires(python=_required_python(root)),
        schema=read_schema(root, list(releases.values())),
        restart=compare_roles(root, previous),
        steps=_steps(fragments),
        changes=_changes(fragments),
    )


def compare_roles(root: Path, previous: str | None) -> Restart:
    """What each role needs after this release: `none` where nothing that it loads has changed."""
    if previous is None:
        return _TAKE_UP
    with tempfile.TemporaryDirectory() as folder:
        unpack(export_tree(root, previous, ("src", "uv.lock")), Path(folder))
        before = hash_roles(Path(folder))
    now = hash_roles(root)
    needs = {role: "none" if now[role] == before[role] else getattr(_TAKE_UP, role) for role in now}
    return Restart(**needs)


def read_schema(root: Path, releases: Sequence[Manifest]) -> Schema:
    """Which revisions this release brings, which of its expands build on a contract, and which code they leave out."""
    folder = root / "src" / "phiomia" / "migrations"
    expands, contracts = _revisions(folder / "expand"), _revisions(folder / "contract")
    old = {one for release in releases for one in (*release.schema.expands, *release.schema.contracts)}
    needs = {one: tuple(need for need in wanted if need in contracts) for one, wanted in expands.items()}
    return Schema(
        expand_head=max(expands, default=""),
        contract_head=max(contracts, default=""),
        compat=_oldest_code(folder / "expand"),
        compat_after_contract=newest(_oldest_code(folder / "expand"), _oldest_code(folder / "contract")),
        expands=tuple(one for one in expands if one not in old),
        contracts=tuple(one for one in contracts if one not in old),
        needs={one: wanted for one, wanted in needs.items() if wanted and one not in old},
    )


def _channel(version: str) -> str:
    return ("nightly" if "dev" in version else "rc") if is_prerelease(version) else "stable"


def _steps(fragments: Sequence[Fragment]) -> tuple[Step, ...]:
    steps = [step for fragment in fragments for step in fragment.steps]
    for place, step in enumerate(steps):
        if step.id in [one.id for one in steps[:place]]:
            raise ManifestError(f"two fragments have the step {step.id}")
    return tuple(steps)


def _changes(fragments: Sequence[Fragment]) -> tuple[Change, ...]:
    return tuple(fragment.change for fragment in fragments if not fragment.is_internal)


def _revisions(folder: Path) -> dict[str, tuple[str, ...]]:
    """Revisions with what they depend on, in the order of their names."""
    found = {}
    for values in _read_migrations(folder, ("revision", "depends_on")):
        if "revision" in values:
            wanted = values.get("depends_on") or ()
            found[values["revision"]] = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    return found


def _oldest_code(folder: Path) -> str:
    """The oldest release that may run on all migrations of a branch; empty when each may."""
    codes = [str(values["MIN_CODE"]) for values in _read_migrations(folder, ("MIN_CODE",)) if values.get("MIN_CODE")]
    return reduce(newest, codes, "")


def _read_migrations(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What these names stand for in each file, which is read, not run."""
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        yield {
            target.id: ast.literal_eval(node.value)
            for node in ast.parse(path.read_text("utf-8")).body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id in names
        }


def _required_python(root: Path) -> str:
    import tomllib

    path = root / "pyproject.toml"
    table = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    return str(table.get("project", {}).get("requires-python", ""))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/release", description="Cuts a release out of the fragments.")
    parser.add_argument("version")
    parser.add_argument("--date", type=datetime.date.fromisoformat, help="instead of today")
    parser.add_argument("--urgency", choices=URGENCIES, default="routine")
    parser.add_argument("--min-from", default="", help="the oldest release that upgrades to this one directly")
    parser.add_argument("--stop", default="", metavar="REASON", help="no upgrade passes this release by")
    parser.add_argument("--tag", action="store_true", help="only make the annotated tag of a committed release")
    parser.add_argument("--sign", default="", metavar="KEY", help="the SSH key to sign it with, unless git knows it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
