"""Fragments: `changelog.d/<what it is about>.toml`, one for each change that somebody would notice."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.manifest import Change, ManifestError, Reader, Step, read_change, read_steps, render_step
from phiomia.upgrade.toml import render_table


class Fragment(NamedTuple):
    """A change that no release has yet, with the steps it brings."""

    name: str
    change: Change
    steps: tuple[Step, ...] = ()


def read_fragments(folder: Path) -> list[Fragment]:
    """All of a directory by name; none when it does not exist. Raises ManifestError."""
    if not folder.is_dir():
        return []
    for path in folder.iterdir():
        if path.suffix != ".toml" and path.name != "README.md":
            raise ManifestError(f"{path.name}: fragments are TOML files; script/change makes one")
    return [read_fragment(path.read_text("utf-8"), path.name) for path in sorted(folder.glob("*.toml"))]


def read_fragment(text: str, name: str) -> Fragment:
    """Reads one. Raises ManifestError."""
    reader = Reader(text, name)
    reader.allow(reader.table, "", ("kind", "text", "audience", "step"))
    return Fragment(name.removesuffix(".toml"), read_change(reader, reader.table), read_steps(reader))


def write_fragment(change: Change, steps: Sequence[Step] = ()) -> str:
    """The text of a fragment."""
    head = {"kind": change.kind, "text": change.text, "audience": change.audience}
    return "\n".join([render_table(head), *(f"[[step]]\n{render_step(step)}" for step in steps)])
