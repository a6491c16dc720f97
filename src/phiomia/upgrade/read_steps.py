"""Reads the steps and changes of a manifest or a fragment."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from phiomia.upgrade import conditions
from phiomia.upgrade.manifest_parts import AUDIENCES, KINDS, PHASES, Change, Cost, Step
from phiomia.upgrade.toml_reader import Reader

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*@[1-9]\d*")
_ENTRY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


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


def _read_step(reader: Reader, table: Mapping[str, Any], place: int) -> Step:
    where: dict[str, Any] = {"section": "step", "place": place}
    reader.allow(table, "step", names_of(Step), place=place)
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
        check_formula(reader, step.only_if, "only_if", **where)
    return step


def _read_cost(reader: Reader, table: Mapping[str, Any], place: int) -> Cost:
    where: dict[str, Any] = {"section": "step", "place": place}
    for key in table:
        if key not in names_of(Cost):
            reader.fail("cost", f"{key} is not known", **where)
    cost = Cost(
        seconds=reader.number(table, "seconds", **where),
        rows=reader.text(table, "rows", **where),
        per_s=reader.number(table, "per_s", **where),
    )
    if bool(cost.rows) != (cost.per_s > 0):
        reader.fail("cost", "has to have rows and per_s, or neither", **where)
    if cost.rows:
        check_formula(reader, cost.rows, "cost", **where)
    return cost


def check_formula(reader: Reader, text: str, key: str, **where: Any) -> None:
    """Refuses what is no formula."""
    try:
        conditions.check(text)
    except conditions.ConditionError as error:
        reader.fail(key, str(error), **where)


def names_of(kind: type) -> list[str]:
    """The keys that a table of a kind may have."""
    return [each.name for each in dataclasses.fields(kind)]
