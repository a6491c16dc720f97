"""Which legs lead from what is installed to a release: where each ends, and why it can't go further."""

from collections.abc import Iterable, Mapping, Sequence

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.planned import Facts, Refusal, Releases
from phiomia.upgrade.versions import Order, is_prerelease, version_order


def sort_releases(versions: Iterable[str], contains: Mapping[str, frozenset[str]]) -> list[str]:
    """Ancestors first; among those that are neither, mostly the one with less behind it."""
    # Whatever comes after a release contains all of it and itself, so it contains more.
    return sorted(versions, key=lambda version: (len(contains[version]), version_order(version)))


def newest_order(place: Place) -> Order:
    """The order of the newest release that a place contains."""
    return max((version_order(version) for version in place.contains), default=(-1, 0, 0, 0, 0))


def find_ends(
    installed: Place, target: str, releases: Releases, facts: Facts, allow_prerelease: bool
) -> list[str] | Refusal:
    """The fewest legs that may be gone; among equals each goes as far as it can."""
    if target in installed.contains:
        return []
    contains = releases.contains
    if _is_open(installed, target, releases, facts, first=True):
        return [target]
    newest = newest_order(installed)
    possible = [
        version
        for version in sort_releases(contains[target] - installed.contains, contains)
        if version_order(version) > newest and (version == target or allow_prerelease or not is_prerelease(version))
    ]
    fresh = contains[target] - installed.contains
    stops = {version for version in fresh if releases.manifests[version].stop}
    if aside := stops - set(possible):
        return Refusal(
            "stop",
            f"{min(aside, key=version_order)} must be passed through, but can't be reached from {installed.name}.",
        )
    legs_left = {target: 0}
    for version in reversed(possible[:-1]):
        base = place_after(installed, version, releases)
        reached = [
            legs_left[later] for later in legs_left if not find_obstacle(base, later, releases, facts, first=False)
        ]
        if reached:
            legs_left[version] = min(reached) + 1
    ends: list[str] = []
    base, first = installed, True
    while base.name != target:
        open_ends = [end for end in possible if end in legs_left and _is_open(base, end, releases, facts, first=first)]
        if not open_ends:
            return find_obstacle(base, target, releases, facts, first=first) or Refusal("stop", "No way leads there.")
        end = min(open_ends, key=lambda one: (legs_left[one], -possible.index(one)))
        ends.append(end)
        base, first = place_after(installed, end, releases), False
    return ends


def list_bases(installed: Place, ends: Sequence[str], releases: Releases) -> list[Place]:
    """Where each leg begins."""
    return [installed, *(place_after(installed, end, releases) for end in ends)]


def explain_end(base: Place, end: str, target: str, releases: Releases, facts: Facts | None) -> str:
    """Why a leg ends there, in words."""
    manifest = releases.manifests[end]
    if end == target:
        return "target"
    if manifest.stop:
        return f"stop: {manifest.stop_reason}"
    obstacle = find_obstacle(base, target, releases, facts or Facts(), first=facts is not None)
    return f"{obstacle.code}: {obstacle.reason}" if obstacle else "needed by what follows"


def needs_contract_first(
    base: Place, covered: Sequence[str], releases: Releases, facts: Facts | None
) -> Refusal | None:
    """Whether an expand revision of these releases builds on a contract revision that is not applied before them.

    All expands of a leg run before its first contract, so such a contract has to be in an earlier leg.
    """
    coming = {revision: version for version in covered for revision in releases.manifests[version].schema.contracts}
    applied = facts.applied if facts else None
    for version in covered:
        for expand, contracts in releases.manifests[version].schema.needs.items():
            for contract in contracts:
                if applied is not None and contract in applied:
                    continue
                if contract in coming:
                    reason = f"{expand} of {version} builds on {contract}, which {coming[contract]} applies at its end."
                    return Refusal("schema", reason)
                if applied is not None:
                    reason = f"{expand} of {version} builds on {contract}, which is not applied yet on {base.name}."
                    return Refusal("contract", reason)
    return None


def _is_open(base: Place, end: str, releases: Releases, facts: Facts, *, first: bool) -> bool:
    return end != base.name and find_obstacle(base, end, releases, facts, first=first) is None


def find_obstacle(base: Place, end: str, releases: Releases, facts: Facts, *, first: bool) -> Refusal | None:
    """Why one leg can't go from here to there."""
    if not first and base.name not in releases.contains[end]:
        return Refusal("stop", f"{end} does not follow {base.name}.")
    covered = sort_releases(releases.contains[end] - base.contains, releases.contains)
    for version in covered:
        manifest = releases.manifests[version]
        if manifest.stop and version != end:
            return Refusal("stop", f"{version} must be passed through: {manifest.stop_reason}")
        if manifest.min_from and manifest.min_from not in base.contains:
            return Refusal("min_from", f"{version} can be reached from {manifest.min_from} on, not from {base.name}.")
    return needs_contract_first(base, covered, releases, facts if first else None)


def place_after(installed: Place, end: str, releases: Releases) -> Place:
    """Where a server is once a leg has ended."""
    # Who comes from a maintenance branch has done what is on it, even where a leg ends before it is merged.
    return Place(end, releases.contains[end] | installed.contains)
