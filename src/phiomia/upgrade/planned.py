"""What a plan is made from and what it consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from phiomia.upgrade.conditions import Value
from phiomia.upgrade.manifest import Manifest, Restart


class PlanError(ValueError):
    """The releases contradict themselves: no server could follow them."""


@dataclass(frozen=True)
class Facts:
    """What is known of the server. `named` is what conditions and amounts may ask for."""

    python: str = ""
    database: str = ""  # sqlite | postgresql
    database_version: str = ""
    disk_free_mb: float | None = None
    ram_free_mb: float | None = None
    applied: frozenset[str] | None = None  # revisions; None: those of the installed releases
    unfinished_backfills: tuple[str, ...] = ()
    running_upgrade: str = ""
    highest_seen: str = ""
    named: Mapping[str, Value] = field(default_factory=dict)


class PlannedStep(NamedTuple):
    """A step within a leg; `skipped` says why it will not run. Steps of our own have no `run`."""

    id: str
    phase: str
    title: str
    run: str
    releases: tuple[str, ...]
    seconds: float | None
    repeat: bool = False
    only_if: str = ""
    skipped: str = ""
    reversible: str = "noop"
    manual: str = ""
    docs: str = ""


class Leg(NamedTuple):
    """One hop: from what runs then to a release."""

    start: str
    end: str
    releases: tuple[str, ...]
    reason: str
    steps: tuple[PlannedStep, ...]
    restart: Restart
    downtime_s: float
    downtime_reasons: tuple[str, ...]
    disk_mb: float
    ram_mb: float

    @property
    def seconds(self) -> float | None:
        """The estimated time, unless a step's is not known."""
        times = [step.seconds for step in self.steps if not step.skipped]
        known = [time for time in times if time is not None]
        return sum(known) if len(known) == len(times) else None


class Refusal(NamedTuple):
    """A reason against the upgrade; `code` is for programs."""

    code: str
    reason: str


class Refused(NamedTuple):
    """There is no plan as things are."""

    installed: str
    target: str
    refusals: tuple[Refusal, ...]


class Plan(NamedTuple):
    """What will be done, leg after leg; none when there is nothing to do. `signed` says who has signed what."""

    installed: str
    target: str
    legs: tuple[Leg, ...]
    warnings: tuple[str, ...]
    signed: tuple[str, ...] = ()


class Releases(NamedTuple):
    """Manifests by version, and which releases each contains, itself among them."""

    manifests: Mapping[str, Manifest]
    contains: Mapping[str, frozenset[str]]
