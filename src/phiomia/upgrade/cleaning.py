"""Removes releases that nobody needs any more."""

from phiomia.upgrade.assets import drop_assets
from phiomia.upgrade.build import list_releases, remove_release
from phiomia.upgrade.places import Places
from phiomia.upgrade.processes import used_releases
from phiomia.upgrade.report import Report
from phiomia.upgrade.switch import read_links

KEPT_RELEASES = 3


def clean_releases(places: Places, report: Report) -> list[str]:
    """Removes the releases that nothing runs and nobody would go back to; gives their names."""
    links = read_links(places)
    kept = [release.path for release in list_releases(places)][:KEPT_RELEASES]
    needed = {*kept, *used_releases(places), *(one for one in links if one)}
    removed = [release.path for release in list_releases(places) if release.path not in needed]
    for path in removed:
        report.say(f"removing {path.name}")
        remove_release(path)
    drop_assets(places.assets, [release.path for release in list_releases(places)])
    return [path.name for path in removed]
