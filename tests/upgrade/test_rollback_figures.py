"""What was seen of an upgrade that somebody takes back by hand is told all the same."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_history import make_plan
from test_probe import note, write_samples

from phiomia.upgrade import rollback
from phiomia.upgrade.history import describe_journal
from phiomia.upgrade.journal import Journal, create_journal
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.rollback import roll_back


@pytest.mark.parametrize("switched", [False, True])
def test_what_was_seen_is_summed_up(
    tmp_path: Path, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch, switched: bool
) -> None:
    quiet = {"downtime_s": 0.0, "downtime_reasons": [], "restart": {"streaming": "handover"}}
    planned = make_plan()
    steps = [[step | {"reversible": "noop"} for step in leg["steps"]] for leg in planned["legs"]]
    planned["legs"] = [{**leg, **quiet, "steps": own} for leg, own in zip(planned["legs"], steps, strict=True)]
    journal = create_journal(tmp_path / "journal", planned)
    journal.write("probing", job_age_s=0.0)
    journal.write("started", leg=0, step="switch")
    if switched:
        journal.write("switched", leg=0, current=str(tmp_path / "before"), to=str(tmp_path / "after"), previous="")
    journal.write("failed", leg=0, step="restart-web", reason="it does not start")
    now, samples = time.time(), journal.path.with_suffix(".probe")
    write_samples(samples, note(now - 9, "began", format=2), [now - 9, "page", 10.0, ""], [now, "page", 12.0, "502"])
    release = SimpleNamespace(version="0.1.1", path=tmp_path / "before")
    monkeypatch.setattr(rollback, "read_release", lambda _path: release)
    monkeypatch.setattr(rollback, "go_back", lambda _site, _first: [])
    monkeypatch.setattr(rollback, "follow", lambda *_: "")
    places = SimpleNamespace(state=tmp_path / "state", journal=tmp_path / "journal", current=tmp_path / "before")
    config = SimpleNamespace(database_url=migrated_database_url)
    site: Any = SimpleNamespace(places=places, config=config, notices=None, run_dir=tmp_path)
    assert roll_back(site, PlainReport()).to == ("0.1.1" if switched else "0.1.0")
    after = Journal(journal.path)
    assert [one["kind"] for one in after.entries[-2:]] == ["probed", "rolled_back"] and not samples.exists()
    noticed = describe_journal(after).noticed
    assert (noticed["requests"], noticed["failures"], noticed["targets"]["page"]["reasons"]) == (2, 1, ["502"])
