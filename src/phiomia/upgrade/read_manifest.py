"""Reads manifests, strictly: a mistake is named with its file, its line and its key."""

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phiomia.upgrade.manifest_parts import (
    CHANNELS,
    RESTARTS,
    SCHEMA,
    URGENCIES,
    Change,
    Downtime,
    Manifest,
    Requires,
    Restart,
    Schema,
)
from phiomia.upgrade.read_steps import check_formula, names_of, read_change, read_steps
from phiomia.upgrade.toml_reader import Reader
from phiomia.upgrade.versions import is_prerelease, meets, version_order

_REVISION = re.compile(r"[A-Za-z0-9_]+")


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
    reader.allow(table, "", [*names_of(Manifest), "step", "change", "schema_version"], but=("steps", "changes"))
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


def _read_change(reader: Reader, table: Mapping[str, Any], place: int) -> Change:
    reader.allow(table, "change", names_of(Change), place=place)
    return read_change(reader, table, "change", place)


def _read_requires(reader: Reader) -> Requires:
    table = reader.part("requires")
    reader.allow(table, "requires", names_of(Requires))
    values = {}
    for name in names_of(Requires):
        value = table.get(name, "")
        if name.endswith("_mb") and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        values[name] = reader.text({name: value}, name, section="requires")
        if value and name.endswith("_mb"):
            check_formula(reader, value, name, section="requires")
        elif value:
            try:
                meets("0", value)
            except ValueError as error:
                reader.fail(name, str(error), section="requires")
    return Requires(**values)


def _read_schema(reader: Reader) -> Schema:
    table = reader.part("schema")
    reader.allow(table, "schema", names_of(Schema))
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
    reader.allow(table, "restart", names_of(Restart))
    chosen = {role: reader.choice(table, role, words, "none", section="restart") for role, words in RESTARTS.items()}
    return Restart(**chosen)


def _read_downtime(reader: Reader) -> Downtime:
    table = reader.part("downtime")
    reader.allow(table, "downtime", names_of(Downtime))
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
