"""`phiomia jobs` against real databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phiomia.cli.jobs import app
from phiomia.platform.db import Query, open_database
from phiomia.platform.jobs import Job, defer

BURY = Query.raw(
    sqlite="INSERT INTO dead_jobs (id, queue, type, args, attempt, error, created_at, died_at)"
    " VALUES (:id, 'push', 'deliver', '{}', 12, 'the [host] is gone', 1, 2)"
)


class Note(Job, frozen=True):
    """Some job."""

    TYPE = "note"


async def _prepare(url: str) -> None:
    db = open_database(url)
    await db.start()
    await db.write(lambda session: defer(session, Note()))
    await db.write(lambda session: session.execute_many(BURY, [{"id": n} for n in (1, 2, 3)]))
    await db.close()


@pytest.fixture
def run(migrated_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs `phiomia jobs` with arguments on a database with one job and three dead ones."""
    asyncio.run(_prepare(migrated_database_url))
    monkeypatch.setenv("PHIOMIA_DATA", str(tmp_path))
    monkeypatch.setenv("PHIOMIA_DATABASE_URL", migrated_database_url)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_counts(run: Callable[..., Result]) -> None:
    shown = run("counts")
    assert shown.exit_code == 0
    assert ["local", "1", "0", "0", "0", "s"] in [line.split() for line in shown.stdout.splitlines()]
    assert "3 dead" in shown.stdout
    data = json.loads(run("counts", "--json").stdout)
    assert data["dead"] == 3
    assert {row["queue"]: row["ready"] for row in data["queues"]}["local"] == 1


def test_dead_jobs_by_page(run: Callable[..., Result]) -> None:
    shown = run("dead", "--limit", "2")
    assert "--before 2" in shown.stdout and "[host]" in shown.stdout
    data = json.loads(run("dead", "--before", "2", "--json").stdout)
    assert [(job["id"], job["args"], job["type"]) for job in data] == [("1", {}, "deliver")]


def test_retry_and_discard(run: Callable[..., Result]) -> None:
    assert run("retry", "2").stdout == "1 retried.\n"
    assert run("discard", "3", "--json").exit_code == 0
    missing = run("retry", "2")
    assert (missing.exit_code, missing.stderr) == (1, "There is no dead job 2.\n")
    assert run("retry").exit_code == run("retry", "1", "--all").exit_code == 2
    assert json.loads(run("retry", "--all", "--json").stdout) == {"retried": 1}
    data = json.loads(run("counts", "--json").stdout)
    assert data["dead"] == 0
    assert {row["queue"]: row["ready"] for row in data["queues"]}["push"] == 2


def test_a_database_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("PHIOMIA_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port}/none")
    result = CliRunner().invoke(app, ["counts"])
    assert result.exit_code == 1
    assert "can't be reached" in result.stderr
