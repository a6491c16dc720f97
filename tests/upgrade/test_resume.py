"""An upgrade that is killed at any moment goes on where it was, and does nothing twice."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from release_world import Installation
from schema_world import dump

from phiomia.upgrade import ledger

pytestmark = pytest.mark.timeout(300)

# Runs with the code of the release that is upgraded to. One upgrade is photographed at every boundary of its journal:
# what is on disk then is what kill -9 would leave. From each photograph a process of its own goes on, forked because
# loading the code costs more than the upgrade. Some boundaries are killed really.
_DRIVER = """
import json, os, shutil, signal, sys
from pathlib import Path
from phiomia.cli.upgrade_site import open_site
from phiomia.upgrade import command, journal as journals
from phiomia.upgrade.site import UpgradeError
from phiomia.upgrade.journal import DIE_AT, list_journals
from phiomia.upgrade.report import PlainReport
import phiomia.jobs, phiomia.side_effects, alembic.operations, alembic.runtime.migration, alembic.script

target, work = sys.argv[1], Path(sys.argv[2])
site = open_site()
quiet = PlainReport(open(os.devnull, "w"))
folders = (site.places.journal, site.places.state, site.places.shared, site.config.data_dir)
links = (site.places.current, site.places.previous)

def keep(to):
    for place, folder in enumerate(folders):
        if folder.exists():
            shutil.copytree(folder, to / str(place), ignore=shutil.ignore_patterns("*.lock"))
    (to / "links").write_text(json.dumps([os.readlink(one) if one.is_symlink() else "" for one in links]))

def put(kept):
    for place, folder in enumerate(folders):
        shutil.rmtree(folder, ignore_errors=True)
        if (kept / str(place)).exists():
            shutil.copytree(kept / str(place), folder)
    for link, to in zip(links, json.loads((kept / "links").read_text())):
        link.unlink(missing_ok=True)
        if to:
            link.symlink_to(to)

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

def photograph():
    def at(boundary):
        (work / str(boundary)).mkdir()
        keep(work / str(boundary))
    journals._die_at = at
    apply()

def resume():
    command.resume(site, quiet)

def look():
    journal = list_journals(site.places.journal)[-1]
    ran = (site.config.data_dir / "ran").read_text().split()
    return {"state": journal.told.state, "entries": len(journal.entries), "ran": ran,
            "current": os.readlink(site.places.current), "previous": os.readlink(site.places.previous)}

def go_on(boundary):
    # Before there was a plan on disk there is nothing to go on with.
    status = forked(resume if list_journals(site.places.journal) else apply)
    told = look() if status in (0, 1) else {}
    print(json.dumps({"boundary": boundary, "status": status, **told}), flush=True)
    shutil.copyfile(site.config.database_url.removeprefix("sqlite:///"), f"{sys.argv[3]}.{boundary}")

assert forked(photograph) == 0
undisturbed = look()
print(json.dumps({"boundary": None, **undisturbed}), flush=True)
last = 2 * undisturbed["entries"] - 1
for boundary in range(last + 1):
    put(work / str(boundary))
    go_on(boundary)
for boundary in range(3, last, last // 6):
    put(work / "0")
    assert forked(apply, boundary) == -signal.SIGKILL, boundary
    go_on(boundary)
"""


def _content(path: Path) -> dict[str, Any]:
    url = f"sqlite:///{path}"
    entries = ledger.entries(url)
    return {"schema": dump(url), "ledger": sorted((one.step_id, one.release, one.runs) for one in entries)}


def test_killed_at_every_boundary(installation: Installation, tmp_path: Path) -> None:
    target = installation.build("0.3.0")
    (tmp_path / "work").mkdir()
    driver = tmp_path / "driver.py"
    driver.write_text(_DRIVER)
    done = subprocess.run(
        [target / "venv/bin/python", "-P", driver, "0.3.0", tmp_path / "work", tmp_path / "db"],
        cwd=tmp_path,
        env=installation.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    undisturbed, *others = map(json.loads, done.stdout.splitlines())
    assert undisturbed["state"] == "finished" and undisturbed["ran"] == ["tidy", "polish", "paint"]
    last = 2 * undisturbed["entries"] - 1
    assert [one["boundary"] for one in others[: last + 1]] == list(range(last + 1))
    assert last > 50 and len(others) > last + 5
    # After its last entry an upgrade is over: nothing goes on with it.
    assert others[last]["status"] == 1
    expected = None
    for one in others:
        assert one["status"] == (one["boundary"] == last), one
        for name in ("state", "ran", "current", "previous"):
            assert one[name] == undisturbed[name], one
        content = _content(tmp_path / f"db.{one['boundary']}")
        expected = expected or content
        assert content == expected, one
        assert all(runs == 1 for _, _, runs in content["ledger"])
