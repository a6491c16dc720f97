"""What a manifest consists of, and the words that may stand in it."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = 1
CHANNELS = ("stable", "rc", "nightly")
URGENCIES = ("routine", "recommended", "security")
KINDS = ("security", "added", "changed", "deprecated", "removed", "fixed")
AUDIENCES = ("admin", "user", "api", "federation")
PHASES = (
    "preflight",
    "fetch",
    "build",
    "backup",
    "expand",
    "config",
    "canary",
    "workers",
    "web",
    "streaming",
    "backfill",
    "settle",
    "contract",
    "cleanup",
    "report",
)
# What a role may need, from nothing to the most.
RESTARTS = {
    "web": ("none", "reload", "restart"),
    "workers": ("none", "reload", "restart"),
    "streaming": ("none", "handover", "reconnect"),
}
# What every leg of a plan does by itself, and steps may wait for.
OWN_STEPS = ("backup", "migrate-expand", "migrate-contract", "restart-workers", "restart-web", "restart-streaming")


class ManifestError(ValueError):
    """A manifest or a fragment can't be taken as it is."""


@dataclass(frozen=True)
class Cost:
    """How long a step takes: a fixed time, and rows at a rate. `rows` names a fact."""

    seconds: float = 0
    rows: str = ""
    per_s: float = 0


@dataclass(frozen=True)
class Step:
    """One instruction; its id is its meaning."""

    id: str
    phase: str
    title: str
    run: str
    needs: tuple[str, ...] = ()
    only_if: str = ""
    repeat: bool = False
    cost: Cost = Cost()
    reversible: str = "restore"
    manual: str = ""
    docs: str = ""


@dataclass(frozen=True)
class Change:
    """One sentence of the changelog."""

    kind: str
    text: str
    audience: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requires:
    """Bounds and amounts that are compared before anything is touched."""

    python: str = ""
    postgres: str = ""
    sqlite: str = ""
    disk_free_mb: str = ""
    ram_free_mb: str = ""


@dataclass(frozen=True)
class Schema:
    """Heads after this release, the revisions it brings, and which of them build on a contract revision."""

    expand_head: str = ""
    contract_head: str = ""
    compat: str = ""
    compat_after_contract: str = ""
    expands: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Restart:
    """What the processes of each role must do to take the release up."""

    web: str = "none"
    workers: str = "none"
    streaming: str = "none"


@dataclass(frozen=True)
class Downtime:
    """How long nobody is answered, and why."""

    expected_s: float = 0
    reason: str = ""


@dataclass(frozen=True)
class Manifest:
    """All that one release says about itself."""

    version: str
    date: datetime.date
    channel: str = "stable"
    urgency: str = "routine"
    min_from: str = ""
    stop: bool = False
    stop_reason: str = ""
    requires: Requires = Requires()
    schema: Schema = Schema()
    restart: Restart = Restart()
    downtime: Downtime = Downtime()
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
