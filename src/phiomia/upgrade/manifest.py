"""Release manifests: `releases/<version>.toml`, from which people and the planner learn what a release asks for.

Reading is strict: what is misspelt or of the wrong kind is refused with the file, the line and the key.
"""

import dataclasses
import datetime
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from phiomia.upgrade import conditions
from phiomia.upgrade.toml import render_table
from phiomia.upgrade.versions import is_prerelease, meets, version_order

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

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*@[1-9]\d*")
_ENTRY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_REVISION = re.compile(r"[A-Za-z0-9_]+")
T = TypeVar("T")


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


def read_releases(folder: Path) -> dict[str, Manifest]:
    """Every manifest of a directory by its version, the oldest first; none when it does not exist. Raises
    ManifestError."""
    return read_texts({path.name: path.read_text("utf-8") for path in folder.glob("*.toml")})


def read_texts(texts: Mapping[str, str]) -> dict[str, Manifest]:
    """The same for texts by file name."""
    manifests = [read_manifest(text, name) for name, text in texts.items()]
    return {one.version: one for one in sorted(manifests, key=lambda one: version_order(one.version))}


def read_manifest(text: str, name: str) -> Manifest:
    """Reads one manifest. Raises ManifestError, which names the file, the line and the key."""
    reader = Reader(text, name)
    table = reader.table
    if table.get("schema_version") != SCHEMA:
        reader.fail("schema_version", f"must be {SCHEMA}: another version of Phiomia wrote this file")
    reader.allow(table, "", [*_names(Manifest), "step", "change", "schema_version"], but=("steps", "changes"))
    made = Manifest(
        version=reader.text(table, "version", required=True),
        date=reader.take(table, "date", datetime.date, datetime.date.min, required=True),
        channel=reader.choice(table, "channel", CHANNELS, "stable"),
        urgency=reader.choice(table, "urgency", URGENCIES, "routine"),
        min_from=reader.text(table, "min_from"),
        stop=reader.take(table, "stop", bool, False),
        stop_reason=reader.text(table, "stop_reason"),
        requires=_read_requires(reader),
        schema=_read_schema(reader),
        restart=_read_restart(reader),
        downtime=_read_downtime(reader),
        steps=read_steps(reader),
        changes=tuple(_read_change(reader, one, place) for place, one in reader.list("change")),
    )
    _check_manifest(reader, made)
    return made


def write_manifest(manifest: Manifest) -> str:
    """The text of a manifest, which reads back as the same and is always the same."""
    head = {
        "schema_version": SCHEMA,
        "version": manifest.version,
        "date": manifest.date,
        "channel": manifest.channel,
        "urgency": manifest.urgency,
        "min_from": manifest.min_from,
        "stop": manifest.stop,
        "stop_reason": manifest.stop_reason,
    }
    schema = dataclasses.asdict(manifest.schema)
    needs = dict(sorted(schema.pop("needs").items()))
    parts = [render_table(head)]
    for name, table in (
        ("requires", dataclasses.asdict(manifest.requires)),
        ("schema", {**schema, **({"needs": needs} if needs else {})}),
        ("restart", dataclasses.asdict(manifest.restart)),
        ("downtime", dataclasses.asdict(manifest.downtime)),
    ):
        parts.append(f"[{name}]\n{render_table({key: value for key, value in table.items() if value != ''})}")
    parts += [f"[[step]]\n{render_step(step)}" for step in manifest.steps]
    parts += [f"[[change]]\n{render_table(_present(change))}" for change in manifest.changes]
    return "\n".join(parts)


def render_step(step: Step) -> str:
    """The lines of one step; what has its default is left out."""
    return render_table(_present(step))


def _present(one: Any) -> dict[str, Any]:
    values = {}
    for each in dataclasses.fields(one):
        value = getattr(one, each.name)
        if each.default is dataclasses.MISSING or value != each.default:
            values[each.name] = _present(value) if dataclasses.is_dataclass(value) else value
    return values


