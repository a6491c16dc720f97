"""The plan says in advance how far the way back goes, for people and for programs."""

from __future__ import annotations

import datetime

import pytest

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.manifest import Manifest, Schema
from phiomia.upgrade.plan import Facts, Plan, Releases, plan
from phiomia.upgrade.plan_text import plan_json, render_plan

_DAY = datetime.date(2026, 11, 30)
_ADDS = Manifest("1.1.0", _DAY, schema=Schema(expand_head="e1", expands=("e1",)))
_REMOVES = Manifest(
    "1.2.0", _DAY, schema=Schema(expand_head="e1", contract_head="c1", expands=("e2",), contracts=("c1",))
)


@pytest.mark.parametrize(
    ("manifest", "backup", "ends_with", "then", "text"),
    [
        (_ADDS, "auto", "", "", "at any time: nothing is removed from the schema"),
        (_REMOVES, "auto", "migrate-contract", "backup", "until migrate-contract; after it only by the backup"),
        (_REMOVES, "never", "migrate-contract", "own backup", "only by a backup of your own, as none is made"),
    ],
)
def test_the_plan_says_how_far_the_way_back_goes(
    manifest: Manifest, backup: str, ends_with: str, then: str, text: str
) -> None:
    first = Manifest("1.0.0", _DAY)
    contains = {"1.0.0": frozenset({"1.0.0"}), manifest.version: frozenset({"1.0.0", manifest.version})}
    releases = Releases({"1.0.0": first, manifest.version: manifest}, contains)
    made = plan(Place("1.0.0", contains["1.0.0"]), manifest.version, releases, frozenset(), Facts(), backup=backup)
    assert isinstance(made, Plan)
    (leg,) = plan_json(made)["legs"]
    assert (leg["way_back"]["ends_with"], leg["way_back"]["then"]) == (ends_with, then)
    assert text in leg["way_back"]["text"]
    assert f"  way back   {leg['way_back']['text']}" in render_plan(made)
