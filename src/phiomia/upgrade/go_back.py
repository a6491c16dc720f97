"""Points `current` back to the release before and lets every role follow."""

from pathlib import Path
from typing import Any

from phiomia.platform.control import find_supervisors
from phiomia.upgrade.site import Site
from phiomia.upgrade.switch import ROLES, Pointed, SwitchRefused, bring_roles, is_taken_up, restore_links


def go_back(site: Site, to: Pointed) -> list[str]:
    """Points `current` back and lets every role follow; gives what went wrong."""
    if to.current is None:
        return ["there is no release to go back to"]
    restore_links(site.places, to)
    failures = []
    # Whoever enqueues jobs goes before those who run them.
    for supervisor in reversed(find_supervisors(site.run_dir)):
        # One that has just died will come back as what it was, unless its supervisor hears of the other release.
        behind = [name for name, role in ROLES.items() if role in supervisor.roles]
        behind = [name for name in behind if not is_taken_up(site.run_dir, name, to.current)]
        failures += _bring_back(site, behind)
    return failures


def _bring_back(site: Site, names: list[str]) -> list[str]:
    """Roles of one supervisor, together because that takes the time of one; alone where they can't all come."""
    try:
        if names:
            bring_roles(site.run_dir, names, "reload")
    except SwitchRefused as error:
        if len(names) == 1:
            return [f"{names[0]}: {error}"]
        return [failure for name in names for failure in _bring_back(site, [name])]
    return []


def pointed(entry: dict[str, Any]) -> Pointed:
    """Where the links pointed before a switch, from its journal entry."""
    return Pointed(*(Path(entry[name]) if entry[name] else None for name in ("current", "previous")))