def check_releases(releases: Mapping[str, Manifest], contains: Mapping[str, frozenset[str]]) -> None:
    """Looks at manifests together: `contains` gives each one's ancestors and itself. Raises ManifestError."""
    for version, manifest in releases.items():
        known = contains.get(version, frozenset({version}))
        if manifest.min_from and manifest.min_from not in known:
            raise ManifestError(f"{version}.toml: min_from: {manifest.min_from} is no release before {version}")
        steps = {step.id for other in known if other in releases for step in releases[other].steps}
        for step in manifest.steps:
            for need in step.needs:
                if need not in steps and need not in OWN_STEPS:
                    raise ManifestError(f"{version}.toml: step {step.id}: needs {need}, which no release has")


class Reader:
    """Takes values out of a TOML text and says where one is wrong."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = text.splitlines()
        try:
            self.table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ManifestError(f"{name}: {error}") from None

    def fail(self, key: str, why: str, *, section: str = "", place: int = 0) -> NoReturn:
        """Raises ManifestError; `place` counts tables of the same name."""
        line = self._line(key, section, place)
        where = f"{self.name}:{line}" if line else self.name
        raise ManifestError(f"{where}: {section}{'.' if section else ''}{key}: {why}")

    def take(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type[T],
        default: T,
        *,
        required: bool = False,
        section: str = "",
        place: int = 0,
    ) -> T:
        """A value of one kind."""
        if key not in table:
            if required:
                self.fail(key, "is missing", section=section, place=place)
            return default
        value = table[key]
        right = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
        if isinstance(value, datetime.datetime) or not right:
            self.fail(key, f"must be a {_KIND_NAMES.get(kind, kind.__name__)}", section=section, place=place)
        return cast("T", value)

    def text(self, table: Mapping[str, Any], key: str, **where: Any) -> str:
        """A text; empty unless it is there."""
        value = self.take(table, key, str, "", **where)
        if where.pop("required", False) and not value.strip():
            self.fail(key, "must not be empty", **where)
        return value

    def number(self, table: Mapping[str, Any], key: str, **where: Any) -> float:
        """A number that is not negative; 0 unless it is there."""
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            self.fail(key, "must be a number, 0 or more", **where)
        return value

    def choice(self, table: Mapping[str, Any], key: str, choices: Sequence[str], default: str, **where: Any) -> str:
        """One of several words."""
        value = self.take(table, key, str, default, **where)
        if value not in choices:
            where.pop("required", None)
            self.fail(key, f"is {value!r}, but must be one of {', '.join(choices)}", **where)
        return value

    def texts(self, table: Mapping[str, Any], key: str, **where: Any) -> tuple[str, ...]:
        """A list of texts."""
        values = self.take(table, key, list, [], **where)
        if not all(isinstance(value, str) and value for value in values):
            self.fail(key, "must be a list of texts", **where)
        return tuple(values)

    def part(self, key: str) -> Mapping[str, Any]:
        """A table of the file; empty unless it is there."""
        return self.take(self.table, key, dict, {})

    def list(self, key: str) -> list[tuple[int, Mapping[str, Any]]]:
        """The tables `[[key]]` with their number."""
        found = self.take(self.table, key, list, [])
        if not all(isinstance(one, dict) for one in found):
            self.fail(key, f"must be written as [[{key}]]")
        return list(enumerate(found))

    def allow(
        self, table: Mapping[str, Any], section: str, names: Sequence[str], *, but: Sequence[str] = (), place: int = 0
    ) -> None:
        """Refuses keys with other names."""
        for key in table:
            if key not in names or key in but:
                self.fail(key, "is not known", section=section, place=place)

    def _line(self, key: str, section: str, place: int) -> int:
        wanted, seen, within = section, -1, not section
        for number, line in enumerate(self._lines, 1):
            heading = re.match(r"\s*\[\[?\s*([\w.\"-]+)\s*\]\]?\s*(?:#.*)?$", line)
            if heading:
                seen += heading[1] == wanted
                within = heading[1] == wanted and seen == place
                if not section and heading[1] == key:
                    return number
            elif within and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
                return number
        return self._line_of(section, place)

    def _line_of(self, section: str, place: int) -> int:
        headings = [
            number
            for number, line in enumerate(self._lines, 1)
            if re.match(rf"\s*\[\[?\s*{re.escape(section)}\s*\]", line)
        ]
        return headings[place] if section and place < len(headings) else 0


_KIND_NAMES = {str: "text", bool: "switch (true or false)", dict: "table", list: "list", datetime.date: "date"}


def read_steps(reader: Reader) -> tuple[Step, ...]:
    """The steps `[[step]]` of a manifest or a fragment."""
    steps = tuple(_read_step(reader, one, place) for place, one in reader.list("step"))
    ids = [step.id for step in steps]
    for place, one in enumerate(ids):
        if one in ids[:place]:
            reader.fail("id", f"{one} is there twice", section="step", place=place)
    return steps


def read_change(
    reader: Reader, table: Mapping[str, Any], section: str = "", place: int = 0, kinds: Sequence[str] = KINDS
) -> Change:
    """Kind, text and audience."""
    where: dict[str, Any] = {"section": section, "place": place}
    audience = reader.texts(table, "audience", **where)
    for one in audience:
        if one not in AUDIENCES:
            reader.fail("audience", f"has {one!r}, but may have {', '.join(AUDIENCES)}", **where)
    kind = reader.choice(table, "kind", kinds, "", **where)
    return Change(kind, reader.text(table, "text", required=True, **where).strip(), audience)


def _read_change(reader: Reader, table: Mapping[str, Any], place: int) -> Change:
    reader.allow(table, "change", _names(Change), place=place)
    return read_change(reader, table, "change", place)


def _read_step(reader: Reader, table: Mapping[str, Any], place: int) -> Step:
    where: dict[str, Any] = {"section": "step", "place": place}
    reader.allow(table, "step", _names(Step), place=place)
    step = Step(
        id=reader.text(table, "id", required=True, **where),
        phase=reader.choice(table, "phase", PHASES, "", **where),
        title=reader.text(table, "title", required=True, **where),
        run=reader.text(table, "run", required=True, **where),
        needs=reader.texts(table, "needs", **where),
        only_if=reader.text(table, "only_if", **where),
        repeat=reader.take(table, "repeat", bool, False, **where),
        cost=_read_cost(reader, reader.take(table, "cost", dict, {}, **where), place),
        reversible=reader.take(table, "reversible", str, "restore", **where),
        manual=reader.text(table, "manual", **where),
        docs=reader.text(table, "docs", **where),
    )
    if not _ID.fullmatch(step.id):
        reader.fail("id", f"{step.id!r} must look like rebuild-search@1", **where)
    if not _ENTRY.fullmatch(step.run):
        reader.fail("run", f"{step.run!r} must look like package.module:function", **where)
    if step.reversible not in ("noop", "restore") and not _ENTRY.fullmatch(step.reversible):
        reader.fail("reversible", "must be noop, restore or package.module:function", **where)
    if step.only_if:
        _check_formula(reader, step.only_if, "only_if", **where)
    return step


def _read_cost(reader: Reader, table: Mapping[str, Any], place: int) -> Cost:
    where: dict[str, Any] = {"section": "step", "place": place}
    for key in table:
        if key not in _names(Cost):
            reader.fail("cost", f"{key} is not known", **where)
    cost = Cost(
        seconds=reader.number(table, "seconds", **where),
        rows=reader.text(table, "rows", **where),
        per_s=reader.number(table, "per_s", **where),
    )
    if bool(cost.rows) != (cost.per_s > 0):
        reader.fail("cost", "has to have rows and per_s, or neither", **where)
    if cost.rows:
        _check_formula(reader, cost.rows, "cost", **where)
    return cost


def _read_requires(reader: Reader) -> Requires:
    table = reader.part("requires")
    reader.allow(table, "requires", _names(Requires))
    values = {}
    for name in _names(Requires):
        value = table.get(name, "")
        if name.endswith("_mb") and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        values[name] = reader.text({name: value}, name, section="requires")
        if value and name.endswith("_mb"):
            _check_formula(reader, value, name, section="requires")
        elif value:
            try:
                meets("0", value)
            except ValueError as error:
                reader.fail(name, str(error), section="requires")
    return Requires(**values)


def _read_schema(reader: Reader) -> Schema:
    table = reader.part("schema")
    reader.allow(table, "schema", _names(Schema))
    where: dict[str, Any] = {"section": "schema"}
    needs = reader.take(table, "needs", dict, {}, section="schema")
    made = Schema(
        expand_head=reader.text(table, "expand_head", **where),
        contract_head=reader.text(table, "contract_head", **where),
        compat=reader.text(table, "compat", **where),
        compat_after_contract=reader.text(table, "compat_after_contract", **where),
        expands=reader.texts(table, "expands", **where),
        contracts=reader.texts(table, "contracts", **where),
        needs={name: reader.texts(needs, name, **where) for name in needs},
    )
    for revision in (*made.expands, *made.contracts):
        if not _REVISION.fullmatch(revision):
            reader.fail("expands" if revision in made.expands else "contracts", f"{revision!r} is no revision", **where)
    for name, wanted in made.needs.items():
        if name not in made.expands:
            reader.fail("needs", f"{name} is no expand revision of this release", **where)
        if own := set(wanted) & set(made.contracts):
            reader.fail("needs", f"{name} builds on {min(own)}, which needs a release of its own before", **where)
    for key in ("compat", "compat_after_contract"):
        _check_version(reader, key, table.get(key, ""), section="schema")
    return made


def _read_restart(reader: Reader) -> Restart:
    table = reader.part("restart")
    reader.allow(table, "restart", _names(Restart))
    chosen = {role: reader.choice(table, role, words, "none", section="restart") for role, words in RESTARTS.items()}
    return Restart(**chosen)


def _read_downtime(reader: Reader) -> Downtime:
    table = reader.part("downtime")
    reader.allow(table, "downtime", _names(Downtime))
    made = Downtime(
        reader.number(table, "expected_s", section="downtime"), reader.text(table, "reason", section="downtime")
    )
    if made.expected_s and not made.reason:
        reader.fail("reason", "is missing: those who wait want to know", section="downtime")
    return made


def _check_manifest(reader: Reader, made: Manifest) -> None:
    _check_version(reader, "version", made.version)
    _check_version(reader, "min_from", made.min_from)
    if reader.name.endswith(".toml") and Path(reader.name).name != f"{made.version}.toml":
        reader.fail("version", f"{made.version} must be in {made.version}.toml")
    if is_prerelease(made.version) != (made.channel != "stable"):
        reader.fail("channel", f"{made.channel} does not fit {made.version}")
    if made.stop and made.channel != "stable":
        reader.fail("stop", "only a stable release may be one that nobody passes by")
    if made.stop and not made.stop_reason:
        reader.fail("stop_reason", "is missing")


def _check_version(reader: Reader, key: str, version: str, *, section: str = "") -> None:
    try:
        if version:
            version_order(version)
    except ValueError as error:
        reader.fail(key, str(error), section=section)


def _check_formula(reader: Reader, text: str, key: str, **where: Any) -> None:
    try:
        conditions.check(text)
    except conditions.ConditionError as error:
        reader.fail(key, str(error), **where)


def _names(kind: type) -> list[str]:
    return [each.name for each in dataclasses.fields(kind)]
