"""How the server stands: what runs, what is installed, what the checkout selects, and whether anything is missing."""

import asyncio
from typing import Any, NamedTuple

from phiomia.platform.config import Config
from phiomia.upgrade import ledger, schema
from phiomia.upgrade.ancestry import Place, find_place
from phiomia.upgrade.build import list_releases, read_release
from phiomia.upgrade.checkout import Checkout, open_checkout
from phiomia.upgrade.database import is_there
from phiomia.upgrade.facts import gather_facts
from phiomia.upgrade.history import Upgrade, describe_journal
from phiomia.upgrade.installed import find_installed
from phiomia.upgrade.journal import FINISHED, OPEN, SETTLING, list_journals
from phiomia.upgrade.pending import Pending, find_contracts, list_pending
from phiomia.upgrade.places import Places
from phiomia.upgrade.plan import Facts, PlannedStep, list_missing
from phiomia.upgrade.processes import list_live
from phiomia.upgrade.selected import read_refusal
from phiomia.upgrade.trust import read_trust


class Standing(NamedTuple):
    """All of it; `pending` is what will be done in its time, `problems` says in words what is not as it should be."""

    installed: str
    previous: str
    beginning: str
    selected: str
    processes: list[dict[str, Any]]
    releases: list[str]
    executed: list[ledger.Entry]
    missing: list[PlannedStep]
    missing_for_selected: list[PlannedStep]
    unfinished: Upgrade | None
    last: Upgrade | None
    contract_pending: str
    pending: list[Pending]
    backfills: list[str]
    pending_schema: list[str]
    highest_seen: str
    refused: str
    problems: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """How many instructions this database has had, by whom, and how many it lacks."""
        by_hand = sum(one.how == ledger.BY_HAND for one in self.executed)
        return {
            "executed": len(self.executed),
            "by_upgrades": len(self.executed) - by_hand,
            "by_hand": by_hand,
            "missing": len(self.missing),
            "pending": len(self.pending),
        }


def missing_steps(places: Places, config: Config, target: str) -> list[PlannedStep]:
    """What a release and those that were skipped before it ask for and this database never had.

    Raises GitError, ManifestError.
    """
    return _missing(places, config, open_checkout(places.checkout), target)


def read_standing(places: Places, config: Config) -> Standing:
    """How the server stands. Raises GitError, ManifestError."""
    checkout = open_checkout(places.checkout)
    installed = find_installed(places, checkout)
    url = config.database_url
    journals = list_journals(places.journal)
    upgrades = [describe_journal(one) for one in journals]
    unfinished = [one for one in upgrades if one.state in OPEN]
    settling = [one.told.plan["target"] for one in journals if one.told.state == SETTLING]
    previous = read_release(places.previous)
    missing = _missing_at(places, config, checkout, installed.place.name)
    selected = checkout.history.here.name
    current = installed.release.path if installed.release else None
    facts = gather_facts(config, places).facts
    processes = [
        {"pid": one.pid, "role": one.role, "release": one.release.name if one.release else "", "leaving": one.leaving}
        for one in list_live(places, config.data_dir / "run")
    ]
    standing = Standing(
        installed=installed.place.name,
        previous=previous.version if previous else "",
        beginning=ledger.find_beginning(url),
        selected=selected,
        processes=processes,
        releases=[release.path.name for release in list_releases(places)],
        executed=ledger.entries(url),
        missing=missing,
        missing_for_selected=[]
        if selected == installed.place.name
        else _missing_at(places, config, checkout, selected),
        unfinished=unfinished[-1] if unfinished else None,
        last=next((one for one in reversed(upgrades) if one.state in (FINISHED, SETTLING)), None),
        contract_pending=str(settling[-1]) if settling else "",
        pending=list_pending(
            _find_contracts(checkout, installed.place.name, facts), facts.unfinished_backfills, settles=bool(settling)
        ),
        backfills=list(facts.unfinished_backfills),
        pending_schema=asyncio.run(schema.list_missing(url)) if is_there(url) else [],
        highest_seen=read_trust(places.state).highest,
        refused=read_refusal(places),
        problems=[],
    )
    names = {
        str(one["release"]) for one in processes if one["role"] not in ("serve", "supervisor") and not one["leaving"]
    }
    return standing._replace(problems=list(_problems(standing, names, current.name if current else "")))


def standing_json(standing: Standing) -> dict[str, Any]:
    """What `--json` prints."""
    told = standing._asdict()
    told["executed"] = [one._asdict() for one in standing.executed]
    told["missing"] = [one._asdict() for one in standing.missing]
    told["missing_for_selected"] = [one._asdict() for one in standing.missing_for_selected]
    told["pending"] = [one._asdict() for one in standing.pending]
    for name in ("unfinished", "last"):
        told[name] = told[name]._asdict() if told[name] else None
    told["counts"] = standing.counts
    return told


def _problems(standing: Standing, running: set[str], current: str) -> list[str]:
    found = []
    if standing.unfinished:
        how = {"running": "was broken off or runs now"}.get(standing.unfinished.state, standing.unfinished.state)
        found.append(
            f"The upgrade to {standing.unfinished.target} {how}: {standing.unfinished.reason or 'see history'}"
        )
    if standing.refused:
        found.append(f"What is checked out was not started: {standing.refused}")
    if standing.missing:
        found.append(f"Not executed: {', '.join(one.id for one in standing.missing)} (phiomia step ID)")
    others = sorted(name or "what is no release" for name in running if name != current) if current else []
    if others:
        found.append(f"Some processes run {', '.join(others)}, not {current}.")
    return found


def _find_contracts(checkout: Checkout, version: str, facts: Facts) -> list[str]:
    if facts.applied is None or version not in checkout.history.contains:
        return []
    return find_contracts(checkout, version, facts.applied)


def _missing_at(places: Places, config: Config, checkout: Checkout, version: str) -> list[PlannedStep]:
    return _missing(places, config, checkout, version) if version in checkout.history.contains else []


def _missing(places: Places, config: Config, checkout: Checkout, target: str) -> list[PlannedStep]:
    releases = checkout.releases_of(target)
    base = find_beginning(places, config, checkout)
    if target in base.contains:
        return []
    known = gather_facts(config, places)
    return list_missing(base, target, releases, known.ledger, known.facts)


def find_beginning(places: Places, config: Config, checkout: Checkout) -> Place:
    """With which release the database began; what is installed, while nobody has noted it. Raises GitError."""
    name = ledger.find_beginning(config.database_url)
    if not name:
        return find_installed(places, checkout).place
    if name in checkout.history.contains:
        return checkout.place_of(name)
    return find_place(checkout.root, name.partition("+")[0])
