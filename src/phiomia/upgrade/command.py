"""What the commands of an upgrade do: plan, apply, go on, go back. Each gives what a command prints and its status."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from phiomia.upgrade.ancestry import GitError, find_commit, find_release
from phiomia.upgrade.apply import Applier
from phiomia.upgrade.assurance import examine
from phiomia.upgrade.backup import check_tools
from phiomia.upgrade.build import read_release
from phiomia.upgrade.checkout import Checkout, open_checkout
from phiomia.upgrade.facts import Known, gather_facts
from phiomia.upgrade.fetch import fetch_tags
from phiomia.upgrade.installed import Selected, find_installed
from phiomia.upgrade.journal import (
    FAILED,
    RUNNING,
    SETTLING,
    STOPPED,
    Journal,
    create_journal,
    find_open,
    list_journals,
)
from phiomia.upgrade.lock import hold_lock, pass_on
from phiomia.upgrade.news import read_news
from phiomia.upgrade.places import Places
from phiomia.upgrade.plan import Plan, Refusal, Refused, Releases, plan
from phiomia.upgrade.plan_text import hash_plan, plan_json
from phiomia.upgrade.report import Report
from phiomia.upgrade.second_opinion import find_contradictions, list_doubts
from phiomia.upgrade.site import Site, UpgradeError
from phiomia.upgrade.switch import check_follows
from phiomia.upgrade.tags import is_branch

_SHORTEST_HASH = 8


class Options(NamedTuple):
    """How an upgrade is wanted."""

    version: str | None = None
    allow_prerelease: bool = False
    allow_unreleased: bool = False
    backup: str = "auto"
    offline: bool = False
    contract_now: bool = False
    # Minutes between the announcement of what people will notice and that.
    announce: int = 5


class Planned(NamedTuple):
    """A plan, or why there is none, and which commits its releases are."""

    made: Plan | Refused
    commits: Mapping[str, str]

    @property
    def hash(self) -> str:
        """The plan's hash; empty when there is none."""
        return hash_plan(self.made) if isinstance(self.made, Plan) else ""


class NotInstalled(Exception):
    """The server does not run from the installed layout; the message says what to do."""


class NothingReleased(Exception):
    """There is no release to go to."""


def open_installed(places: Places, options: Options) -> tuple[Checkout, Selected]:
    """The checkout with what can be fetched, and what is installed. Raises NotInstalled, GitError."""
    release = read_release(places.current)
    if release is None:
        raise NotInstalled(
            f"This server is not installed so that it could be upgraded while it runs: there is no {places.current}.\n"
            "`phiomia install` makes that layout once, from this checkout and with this data;"
            " from then on `phiomia upgrade` does everything.\n"
            "Without it, by hand: back up, stop the server, git fetch --tags, git checkout the release,"
            " execute what `phiomia upgrade plan` lists (`phiomia step ID`), start the server."
        )
    if not (places.checkout / ".git").exists():
        raise NotInstalled(f"{places.checkout} is no git checkout: name the right one with PHIOMIA_CHECKOUT.")
    moved: Mapping[str, str] = {}
    unfetched = ""
    if not options.offline:
        try:
            moved = fetch_tags(places.checkout)
        except GitError as error:  # without a network, what was fetched before is what there is
            unfetched = str(error).splitlines()[0]
    checkout = open_checkout(places.checkout)._replace(moved=moved, unfetched=unfetched)
    return checkout, find_installed(places, checkout)


def make_plan(site: Site, options: Options, *, own_lock: bool = False) -> Planned:
    """What an upgrade would do. Raises NotInstalled, NothingReleased, GitError, ManifestError, PlanError."""
    checkout, installed = open_installed(site.places, options)
    target = options.version or checkout.newest(prereleases=options.allow_prerelease)
    if target is None:
        raise NothingReleased("Nothing is released yet.")
    refusal = _refuse_name(checkout, target)
    if refusal:
        return Planned(Refused(installed.place.name, target, (refusal,)), {})
    releases = checkout.releases_of(target)
    known = _with_pending(gather_facts(site.config, site.places, own_lock=own_lock), site.places, releases)
    made = plan(
        installed.place,
        target,
        releases,
        known.ledger,
        known.facts,
        allow_prerelease=options.allow_prerelease,
        backup=options.backup,
    )
    ends = [leg.end for leg in made.legs] if isinstance(made, Plan) else [target]
    commits = {version: find_release(checkout.root, version) for version in ends}
    verdict = examine(site.places, site.config, checkout, installed, ends)
    news = read_news(site.config.database_url)
    untrusted = [*verdict.refusals, *find_contradictions(news, verdict.commits, verdict.feed_signers)]
    refusals = [*_refuse(site, installed, made, options), *(Refusal(one.code, str(one)) for one in untrusted)]
    if refusals:
        before = made.refusals if isinstance(made, Refused) else ()
        made = Refused(installed.place.name, target, (*before, *refusals))
    elif isinstance(made, Plan) and made.legs:
        doubts = list_doubts(news, target, checkout.versions, time.time())
        made = made._replace(warnings=(*made.warnings, *verdict.notes, *doubts), signed=verdict.signed)
    pending = find_settling(site.places)
    if pending is not None and isinstance(made, Plan) and made.legs:
        first = (
            f"first the upgrade to {pending.told.plan['target']} is finished: what nobody reads any more is removed."
        )
        made = made._replace(warnings=(*made.warnings, first))
    if checkout.unfetched and isinstance(made, Plan):
        old = f"new releases could not be fetched ({checkout.unfetched}): this knows those that were fetched before."
        made = made._replace(warnings=(old, *made.warnings))
    return Planned(made, commits)


