"""What speaks against a plan before its legs are made, and against the legs on this server."""

from collections.abc import Sequence

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.plan_ends import newest_order
from phiomia.upgrade.planned import Facts, Leg, Refusal, Releases
from phiomia.upgrade.versions import meets, version_order


def refuse_target(
    installed: Place, target: str, releases: Releases, facts: Facts, allow_prerelease: bool
) -> list[Refusal]:
    """What speaks against going there at all."""
    if target not in releases.manifests or target not in releases.contains:
        return [Refusal("unknown", f"There is no release {target}.")]
    found = []
    older = version_order(target) < newest_order(installed)
    if installed.name != target and (older or target in installed.contains):
        found.append(Refusal("downgrade", f"{target} is older than {installed.name}: to go back is a rollback."))
    elif facts.highest_seen and version_order(target) < version_order(facts.highest_seen):
        found.append(Refusal("downgrade", f"{target} is older than {facts.highest_seen}, which this server has seen."))
    if releases.manifests[target].channel != "stable" and not allow_prerelease:
        found.append(Refusal("prerelease", f"{target} is not finished; it has to be asked for (--allow-prerelease)."))
    if facts.running_upgrade:
        found.append(Refusal("running", f"Another upgrade is under way: {facts.running_upgrade}."))
    if facts.unfinished_backfills:
        names = ", ".join(facts.unfinished_backfills)
        wait = "wait until workers have done it, or do it now: `phiomia backfills run`"
        found.append(Refusal("backfill", f"The last upgrade still fills in {names}; {wait}."))
    missing = releases.contains[target] - installed.contains - set(releases.manifests)
    if missing:
        found.append(Refusal("manifest", f"{target} lacks the manifest of {min(missing, key=version_order)}."))
    return found


def refuse_server(legs: Sequence[Leg], releases: Releases, facts: Facts) -> list[Refusal]:
    """What this server lacks for the legs."""
    found = []
    for leg in legs:
        wanted = releases.manifests[leg.end].requires
        for code, name, bound, have in (
            ("python", "Python", wanted.python, facts.python),
            ("database", "PostgreSQL", wanted.postgres, _database_version(facts, "postgresql")),
            ("database", "SQLite", wanted.sqlite, _database_version(facts, "sqlite")),
        ):
            if bound and have and not meets(have, bound):
                found.append(Refusal(code, f"{leg.end} needs {name} {bound}, this server has {have}."))
        for code, what, needed, free in (
            ("disk", "disk space", leg.disk_mb, facts.disk_free_mb),
            ("memory", "free memory", leg.ram_mb, facts.ram_free_mb),
        ):
            if free is not None and free < needed:
                reason = f"{leg.end} needs {needed:,.0f} MB of {what}, this server has {free:,.0f} MB."
                found.append(Refusal(code, reason))
    return found


def _database_version(facts: Facts, kind: str) -> str:
    return facts.database_version if facts.database == kind else ""
