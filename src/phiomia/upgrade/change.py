"""`script/change`: writes a fragment and renders the changelog again.

script/change                                        asks
script/change --name fast-search --kind changed --text "Search answers in half the time." [--audience user …]
script/change --name one-parser --kind internal --text "Both parsers are one."    nobody would notice: told to nobody
script/change --render                               only renders the changelog, --check only compares it
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from phiomia.upgrade.fragments import INTERNAL, read_fragment, write_fragment
from phiomia.upgrade.manifest import AUDIENCES, KINDS, Change, ManifestError
from phiomia.upgrade.render import render_tree


def main(arguments: Sequence[str], root: Path) -> int:
    """Does what the arguments say; gives the exit status."""
    options = _parse(arguments)
    try:
        if options.check:
            return _check(root)
        if not options.render:
            print(f"wrote {_write(options, root).relative_to(root)}")
        (root / "CHANGELOG.md").write_text(render_tree(root), "utf-8")
    except (ManifestError, EOFError) as error:
        print(f"script/change: {error or 'no answer'}", file=sys.stderr)
        return 1
    return 0


def _check(root: Path) -> int:
    if (root / "CHANGELOG.md").read_text("utf-8") == render_tree(root):
        return 0
    print("CHANGELOG.md is stale: run script/change --render", file=sys.stderr)
    return 1


def _write(options: argparse.Namespace, root: Path) -> Path:
    name = options.name or _ask("What is it about, in a few words for the file's name?")
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    kind = options.kind or _ask(f"Which kind: {', '.join((*KINDS, INTERNAL))}?")
    text = options.text or _ask("What is different now, and for whom? One to three sentences.")
    audience = options.audience
    if audience is None and kind == INTERNAL:
        audience = []
    elif audience is None:
        audience = _ask(f"Who should know: {', '.join(AUDIENCES)}? (several with spaces)").split()
    path = root / "changelog.d" / f"{slug}.toml"
    if not slug or path.exists():
        raise ManifestError(f"{path.name} is there already" if slug else "the name has no letters")
    written = write_fragment(Change(kind, text, tuple(audience)))
    read_fragment(written, path.name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(written, "utf-8")
    return path


def _ask(question: str) -> str:
    return input(f"{question}\n> ").strip()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/change", description="Writes a fragment of the changelog.")
    parser.add_argument("--name", help="what it is about; becomes the file's name")
    parser.add_argument("--kind", choices=(*KINDS, INTERNAL))
    parser.add_argument("--text", help="one to three sentences for those who read the changelog")
    parser.add_argument("--audience", nargs="*", choices=AUDIENCES)
    parser.add_argument("--render", action="store_true", help="only render CHANGELOG.md again")
    parser.add_argument("--check", action="store_true", help="only tell whether CHANGELOG.md is stale")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