def apply(site: Site, options: Options, wanted: str, report: Report, settle: Callable[[int], None]) -> Journal | None:
    """Executes the plan of that hash; gives its journal, or None when there is nothing to do.

    Mostly it does not return: the new release's code goes on. Raises UpgradeError, Locked and what planning raises.
    """
    with hold_lock(site.places.state) as lock:
        planned = make_plan(site, options, own_lock=True)
        if isinstance(planned.made, Refused):
            raise UpgradeError("; ".join(one.reason for one in planned.made.refusals))
        if not planned.made.legs:
            return None
        _compare(planned, wanted)
        settle(lock)
        journal = create_journal(
            site.places.journal,
            plan_json(planned.made),
            commits=dict(planned.commits),
            offline=options.offline,
            contract_now=options.contract_now,
            announce=options.announce,
        )
        drive(site, journal, report, lock)
        return journal


def drive(site: Site, journal: Journal, report: Report, lock: int, *, contract_now: bool = False) -> str:
    """Goes on with an upgrade as far as it goes; gives its state. Raises UpgradeError."""
    with _listen_for_stop() as is_stopping:
        return Applier(site, journal, report, lock, is_stopping).drive(contract_now=contract_now)


def continue_upgrade(site: Site, journal: Journal, report: Report) -> str:
    """Goes on as the new release; gives the state. Raises UpgradeError, Locked."""
    with hold_lock(site.places.state) as lock:
        return drive(site, journal, report, lock, contract_now=_last_wants_contract(journal))


def resume(site: Site, report: Report) -> Journal:
    """Goes on with the upgrade that was broken off, or settles. Raises UpgradeError, Locked, JournalError."""
    with hold_lock(site.places.state) as lock:
        journal = find_open(list_journals(site.places.journal), (RUNNING, FAILED, STOPPED, SETTLING))
        contract_now = journal.told.state == SETTLING
        journal.write("resumed", contract_now=contract_now)
        drive(site, journal, report, lock, contract_now=contract_now)
        return journal


def finish_pending(site: Site, lock: int) -> None:
    """Lets the release that settles remove what nobody reads, before the next one comes. Raises UpgradeError."""
    pending = find_settling(site.places)
    release = read_release(site.places.current)
    if pending is None or release is None:
        return
    environment = {**os.environ, **pass_on(lock), **site.places.environ()}
    command = [str(release.python), "-P", "-m", "phiomia", "upgrade", "resume"]
    done = subprocess.run(command, env=environment, pass_fds=[lock], start_new_session=True)
    os.set_inheritable(lock, False)
    if done.returncode != 0:
        raise UpgradeError(
            f"The upgrade to {pending.told.plan['target']} could not be finished first; nothing else was done."
        )


def find_settling(places: Places) -> Journal | None:
    """The upgrade whose contract is still to come."""
    settling = [journal for journal in list_journals(places.journal) if journal.told.state == SETTLING]
    return settling[-1] if settling else None


def _last_wants_contract(journal: Journal) -> bool:
    resumed = [entry for entry in journal.entries if entry["kind"] == "resumed"]
    return bool(resumed and resumed[-1].get("contract_now"))


def _with_pending(known: Known, places: Places, releases: Releases) -> Known:
    """The facts as they will be when the upgrade that settles is finished, which happens first."""
    pending = find_settling(places)
    if pending is None or known.facts.applied is None:
        return known
    versions = [version for leg in pending.told.plan["legs"] for version in leg["releases"]]
    manifests = [releases.manifests[version] for version in versions if version in releases.manifests]
    coming = {revision for manifest in manifests for revision in manifest.schema.contracts}
    return known._replace(facts=replace(known.facts, applied=known.facts.applied | coming))


def _refuse_name(checkout: Checkout, target: str) -> Refusal | None:
    if target in checkout.history.contains:
        return None
    if is_branch(checkout.root, target):
        return Refusal("branch", f"v{target} is a branch. There is no tag of that name, so it is no release.")
    try:
        commit = find_commit(checkout.root, target)
    except GitError:
        return Refusal("unknown", f"There is no release {target}.")
    return Refusal("unreleased", f"{target} ({commit[:12]}) is no release: what has no manifest can't be planned.")


def _refuse(site: Site, installed: Selected, made: Plan | Refused, options: Options) -> Iterator[Refusal]:
    if installed.place.name.endswith("+unreleased") and not options.allow_unreleased:
        reason = f"{installed.place.name} is installed, which is no release: nobody knows what it has done already."
        yield Refusal("unreleased", f"{reason} --allow-unreleased goes on all the same.")
    if isinstance(made, Plan) and made.legs:
        if follows := check_follows(site.places, site.run_dir):
            yield Refusal("layout", follows)
        if any(step.id == "backup" and not step.skipped for leg in made.legs for step in leg.steps):
            missing = check_tools(site.config.database_url)
            if missing:
                yield Refusal("backup", missing)


def _compare(planned: Planned, wanted: str) -> None:
    if wanted and (len(wanted) < _SHORTEST_HASH or not planned.hash.startswith(wanted)):
        raise UpgradeError(
            f"The plan is {planned.hash[:16]} now, not {wanted[:16]}: something has changed since it was shown."
            " Look at it again (phiomia upgrade plan)."
        )


@contextmanager
def _listen_for_stop() -> Iterator[Callable[[], bool]]:
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        # Whatever is printing at this moment must not be entered a second time.
        os.write(2, b"stopping after this step; `phiomia upgrade resume` goes on\n")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
