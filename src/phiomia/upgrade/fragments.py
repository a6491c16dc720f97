"""Fragments: `changelog.d/<what it is about>.toml`, one for each change that somebody would notice."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.manifest import KINDS, Change, ManifestError, Reader, Step, read_change, read_steps, render_step
from phiomia.upgrade.toml import render_table

# What nobody who runs or uses a server would notice. It ends with the fragment: manifests have no such kind, and
# releases that are out there already would refuse to read one.
INTERNAL = "internal"


class Fragment(NamedTuple):
    """A change that no release has yet, with the steps it brings."""

    name: str
    change: Change
    steps: tuple[Step, ...] = ()

    @property
    def is_internal(self) -> bool:
        """Whether it only says that there is nothing to tell."""
        return self.change.kind == INTERNAL


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
    change = read_change(reader, reader.table, kinds=(*KINDS, INTERNAL))
    fragment = Fragment(name.removesuffix(".toml"), change, read_steps(reader))
    if fragment.is_internal and (change.audience or fragment.steps):
        reader.fail("kind", "is internal, but somebody has to know of it or to do something: choose another")
    return fragment


def write_fragment(change: Change, steps: Sequence[Step] = ()) -> str:
    """The text of a fragment."""
    head: dict[str, object] = {"kind": change.kind, "text": change.text}
    if change.kind != INTERNAL:
        head["audience"] = change.audience
    return "\n".join([render_table(head), *(f"[[step]]\n{render_step(step)}" for step in steps)])
