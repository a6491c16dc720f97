"""What is told of past upgrades, and how the server stands: from made-up journals."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_probe import note, write_samples

from phiomia.cli.upgrade import app
from phiomia.cli.upgrade_text import render_standing
from phiomia.upgrade import ledger
from phiomia.upgrade.journal import Journal, create_journal
from phiomia.upgrade.mirror import mirror_journal
from phiomia.upgrade.prober.summary import judge, sum_up


def make_step(name: str, phase: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "phase": phase, "title": f"Do {name}", "skipped": "", "run": "", **more}


def make_plan(target: str = "0.3.0") -> dict[str, Any]:
    """A plan of two legs."""
    steps = [make_step("switch", "workers"), make_step("restart-web", "web"), make_step("cleanup", "cleanup")]
    legs = [{"end": "0.2.0", "steps": [make_step("skip@1", "config", skipped="sqlite is false"), *steps]}]
    return {
        "hash": target[2] * 64,
        "installed": "0.1.0",
        "target": target,
        "legs": [*legs, {"end": target, "steps": steps}],
    }


FIGURES = {"seconds": 120.0, "requests": 900, "errors": 2, "p95_ms": 30.4, "p95_ms_before": 25.0}


def carry_out(journal: Journal) -> None:
    """Writes what a whole upgrade writes."""
    journal.write("probing", job_age_s=0.0)
    for leg in (0, 1):
        for name in ("switch", "restart-web", "cleanup"):
            journal.write("started", leg=leg, step=name)
            journal.write("done", leg=leg, step=name, seconds=1.5)
    journal.write("observed", leg=1, figures=FIGURES)
    now = time.time()
    samples = write_samples(
        journal.path.with_suffix(".probe"),
        note(now - 9, "began", format=2),
        note(now - 9, "opened"),
        [now - 9, "page", 10.0, ""],
        [now - 8, "page", 12.0, "/about: status 502"],
        [now + 9, "write", 30.0, ""],
        note(now - 8, "sent", n=1),
        note(now - 8, "dropped", why="the server hung up"),
        note(now - 7, "jobs", age_s=2.5),
        note(now + 9, "absent", target="inbox"),
        note(now + 9, "arrived", writes=1, letters=0, taken=0),
        note(now + 10, "ended"),
    )
    summary = sum_up(samples, journal.entries)
    samples.unlink()
    journal.write("probed", summary={**summary, "verdict": judge(summary)})
    journal.write("finished")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where upgrades are told of."""
    monkeypatch.setenv("PHIOMIA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PHIOMIA_APP", str(tmp_path / "app"))
    monkeypatch.setenv("PHIOMIA_CHECKOUT", str(tmp_path / "live"))
    return tmp_path / "app" / "journal"


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["history", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_one_in_full(places: Path) -> None:
    journal = create_journal(places, make_plan())
    carry_out(journal)
    text = run("last")
    assert f"id        {journal.id}" in text and "0.1.0 → 0.3.0: finished" in text
    assert "leg 1 of 2" in text and "leg 2 of 2" in text
    assert "- config    Do skip@1" in text and "(sqlite is false)" in text
    assert "(900 requests, 2 failed, p95 30 ms, before 25 ms)" in text
    assert "9.0 s at work, 2 min watching" in text
    assert "9.0 s     2 min  " in run()
    assert "noticed   3 requests, 1 failed" in text
    lines = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line.startswith("  ")}
    assert lines["page"] == "page 2 1 12 / 12 / 12 - -"
    assert lines["write"] == "write 1 0 - - 30 / 30 / 30"
    assert lines["stream"] == "stream 1 drops (the server hung up); 1 events, 1 lost, 0 twice"
    assert lines["work"] == "work 1 writes accepted, 1 there; 0 letters accepted, 0 taken; 0 lost"
    assert lines["jobs"] == "jobs the oldest waited 2.5 s before"
    assert lines["failed"] == "failed /about: status 502"
    assert lines["absent"] == "absent inbox: what ran did not have it (1 times)"
    assert "requests failed: /about: status 502. `phiomia upgrade rollback` goes back." in lines["mind"]

    told = json.loads(run(journal.id[:20], "--json"))
    assert told["noticed"]["targets"]["page"]["failures"] == 1
    assert [step["state"] for step in told["steps"]] == ["skipped"] + ["done"] * 7
    assert told["entries"] == journal.entries and told["plan"] == "3" * 64


