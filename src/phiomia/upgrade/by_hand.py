"""The way by hand from what is installed to what is checked out: instructions in their order, as commands to type."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from phiomia.upgrade import ledger
from phiomia.upgrade.assurance import examine
from phiomia.upgrade.checkout import open_checkout
from phiomia.upgrade.facts import Known, gather_facts
from phiomia.upgrade.installed import find_installed
from phiomia.upgrade.manifest import PHASES
from phiomia.upgrade.pending import find_contracts, list_pending
from phiomia.upgrade.plan import Leg, PlannedStep, Refused, Releases, plan
from phiomia.upgrade.site import Site
from phiomia.upgrade.tags import find_branch

_SWITCH = PHASES.index("workers")
_RESTARTS = {
    ("restart-workers", "reload"): "systemctl reload phiomia-worker",
    ("restart-workers", "restart"): "systemctl restart phiomia-worker",
    ("restart-web", "reload"): "systemctl reload phiomia-web",
    ("restart-web", "restart"): "systemctl restart phiomia-web",
    ("restart-streaming", "handover"): "systemctl reload phiomia-streaming",
    ("restart-streaming", "reconnect"): "systemctl restart phiomia-streaming",
}
_BY_THEMSELVES = ("fetch", "build", "switch", "settle")


class Instruction(NamedTuple):
    """One line to type."""

    command: str
    title: str
    phase: str


class Way(NamedTuple):
    """What leads to what is checked out; `refusal` says why nothing does.

    `required` has to be done before a process of it may start, `back` means that it is older than what is installed.
    """

    installed: str
    target: str
    releases: tuple[str, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    required: tuple[Instruction, ...] = ()
    refusal: str = ""
    back: bool = False


def find_way(site: Site) -> Way:
    """The way to what is checked out. Raises GitError, ManifestError, PlanError."""
    checkout = open_checkout(site.places.checkout)
    selected = find_installed(site.places, checkout)
    installed = selected.place
    target = checkout.history.here.name
    if target == installed.name:
        return Way(installed.name, target)
    if target not in checkout.history.contains:
        branch = find_branch(checkout.root)
        what = f"it is the branch {branch}, and no release" if branch.startswith("v") else "it is no release"
        why = f"{what}. Check one out: `git checkout v…`; `phiomia releases` lists them"
        return Way(installed.name, target, refusal=why)
    if target in installed.contains:
        return Way(installed.name, target, back=True)
    verdict = examine(site.places, site.config, checkout, selected, [target])
    if verdict.refusals:
        return Way(installed.name, target, refusal=" ".join(str(one) for one in verdict.refusals))
    releases = checkout.releases_of(target)
    known = gather_facts(site.config, site.places, own_lock=True)
    made = plan(installed, target, releases, known.ledger, known.facts, allow_prerelease=True)
    if isinstance(made, Refused):
        return Way(installed.name, target, refusal=" ".join(one.reason for one in made.refusals))
    first = made.legs[0]
    if len(made.legs) > 1:
        ends = ", then ".join(f"v{leg.end}" for leg in made.legs)
        return Way(installed.name, target, refusal=f"go to {ends}. {_capital(first.reason)}")
    left = [one for one in first.steps if not one.skipped and _is_left(one, first, releases, known, site)]
    return Way(
        installed.name,
        target,
        first.releases,
        tuple(_instruct(left, first)),
        tuple(_instruct([one for one in left if _is_required(one)], first)),
    )


def list_left(site: Site) -> list[Instruction]:
    """What is still to do when the release that is checked out runs. Raises GitError, ManifestError, PlanError."""
    from phiomia.upgrade.status import missing_steps

    checkout = open_checkout(site.places.checkout)
    installed = find_installed(site.places, checkout).place.name
    if installed not in checkout.history.contains:
        return []
    steps = missing_steps(site.places, site.config, installed)
    found = [Instruction(f"phiomia step {one.id}", one.title, one.phase) for one in steps]
    facts = gather_facts(site.config, site.places, own_lock=True).facts
    contracts = find_contracts(checkout, installed, facts.applied or frozenset())
    pending = list_pending(contracts, facts.unfinished_backfills, settles=False)
    return [*found, *(Instruction(one.command, one.title, one.phase) for one in pending)]


def render_way(way: Way, left: Iterable[Instruction]) -> str:
    """The instructions for people."""
    if way.refusal:
        return f"{way.target} can't be taken up from {way.installed}: {way.refusal}"
    if way.back:
        return (
            f"{way.target} is older than {way.installed}. If its database still suits it, the next start goes back:\n"
            + "".join(f"  {_RESTARTS[one]}\n" for one in _BACK)
        ).rstrip()
    if way.target == way.installed:
        lines = [f"{way.target} is installed."]
        todo = list(left)
        lines += ["Left to do:", *_lines(todo)] if todo else ["Nothing is left to do."]
        return "\n".join(lines)
    lines = [f"From {way.installed} to {way.target} ({', '.join(way.releases)}). Nothing that runs has changed yet."]
    for heading, phases in (
        ("Before the restart, in this order:", PHASES[:_SWITCH]),
        ("Then:", ("workers", "web", "streaming")),
        ("When all processes run it:", PHASES[PHASES.index("backfill") :]),
    ):
        chosen = [one for one in way.instructions if one.phase in phases]
        lines += ["", heading, *_lines(chosen)] if chosen else []
    return "\n".join(lines)


_BACK = (("restart-web", "reload"), ("restart-workers", "restart"), ("restart-streaming", "handover"))


def _lines(instructions: Iterable[Instruction]) -> Iterator[str]:
    for one in instructions:
        yield f"  {one.command:<42} # {one.title}"


def _instruct(steps: Sequence[PlannedStep], leg: Leg) -> Iterator[Instruction]:
    yield from (Instruction(_command(one, leg), one.title, one.phase) for one in steps if one.id not in _BY_THEMSELVES)
    if any(one.id == "migrate-contract" for one in steps):
        # No process may be left that was started from what reads the old schema, changed or not.
        for one, need in _BACK:
            name = one.removeprefix("restart-")
            if getattr(leg.restart, name) == "none":
                yield Instruction(_RESTARTS[one, need], f"Bring {name} to {leg.end} as well", name)


def _command(step: PlannedStep, leg: Leg) -> str:
    if step.id.startswith("restart-"):
        return _RESTARTS[step.id, str(getattr(leg.restart, step.id.removeprefix("restart-")))]
    return "phiomia backfills run" if step.id == "backfills" else f"phiomia step {step.id}"


def _is_required(step: PlannedStep) -> bool:
    # A backup protects its owner, who may have made one in another way.
    return PHASES.index(step.phase) < _SWITCH and step.id not in (*_BY_THEMSELVES, "backup")


def _is_left(step: PlannedStep, leg: Leg, releases: Releases, known: Known, site: Site) -> bool:
    if step.id == "migrate-expand":
        coming = {one for version in leg.releases for one in releases.manifests[version].schema.expands}
        return not coming <= (known.facts.applied or frozenset())
    if step.repeat and step.run:
        entries = ledger.entries(site.config.database_url)
        return not any(one.step_id == step.id and one.release in step.releases for one in entries)
    return True


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
