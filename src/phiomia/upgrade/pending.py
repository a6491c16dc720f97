"""What of the releases up to the installed one is still to come, and what it waits for. Standard library only."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from phiomia.upgrade.checkout import Checkout


class Pending(NamedTuple):
    """Something that is not missing, since its time has not come; `command` does it now."""

    id: str
    phase: str
    title: str
    waits: str
    command: str


_BY_HAND = {True: "until that is filled in", False: "for you: nobody does it by itself"}


def list_pending(contracts: Sequence[str], backfills: Sequence[str], *, settles: bool) -> list[Pending]:
    """What is to come. `settles`: `phiomia upgrade` has left the removals to the next upgrade, nobody did by hand."""
    found = []
    if backfills:
        title = f"Fill in what is new in the schema: {', '.join(backfills)}"
        found.append(Pending("backfills", "backfill", title, "until workers have done it", "phiomia backfills run"))
    if contracts:
        title = f"Remove from the schema: {', '.join(contracts)}"
        waits = "until the next upgrade, so that a rollback stays possible" if settles else _BY_HAND[bool(backfills)]
        command = "phiomia upgrade resume" if settles else "phiomia step migrate-contract"
        found.append(Pending("migrate-contract", "contract", title, waits, command))
    return found


def find_contracts(checkout: Checkout, version: str, applied: Collection[str]) -> list[str]:
    """The removals that releases up to this one ask for and the schema has not had. Raises GitError, ManifestError."""
    manifests = checkout.releases_of(version).manifests
    return [one for manifest in manifests.values() for one in manifest.schema.contracts if one not in applied]