def test_a_name_must_mean_one(places: Path) -> None:
    assert "There was no upgrade yet." in run()
    first, second = create_journal(places, make_plan()), create_journal(places, make_plan("0.4.0"))
    assert "2 upgrades have an id that begins with 20" in run("20", status=1)
    assert "No upgrade has an id that begins with nope" in run("nope", status=1)
    assert "0.1.0 → 0.4.0: running" in run(max(first.id, second.id) if second.id > first.id else second.id)
    assert all(one.id in run() for one in (first, second))


def test_the_database_remembers_what_was_seen(places: Path, migrated_database_url: str, tmp_path: Path) -> None:
    elsewhere = create_journal(tmp_path / "elsewhere", make_plan())
    carry_out(elsewhere)
    mirror_journal(elsewhere, migrated_database_url)
    done = CliRunner().invoke(app, ["history", elsewhere.id], env={"PHIOMIA_DATABASE_URL": migrated_database_url})
    assert done.exit_code == 0 and "noticed   3 requests, 1 failed" in done.output


def test_what_was_seen_so_far_of_one_that_failed(places: Path) -> None:
    journal = create_journal(places, make_plan())
    journal.write("started", leg=0, step="restart-web")
    journal.write("failed", leg=0, step="restart-web", reason="it fell over")
    write_samples(journal.path.with_suffix(".probe"), note(1, "began", format=2), [1.0, "page", 7.0, ""])
    text = run("last")
    assert "reason    it fell over" in text and "✘ web       Do restart-web" in text
    assert "noticed   1 requests, 0 failed" in text
    journal.path.with_suffix(".probe").unlink()
    assert "Nothing served meanwhile" in run("last")


def test_instructions_are_counted(migrated_database_url: str) -> None:
    from phiomia.upgrade.status import Standing

    ledger.record(migrated_database_url, "tidy@1", "0.1.1", plan="p/0")
    ledger.record(migrated_database_url, "paint@1", "0.2.0", ledger.BY_HAND)
    fields: dict[str, Any] = dict.fromkeys(Standing._fields)
    standing = Standing(**{**fields, "executed": ledger.entries(migrated_database_url), "missing": [], "pending": []})
    assert standing.counts == {"executed": 2, "by_upgrades": 1, "by_hand": 1, "missing": 0, "pending": 0}


@pytest.mark.parametrize(
    ("settles", "waits"),
    [
        (True, "waits until the next upgrade, so that a rollback stays possible. Now: phiomia upgrade resume"),
        (False, "waits until that is filled in. Now: phiomia step migrate-contract"),
    ],
)
def test_what_is_to_come_is_not_called_executed(*, settles: bool, waits: str) -> None:
    from phiomia.upgrade.pending import list_pending
    from phiomia.upgrade.status import Standing

    whole = "Every instruction of every release was executed at least once"
    entry = ledger.Entry("tidy@1", "0.1.1", ledger.BY_HAND, 1, 0, 1, 0.0, "me", "here", "")
    fields: dict[str, Any] = dict.fromkeys(Standing._fields, "")
    lists = ("processes", "releases", "missing", "missing_for_selected", "backfills", "pending_schema", "problems")
    fields |= {name: [] for name in lists} | {"executed": [entry]}
    said = render_standing(Standing(**{**fields, "pending": list_pending(["c0001"], ["words@1"], settles=settles)}))
    assert whole not in said and "0 missing, 2 to come" in said
    assert "Executed: 1 of 1 instructions that are needed so far. Still to come:\n" in said
    assert "words@1; waits until workers have done it. Now: phiomia backfills run" in said
    assert f"Remove from the schema: c0001; {waits}" in said
    assert whole in render_standing(Standing(**{**fields, "pending": []}))
