"""The changelog and the page of a release, from manifests and fragments. Same input, same text."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from phiomia.upgrade.fragments import Fragment, read_fragments
from phiomia.upgrade.manifest import KINDS, Change, Manifest, Step, read_releases
from phiomia.upgrade.versions import version_order

_WIDTH = 120
_HEADINGS = {kind: kind.capitalize() for kind in KINDS}
_AUDIENCES = {"admin": "for operators", "api": "for authors of apps", "federation": "between servers"}


def render_tree(root: Path) -> str:
    """The changelog of a checkout. Raises ManifestError."""
    return render_changelog(read_releases(root / "releases"), read_fragments(root / "changelog.d"))


def render_changelog(releases: Mapping[str, Manifest], fragments: Sequence[Fragment]) -> str:
    """CHANGELOG.md: what no release has yet, then the releases, the newest first."""
    parts = ["# Changelog\n", "<!-- Made by script/change and script/release; do not edit. -->\n"]
    if not releases:
        parts.append("There is no release yet.\n")
    told = [fragment for fragment in fragments if not fragment.is_internal]
    if told:
        steps = [step for fragment in told for step in fragment.steps]
        parts.append("## Unreleased\n")
        parts += _sections([fragment.change for fragment in told], steps, "###")
    for version in sorted(releases, key=version_order, reverse=True):
        manifest = releases[version]
        parts.append(f"## {version} ({manifest.date.isoformat()})\n")
        parts += [*_notices(manifest), *_sections(manifest.changes, manifest.steps, "###")]
    return "\n".join(parts)


def render_release(manifest: Manifest) -> str:
    """The page of one release."""
    restart = manifest.restart
    parts = [
        f"# Phiomia {manifest.version}\n",
        f"{manifest.date.isoformat()}, {manifest.channel}, {manifest.urgency}.\n",
        *_notices(manifest),
        *_sections(manifest.changes, manifest.steps, "##"),
        "## Upgrading\n",
        f"- From {manifest.min_from} on directly.\n" if manifest.min_from else "- From every release directly.\n",
        f"- Processes: web {restart.web}, workers {restart.workers}, streaming {restart.streaming}.\n",
        *(f"- Needs {name} {bound}.\n" for name, bound in _bounds(manifest)),
        "- `phiomia upgrade plan` says what that means for a server.\n",
    ]
    return "\n".join(parts).replace("\n\n- ", "\n- ").replace("## Upgrading\n- ", "## Upgrading\n\n- ")


def render_sections(changes: Iterable[Change], steps: Iterable[Step], heading: str) -> str:
    """Changes by kind, and what operators are asked to let happen."""
    return "\n".join(_sections(list(changes), list(steps), heading))


def _bounds(manifest: Manifest) -> list[tuple[str, str]]:
    wanted = manifest.requires
    named = (("Python", wanted.python), ("PostgreSQL", wanted.postgres), ("SQLite", wanted.sqlite))
    return [(name, bound) for name, bound in named if bound]


def _notices(manifest: Manifest) -> list[str]:
    notices = []
    if manifest.urgency == "security":
        notices.append("**Mends a weakness: upgrade soon.**\n")
    if manifest.stop:
        notices.append(f"Upgrades pass through this release: {manifest.stop_reason}\n")
    if manifest.downtime.expected_s:
        notices.append(f"Down for about {manifest.downtime.expected_s:g} s: {manifest.downtime.reason}\n")
    return notices


def _sections(changes: Sequence[Change], steps: Sequence[Step], heading: str) -> list[str]:
    parts = []
    for kind in KINDS:
        items = [_item(change) for change in changes if change.kind == kind]
        if items:
            parts += [f"{heading} {_HEADINGS[kind]}\n", "".join(items)]
    if steps:
        parts += [f"{heading} Steps of the upgrade\n", "".join(_wrap(_step(step)) for step in steps)]
    return parts


def _item(change: Change) -> str:
    told = [_AUDIENCES[one] for one in change.audience if one in _AUDIENCES]
    words = f"({', '.join(told)}) " if told else ""
    return _wrap(words + " ".join(change.text.split()))


def _step(step: Step) -> str:
    condition = f", if `{step.only_if}`" if step.only_if else ""
    manual = f" By hand: `{step.manual}`." if step.manual else ""
    return f"{step.title} ({step.phase}{condition}).{manual}"


def _wrap(text: str) -> str:
    # textwrap would break inside of code and links.
    lines, line = [], "-"
    for word in text.split(" "):
        if len(line) + 1 + len(word) > _WIDTH and line.strip(" -"):
            lines.append(line)
            line = " "
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"
