"""Points `current` back to the release before and lets every role follow."""

from pathlib import Path
from typing import Any

from phiomia.upgrade.site import Site
from phiomia.upgrade.switch import Pointed, SwitchRefused, bring_roles, is_running, is_taken_up, restore_links


def go_back(site: Site, to: Pointed) -> list[str]:
    """Points `current` back and lets every role follow; gives what went wrong."""
    if to.current is None:
        return ["there is no release to go back to"]
    restore_links(site.places, to)
    failures = []
    for name in ("web", "workers", "streaming"):
        # One that has just died will come back as what it was, unless its supervisor hears of the other release.
        if is_running(site.run_dir, name) and not is_taken_up(site.run_dir, name, to.current):
            try:
                bring_roles(site.run_dir, [name], "reload")
            except SwitchRefused as error:
                failures.append(f"{name}: {error}")
    return failures


def pointed(entry: dict[str, Any]) -> Pointed:
    """Where the links pointed before a switch, from its journal entry."""
    return Pointed(*(Path(entry[name]) if entry[name] else None for name in ("current", "previous")))
