"""What an upgrade refuses before it touches anything, and what else its commands do, without a server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from release_world import Installation, Repository
from schema_world import dump

from phiomia.cli.upgrade_site import open_site
from phiomia.upgrade import command, ledger
from phiomia.upgrade.command import Options
from phiomia.upgrade.lock import Locked, hold_lock
from phiomia.upgrade.plan import Refused
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.site import UpgradeError

pytestmark = pytest.mark.timeout(300)


def refusals(installation: Installation, version: str, **environment: str) -> dict[str, str]:
    """Code and reason of each refusal; nothing may have been touched."""
    with patch.dict(os.environ, installation.environment | environment, clear=True):
        site = open_site()
        made = command.make_plan(site, Options(version)).made
        assert isinstance(made, Refused)
        with pytest.raises((UpgradeError, Locked)) as caught:
            command.apply(site, Options(version), "", PlainReport(), lambda _lock: None)
    for one in made.refusals:
        assert one.reason.partition(":")[0] in str(caught.value)
    assert installation.current == "0.1.0"
    return {one.code: one.reason for one in made.refusals}


def test_what_is_refused(installation: Installation) -> None:
    assert refusals(installation, "0.9.0") == {"unknown": "There is no release 0.9.0."}
    done = installation.try_command("upgrade", "plan", "--json", "0.9.0")
    assert done.returncode == 1
    assert json.loads(done.stdout)["refusals"] == [{"code": "unknown", "reason": "There is no release 0.9.0."}]
    assert "is no release" in refusals(installation, "main")["unreleased"]

    state = installation.places.state
    state.mkdir(exist_ok=True)
    (state / "trust.json").write_text(json.dumps({"highest": "0.3.0", "pins": {"0.4.0": "0" * 40}}))
    assert "has seen" in refusals(installation, "0.2.0")["downgrade"]
    assert "find out who moved it" in refusals(installation, "0.4.0")["tag"]
    (state / "trust.json").unlink()

    with hold_lock(state):
        assert "Another upgrade is under way" in refusals(installation, "0.2.0")["running"]

    other = installation.try_command("upgrade", "apply", "0.2.0", "--plan", "0123456789abcdef")
    assert other.returncode == 1 and "something has changed since" in other.stderr
    nobody = installation.try_command("upgrade", "0.2.0")
    assert nobody.returncode == 2 and "--yes" in nobody.stderr
    assert not list(installation.places.journal.glob("*")) if installation.places.journal.exists() else True


def test_code_that_is_no_release(installation: Installation, repository: Repository) -> None:
    mark = installation.places.current / "RELEASE.json"
    told = json.loads(mark.read_text())
    parent = repository.commit_after("0.1.1")
    mark.chmod(0o644)
    try:
        mark.write_text(json.dumps({**told, "commit": parent}))
        assert "which is no release" in refusals(installation, "0.2.0")["unreleased"]
        plan = json.loads(installation.ask("upgrade", "plan", "0.2.0", "--allow-unreleased", "--json"))
        assert plan["refusals"] == [] and plan["warnings"]
    finally:
        mark.write_text(json.dumps(told))


def test_without_the_installed_layout(installation: Installation) -> None:
    python = installation.directory("0.1.0") / "venv/bin/python"
    elsewhere = {**installation.environment, "PHIOMIA_APP": "/nowhere/app"}
    done = subprocess.run(
        [python, "-P", "-m", "phiomia", "upgrade", "--yes"], env=elsewhere, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "phiomia install" in done.stderr


def test_a_missing_pg_dump_is_noticed_before(installation: Installation, postgresql_url: str, tmp_path: Path) -> None:
    installation.database_url = postgresql_url
    installation.install()
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("git", "sh", "dirname", "readlink"):
        (tools / name).symlink_to(str(shutil.which(name)))
    assert "pg_dump is missing" in refusals(installation, "0.2.0", PATH=str(tools))["backup"]
    (tools / "pg_restore").symlink_to("/bin/true")
    (tools / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    (tools / "pg_dump").chmod(0o755)
    assert "9" in refusals(installation, "0.2.0", PATH=str(tools))["backup"]
    told = json.loads(installation.ask("upgrade", "plan", "0.2.0", "--backup", "never", "--json", PATH=str(tools)))
    assert told["refusals"] == []


@pytest.fixture
def postgresql_url(databases: Any, tmp_path: Path) -> Iterator[str]:
    """An empty PostgreSQL database."""
    from contextlib import ExitStack

    with ExitStack() as cleanup:
        yield databases.create("postgresql", tmp_path, cleanup)


def test_a_jump_and_a_walk_come_out_alike(installation: Installation, database_url: str) -> None:
    if not database_url.startswith("sqlite:"):
        installation.database_url = database_url
        installation.install()
    walked: list[str] = []
    for version in ("0.1.1", "0.2.0", "0.3.0"):
        installation.command("upgrade", "apply", version, "--contract-now")
        walked = installation.ran
    schema, entries = dump(installation.url), {one.step_id: one.runs for one in ledger.entries(installation.url)}
    assert sorted(walked) == ["paint", "polish", "tidy"]
    assert set(entries.values()) == {1}
    assert installation.status()["missing"] == []

    installation.database_url = ""
    installation.begin_again()
    if not database_url.startswith("sqlite:"):
        installation.empty(database_url)
        installation.database_url = database_url
        installation.install()
    installation.command("upgrade", "apply", "0.3.0", "--contract-now")
    assert dump(installation.url) == schema
    assert {one.step_id: one.runs for one in ledger.entries(installation.url)} == entries
    assert sorted(installation.ran) == sorted(walked)


def test_a_failing_step_stops_and_goes_on(installation: Installation) -> None:
    stumbling = installation.data / "stumble"
    stumbling.touch()
    said = installation.command("upgrade", "apply", "0.4.0", ok=False)
    assert "the floor is wet" in said
    # The first leg, to 0.3.0, was complete with all it removes.
    assert installation.current == "0.4.0"
    assert [entry["step"] for entry in installation.journal() if entry["kind"] == "done"].count("migrate-contract") == 1
    refused = installation.try_command("upgrade", "apply", "0.5.0")
    assert refused.returncode == 1 and "upgrade resume" in refused.stderr
    stumbling.unlink()
    told = json.loads(installation.command("upgrade", "resume", "--json"))
    assert told["state"] == "finished"
    assert installation.ran == ["tidy", "polish", "paint", "stumble"]


def test_going_back_before_anything_was_removed(installation: Installation) -> None:
    installation.command("upgrade", "apply", "0.2.0")
    assert os.readlink(installation.places.previous) == str(installation.directory("0.1.0"))
    before = dump(installation.url)
    installation.command("upgrade", "rollback")
    assert installation.current == "0.1.0"
    assert dump(installation.url) == before
    # And forward again, without what was done already.
    installation.command("upgrade", "apply", "0.2.0")
    assert installation.current == "0.2.0"
    assert installation.ran == ["tidy", "paint"]


def test_by_hand(installation: Installation, repository: Repository) -> None:
    repository.check_out("0.3.0")
    try:
        listed = json.loads(installation.ask("step", "--list", "--json"))
        assert [one["id"] for one in listed] == ["tidy@1", "polish@1", "paint@1"]
        installation.command("step", "tidy@1")
        assert "was executed before" in installation.command("step", "tidy@1", ok=False)
        assert "no instruction" in installation.command("step", "dance@1", ok=False)
        (entry,) = ledger.entries(installation.url)
        assert (entry.step_id, entry.how) == ("tidy@1", ledger.BY_HAND)
        assert installation.current == "0.1.0"
        assert [one["id"] for one in installation.status()["missing_for_selected"]] == ["polish@1", "paint@1"]
    finally:
        repository.check_out("0.5.0")
    installation.command("upgrade", "apply", "0.3.0")
    assert installation.ran == ["tidy", "polish", "paint"]


def test_ctrl_c_stops_after_the_step(installation: Installation) -> None:
    installation.forget("0.1.1")
    running = subprocess.Popen(
        [installation.places.current / "venv/bin/phiomia", "upgrade", "apply", "0.1.1"],
        env=installation.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "installing" in line:
            running.send_signal(signal.SIGINT)
            break
    _, rest = running.communicate(timeout=120)
    assert running.returncode == 75, rest
    assert installation.journal()[-1]["kind"] == "stopped"
    assert installation.current == "0.1.0"
    installation.command("upgrade", "resume")
    assert installation.current == "0.1.1"


def test_killed_while_it_builds(installation: Installation) -> None:
    installation.forget("0.1.2")
    installation.extra["SLOW_UV"] = "1"
    running = subprocess.Popen(
        [installation.places.current / "venv/bin/phiomia", "upgrade", "apply", "0.1.2"],
        env=installation.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    next(line for line in running.stderr if "installing" in line)
    running.kill()
    running.communicate()
    assert not (installation.directory("0.1.2") / "RELEASE.json").exists()
    del installation.extra["SLOW_UV"]
    assert "was broken off" in installation.command("upgrade", "apply", "0.1.2", ok=False)
    began = time.time()
    installation.command("upgrade", "resume")
    assert (installation.directory("0.1.2") / "RELEASE.json").stat().st_mtime >= began - 1
    assert installation.current == "0.1.2"
