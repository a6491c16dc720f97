"""An upgrade that is killed at any moment goes on where it was, and does nothing twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from release_world import Installation, Repository
from schema_world import dump

from phiomia.upgrade import ledger

pytestmark = pytest.mark.timeout(300)

# Runs with the code of the release that is upgraded to, so that hundreds of upgrades need not load it each.
_DRIVER = """
import json, os, shutil, signal, sys
from pathlib import Path
from phiomia.cli.upgrade_site import open_site
from phiomia.upgrade import command
from phiomia.upgrade.apply import UpgradeError
from phiomia.upgrade.journal import DIE_AT, list_journals
from phiomia.upgrade.report import PlainReport
import phiomia.jobs, phiomia.side_effects, alembic.operations, asyncpg

start, target, saved = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
site = open_site()
quiet = PlainReport(open(os.devnull, "w"))

def reset():
    for folder in (site.places.journal, site.places.state, site.places.shared, site.config.data_dir):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, site.config.data_dir)
    for link in (site.places.current, site.places.previous):
        link.unlink(missing_ok=True)
    site.places.current.symlink_to(start)

def forked(work, die_at=None):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if die_at is not None:
                os.environ[DIE_AT] = str(die_at)
            work()
            status = 0
        except UpgradeError as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def apply():
    options = command.Options(target, offline=True, contract_now=True)
    command.apply(site, options, "", quiet, lambda lock: None)

def resume():
    command.resume(site, quiet)

def look():
    journal = list_journals(site.places.journal)[-1]
    ran = (site.config.data_dir / "ran").read_text().split()
    return {"state": journal.told.state, "entries": len(journal.entries), "ran": ran,
            "current": os.readlink(site.places.current), "previous": os.readlink(site.places.previous)}

reset()
assert forked(apply) == 0
undisturbed = look()
results = [{"boundary": None, **undisturbed}]
print(json.dumps(results[0]), flush=True)
boundaries = range(2 * undisturbed["entries"])
for boundary in boundaries:
    reset()
    status = forked(apply, boundary)
    assert status == -signal.SIGKILL, (boundary, status)
    # Before there was a plan on disk there is nothing to go on with.
    status = forked(resume if list_journals(site.places.journal) else apply)
    told = look() if status in (0, 1) else {}
    if boundary == boundaries[-1]:
        assert status == 1 or told["state"] == "finished"
    print(json.dumps({"boundary": boundary, "status": status, **told}), flush=True)
    shutil.copyfile(site.config.database_url.removeprefix("sqlite:///"), f"{sys.argv[4]}.{boundary}")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The made-up releases."""
    return Repository(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def built(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A place where releases are built once."""
    return Installation(repository, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def installation(built: Installation) -> Iterator[Installation]:
    """0.1.0, installed, without a past."""
    built.begin_again()
    yield built
    built.extra = {}


def _content(path: Path) -> dict[str, Any]:
    url = f"sqlite:///{path}"
    entries = ledger.entries(url)
    return {"schema": dump(url), "ledger": sorted((one.step_id, one.release, one.runs) for one in entries)}


def test_killed_at_every_boundary(installation: Installation, tmp_path: Path) -> None:
    target = installation.build("0.3.0")
    saved = tmp_path / "saved"
    subprocess.run(["cp", "-a", installation.data, saved], check=True)
    driver = tmp_path / "driver.py"
    driver.write_text(_DRIVER)
    done = subprocess.run(
        [target / "venv/bin/python", "-P", driver, installation.directory("0.1.0"), "0.3.0", saved, tmp_path / "db"],
        cwd=tmp_path,
        env=installation.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    undisturbed, *others = map(json.loads, done.stdout.splitlines())
    assert undisturbed["state"] == "finished" and undisturbed["ran"] == ["tidy", "polish", "paint"]
    assert len(others) == 2 * undisturbed["entries"] > 50
    expected = None
    for one in others[:-1]:
        assert one["status"] == 0, one
        for name in ("state", "ran", "current", "previous"):
            assert one[name] == undisturbed[name], one
        content = _content(tmp_path / f"db.{one['boundary']}")
        expected = expected or content
        assert content == expected, one
        assert all(runs == 1 for _, _, runs in content["ledger"])
