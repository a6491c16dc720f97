"""Streaming is replaced only by releases that change it: so say the plans of any history of releases."""

from __future__ import annotations

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.manifest import Manifest, Restart
from phiomia.upgrade.plan import Plan, Releases, plan

DAY = datetime.date(2026, 11, 30)
CHANGES = st.tuples(
    st.sampled_from(["none", "reload", "restart"]), st.sampled_from(["none", "handover", "reconnect"]), st.booleans()
)


@given(st.lists(CHANGES, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_plan_names_streaming_only_where_a_release_changes_it(changes: list[tuple[str, str, bool]]) -> None:
    manifests = [Manifest("1.0.0", DAY)]
    for number, (web, streaming, stop) in enumerate(changes, 1):
        restart = Restart(web=web, streaming=streaming)
        manifests.append(
            Manifest(f"1.{number}.0", DAY, restart=restart, stop=stop, stop_reason="for a test" if stop else "")
        )
    names = [one.version for one in manifests]
    contains = {name: frozenset(names[: place + 1]) for place, name in enumerate(names)}
    known = Releases({one.version: one for one in manifests}, contains)
    made = plan(Place("1.0.0", contains["1.0.0"]), names[-1], known)
    assert isinstance(made, Plan)
    assert [one for leg in made.legs for one in leg.releases] == names[1:]
    for leg in made.legs:
        wanted = {known.manifests[one].restart.streaming for one in leg.releases} - {"none"}
        steps = [one.id for one in leg.steps if one.id == "restart-streaming"]
        assert steps == (["restart-streaming"] if wanted else [])
        # The strongest of them, since one replacement is for all.
        strongest = "reconnect" if "reconnect" in wanted else "handover" if wanted else "none"
        assert leg.restart.streaming == strongest
