"""A release that serves, but worse than the one before, is taken back without anybody; one that is as good stays."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import BEFORE, FAULTY, PATCH, FaultyInstallation, can_post, faulty, faulty_built, serve
from test_apply import InstalledServer, Poster

from phiomia.upgrade.database import connect
from phiomia.upgrade.journal import Journal

__all__ = ["faulty", "faulty_built"]
pytestmark = pytest.mark.timeout(1800)
ROLES = ("web", "worker", "streaming")
# Of those that are not the subject of a test of their own.
FAULTS: dict[str, tuple[dict[str, float], str]] = {
    "deaths": ({"dies_after": 15}, "processes ended by themselves|of the upgrade's own failed|not ready for"),
    "slow": ({"slow_s": 2.0}, r"ms \(p95\), before"),
    "jobs": ({"jobs": 1}, r"\d jobs .*failed"),
}


@contextmanager
def used(server: InstalledServer) -> Iterator[Poster]:
    """Somebody posts, first long enough that there is something to compare with."""
    poster = Poster(server)
    poster.pause_s = 0.01
    poster.start()
    try:
        server.until(lambda: len(poster.posted) > 70, "people have posted", 400)
        poster.pause_s = 0.05
        yield poster
    finally:
        poster.stop()


def last(journal: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The last entry of a kind."""
    return [entry for entry in journal if entry["kind"] == kind][-1]


def assert_went_back(installation: FaultyInstallation, server: InstalledServer, said: str, reason: str) -> None:
    assert f"{FAULTY} was taken back after" in said and f"{BEFORE} serves again" in said
    journal = installation.journal()
    back = last(journal, "rolled_back")
    assert re.search(reason, back["reason"]), back
    assert back["to"] == BEFORE and back["figures"]["requests"] + back["figures"]["jobs"] > 0
    assert installation.current == BEFORE
    for role in ROLES:
        assert server.versions(role) == {BEFORE}
    took = back["at"] - last(journal, "observing")["at"]
    print(f"{back['reason']}: back after {took:.1f} s, {back['at'] - journal[0]['at']:.1f} s after the beginning")


def take_up(installation: FaultyInstallation, version: str, *, ok: bool) -> str:
    """What `phiomia upgrade` says; on a busy machine a watch is the least of it."""
    done = subprocess.run(
        [installation.places.current / "venv/bin/phiomia", "upgrade", "apply", version, "--offline"],
        cwd=installation.folder,
        env=installation.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_release_that_does_worse_is_taken_back_and_one_that_does_not_stays(
    faulty: FaultyInstallation, tmp_path: Path
) -> None:
    with serve(faulty, tmp_path) as server, used(server) as poster:
        for faults, reason in FAULTS.values():
            faulty.choose(**faults)
            said = take_up(faulty, FAULTY, ok=False)
            assert_went_back(faulty, server, said, reason)
            # Whatever went wrong, it does no longer, on a database that both know.
            assert can_post(server, poster.headers, 25)
        told = json.loads(faulty.ask("upgrade", "history", "--json"))
        assert [one["state"] for one in told] == ["rolled back"] * len(FAULTS)
        assert "No upgrade is waiting" in faulty.command("upgrade", "resume", ok=False)
        with connect(faulty.url) as connection:
            assert connection.has_table("marvels")

        faulty.choose()
        faulty.extra["PHIOMIA_UPGRADE_OBSERVE_S"] = "10"
        take_up(faulty, FAULTY, ok=True)
        observed = last(faulty.journal(), "observed")["figures"]
        assert observed["seconds"] >= 10 and observed["requests"] > 20 and observed["errors"] == 0, observed
        assert can_post(server, poster.headers, 5)
        assert faulty.current == FAULTY


@pytest.mark.postgresql
def test_errors_are_noticed_and_postgresql_goes_back_as_well(
    faulty: FaultyInstallation, tmp_path: Path, postgresql_url: str
) -> None:
    faulty.database_url = postgresql_url
    faulty.begin_again()
    with serve(faulty, tmp_path) as server, used(server) as poster:
        faulty.choose(errors_of=20)
        assert_went_back(faulty, server, take_up(faulty, FAULTY, ok=False), r"requests failed \(")
        assert can_post(server, poster.headers, 25)


def begin(installation: FaultyInstallation, version: str) -> subprocess.Popen[bytes]:
    """An upgrade that is watching by now."""
    command = [str(installation.places.current / "venv/bin/phiomia"), "upgrade", "apply", version, "--offline"]
    past = set(installation.places.journal.glob("*.jsonl"))
    process = subprocess.Popen(command, cwd=installation.folder, env=installation.environment, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not any('"observing"' in path.read_text() for path in {*installation.places.journal.glob("*.jsonl")} - past):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return process


def test_a_watch_that_was_broken_off_goes_on(faulty: FaultyInstallation, tmp_path: Path) -> None:
    settings = {"PHIOMIA_UPGRADE_OBSERVE_PATCH_S": "8", "PHIOMIA_PROCESSES_CANARY_SECONDS": "1"}
    with serve(faulty, tmp_path, **settings) as server:
        # Nobody is there, but whoever asks on behalf of the upgrade.
        process = begin(faulty, PATCH)
        process.kill()
        process.wait()
        server.until(lambda: server.versions("web") == server.versions("worker") == {PATCH}, "it serves all the same")
        assert "was broken off" in faulty.ask("upgrade", "status", ok=False)
        faulty.command("upgrade", "resume")
        journal = faulty.journal()
        assert [entry["seconds"] for entry in journal if entry["kind"] == "observing"] == [8]
        assert last(journal, "observed")["at"] - last(journal, "observing")["at"] >= 8
        assert last(journal, "finished") and faulty.current == PATCH

        process = begin(faulty, FAULTY)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 75
        assert faulty.journal()[-1]["kind"] == "stopped" and faulty.current == FAULTY

        # Killed between the verdict and the way back.
        path = sorted(faulty.places.journal.glob("*.jsonl"))[-1]
        Journal(path).write("tripped", leg=0, reason="it was no good", figures={"seconds": 3.0})
        said = faulty.command("upgrade", "resume", ok=False)
        assert f"{FAULTY} was taken back after 3 s: it was no good. {PATCH} serves again" in said
        assert faulty.current == PATCH and server.versions("web") == {PATCH}
        assert faulty.journal()[-1]["kind"] == "rolled_back"
