"""What has changed between two versions: the notes of all releases between them in one."""

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.manifest import Step
from phiomia.upgrade.plan import Releases, sort_releases
from phiomia.upgrade.render import render_sections


class NoSuchRelease(ValueError):
    """A version was named that nobody released."""


def merge_notes(start: Place, end: str, releases: Releases) -> str:
    """The notes of all that a release contains and the start does not. Raises NoSuchRelease."""
    if end not in releases.manifests or end not in releases.contains:
        raise NoSuchRelease(f"There is no release {end}.")
    covered = sort_releases(releases.contains[end] - start.contains, releases.contains)
    manifests = [releases.manifests[version] for version in covered if version in releases.manifests]
    if not manifests:
        return f"{start.name} has everything that {end} has.\n"
    steps: dict[str, Step] = {step.id: step for one in manifests for step in one.steps}
    changes = dict.fromkeys(change for one in reversed(manifests) for change in one.changes)
    head = f"# From {start.name} to {end}\n\nReleases: {', '.join(covered)}.\n\n"
    stops = [f"Stops at {one.version}: {one.stop_reason}\n\n" for one in manifests if one.stop and one.version != end]
    return head + "".join(stops) + render_sections(changes, steps.values(), "##")
