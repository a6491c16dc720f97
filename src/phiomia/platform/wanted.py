"""What another release wants to run, read by this one before it depends on it. Standard library only."""

import json
from collections.abc import Callable, Collection

from phiomia.platform.orders import Order
from phiomia.platform.spawn import Process
from phiomia.platform.topology import Settings, load_settings


def read_wanted(
    check: Process, order: Order, settings: Settings, names: Collection[str], log: Callable[[str], None]
) -> tuple[Settings, str]:
    """The settings that a release printed when it was asked, and what is wrong with them.

    settings: those of now; names: the addresses that are listened on.
    """
    if check.exit_code != 0:
        return settings, f"the new release does not start: its supervisor {check.why}"
    try:
        wanted = load_settings(json.loads(check.heard))
    except (ValueError, KeyError, TypeError) as error:
        return settings, f"the new release gives no settings: {error!r}"
    missing = [role for role in order.roles or () if role not in {child.role for child in wanted.children}]
    if missing:
        return settings, f"the release has no role {', '.join(missing)}"
    unknown = {child.listen for child in wanted.children} - {*names, ""}
    if unknown:
        return settings, f"no socket for {', '.join(sorted(unknown))}: a new address needs a restart"
    if wanted.listen not in ({}, settings.listen):
        log("a changed address takes effect with a restart")
    same = {name: getattr(settings, name) for name in ("listen", "bus_path", "status_path")}
    return wanted._replace(**same), ""
