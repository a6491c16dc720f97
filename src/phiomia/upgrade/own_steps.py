"""What every upgrade does by itself, one piece at a time for who upgrades by hand: backup, schema, cleanup."""

import asyncio
from collections.abc import Callable, Mapping

from phiomia.upgrade import schema
from phiomia.upgrade.backup import make_backup
from phiomia.upgrade.build import read_release
from phiomia.upgrade.cleaning import clean_releases
from phiomia.upgrade.installed import running_release
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site, UpgradeError
from phiomia.upgrade.switch import ROLES, runs_only, wait_until_settled


def back_up(site: Site, report: Report) -> str:
    """A verified backup; says where."""
    backup = make_backup(site.places, site.config, report)
    return f"{backup.path}{', a fresh one' if backup.reused else ''}"


def expand(site: Site, report: Report) -> str:
    """The additions to the schema that this release makes; says which were new."""
    return _name(asyncio.run(schema.apply_expand(site.config.database_url, report=report.say)))


def contract(site: Site, report: Report) -> str:
    """The removals from the schema, once no process of another release is left. Raises UpgradeError."""
    release = read_release(site.places.current)
    if release is None:
        raise UpgradeError(f"There is no release at {site.places.current}.")
    if running_release() not in (None, release.path):
        raise UpgradeError(f"{release.version} is still the current release: restart the units first")
    behind = [name for name in ROLES if not runs_only(site.run_dir, name, release.path)]
    if behind:
        raise UpgradeError(f"{', '.join(behind)}: not all processes run {release.version} yet. Restart them first.")
    left = wait_until_settled(site.places, site.run_dir, release.path, set(), report.say)
    if left:
        names = ", ".join(f"{one.role} {one.pid}" for one in left)
        raise UpgradeError(f"these processes run another release: {names}; bring them to {release.version} first")
    return _name(asyncio.run(schema.apply_contract(site.config.database_url, report=report.say)))


def clean_up(site: Site, report: Report) -> str:
    """Removes the releases that nothing needs; says which."""
    return _name(clean_releases(site.places, report))


OWN: Mapping[str, Callable[[Site, Report], str]] = {
    "backup": back_up,
    "migrate-expand": expand,
    "migrate-contract": contract,
    "cleanup": clean_up,
}


def _name(done: list[str]) -> str:
    return ", ".join(done) or "nothing to do"
