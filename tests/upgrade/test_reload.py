"""Releases that change under traffic: nobody loses a request, and what does not start is refused with its reason."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.proxy import find_nginx, run_nginx
from bench.releases import SOURCE, find_other_python, make_application, make_toy, switch
from bench.supervised import TOY, Supervised, describe_application, run_application, run_toy
from bench.traffic import Mix, Seen, Traffic
from release_world import compile_sources

from missing import IN_CI, miss
from phiomia.platform import control
from phiomia.platform.notify import read_status
from phiomia.platform.topology import PYTHON, Child, Settings

MIX = Mix(staying=6, coming=3, slow=3, halting=3, uploads=1, upload_s=3.0, think_s=0.03)
# Far more than a reload may cost a request; a machine that is busy with other tests must not fail this one.
PATIENCE_S = 8.0


def has_nginx() -> bool:
    """Whether nginx is there; where it must be, fails without it."""
    if IN_CI and not find_nginx():
        miss("nginx is not installed")
    return bool(find_nginx())


def make_other_toy(folder: Path, mark: str) -> Path:
    """A release on another interpreter if there is one that the packages can be installed for, else on ours."""
    other = find_other_python()
    try:
        return make_toy(folder, mark, "2.0", other)
    except (RuntimeError, OSError, subprocess.TimeoutExpired):
        return make_toy(folder, f"{mark}-alike", "2.0")


@contextmanager
def addresses(folder: Path, running: Supervised) -> Iterator[list[tuple[str, int]]]:
    """Where to ask: at the server, and at nginx before it."""
    direct = ("127.0.0.1", running.port)
    if not has_nginx():
        yield [direct]
        return
    with run_nginx(folder / "nginx", running.port) as proxy:
        yield [direct, proxy]


def assert_renewed(running: Supervised, before: set[int], generation: int) -> None:
    """Every child is of that generation, and those from before go."""
    status = running.status
    assert status["pid"] == running.process.pid
    serving = [child for child in status["children"] if child["state"] != "leaving"]
    assert {child["generation"] for child in serving} == {generation}
    assert not before & {child["pid"] for child in serving}


def assert_lost_nothing(seen: Seen, least: int) -> None:
    assert seen.failures == []
    assert seen.answered > least
    assert seen.posts * 3 >= seen.answered
    assert seen.longest < PATIENCE_S


def test_reloads_under_traffic_lose_nothing(tmp_path: Path) -> None:
    releases = [make_toy(tmp_path, "one"), make_other_toy(tmp_path, "two")]
    switch(tmp_path, releases[0])
    with run_toy(tmp_path) as running, addresses(tmp_path, running) as places:

        async def scenario() -> list[Seen]:
            async with AsyncExitStack() as open_:
                traffics = [await open_.enter_async_context(Traffic(place, TOY, MIX)) for place in places]
                for number in (1, 2):
                    switch(tmp_path, releases[number % 2])
                    assert await asyncio.to_thread(control.reload, running.run) == (True, "")
            return [traffic.seen for traffic in traffics]

        before = {child["pid"] for child in running.status["children"]}
        for seen in asyncio.run(scenario()):
            assert_lost_nothing(seen, 500)
            runs = {mark.split("/")[0].removesuffix("-alike"): mark for mark in seen.marks}
            assert set(runs) == {"one", "two"}
            assert runs["one"].endswith("toy-dependency-1.0")
            assert runs["two"].endswith("toy-dependency-2.0")
        assert_renewed(running, before, 3)


def test_the_application_reloads_under_traffic_and_refuses_what_is_broken(tmp_path: Path) -> None:
    compile_sources()
    releases = [make_application(tmp_path, "1.0.0"), make_application(tmp_path, "1.1.0")]
    broken = make_application(tmp_path, "1.2.0", broken=True)
    switch(tmp_path, releases[0])
    mix = MIX._replace(slow=1, think_s=0.1)
    with run_application(tmp_path) as running, addresses(tmp_path, running) as places:
        site = describe_application(running.make_member())
        before = {child["pid"] for child in running.status["children"]}
        apps_before = count(tmp_path, "apps")

        async def scenario() -> list[Seen]:
            async with AsyncExitStack() as open_:
                traffics = [await open_.enter_async_context(Traffic(place, site, mix)) for place in places]
                for number in (1, 2):
                    switch(tmp_path, releases[number % 2])
                    assert await asyncio.to_thread(control.reload, running.run) == (True, "")
                switch(tmp_path, broken)
                refused = await asyncio.to_thread(control_command, running, "reload")
                assert refused.returncode == 1
                assert "reload refused: template exited with status 1" in refused.stderr
            return [traffic.seen for traffic in traffics]

        posts = 0
        for seen in asyncio.run(scenario()):
            assert_lost_nothing(seen, 200)
            assert {"1.0.0", "1.1.0", "-"} == set(seen.marks)
            posts += seen.posts
        assert_renewed(running, before, 3)
        assert {child["version"] for child in running.status["children"]} == {"1.0.0"}
        # Each of them was answered once and done once.
        assert apps_before + posts - count(tmp_path, "media") == count(tmp_path, "apps")


def control_command(running: Supervised, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `phiomia ctl …` does."""
    command = [sys.executable, "-P", "-m", "phiomia", "ctl", *arguments]
    return subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60)


def count(folder: Path, table: str) -> int:
    connection = sqlite3.connect(folder / "data" / "phiomia.sqlite3")
    try:
        rows: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return rows
    finally:
        connection.close()


def test_a_restart_with_a_socket_that_stays_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    switch(tmp_path, make_toy(tmp_path, "one"))
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as given:

        async def scenario() -> tuple[Seen, float]:
            process = start_with(given, tmp_path)
            booted = await asyncio.to_thread(until_running, tmp_path, process)
            async with Traffic(given.getsockname(), TOY, MIX._replace(upload_s=2.0)) as traffic:
                await asyncio.sleep(0.5)
                for mark in ("two", "three"):
                    switch(tmp_path, make_toy(tmp_path, mark))
                    process.send_signal(signal.SIGTERM)
                    assert await asyncio.to_thread(process.wait, 30) == 0
                    process = start_with(given, tmp_path)
                    await asyncio.to_thread(until_running, tmp_path, process)
                    await asyncio.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            return traffic.seen, booted

        seen, booted = asyncio.run(scenario())
        assert seen.failures == []
        assert {mark.partition("/")[0] for mark in seen.marks} == {"one", "two", "three"}
        # A start and the time until those who were here before have gone.
        assert seen.longest < 2.0 + 2 * booted + PATIENCE_S


def start_with(given: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    """A supervisor that gets the socket as from systemd."""
    child = Child(
        "web", (PYTHON, "-P", "-m", "toy_release", "web"), {"TOY_SLOW": "0.5"}, 2, "web", stop_signal=signal.SIGINT
    )
    run = folder / "run"
    settings = Settings({"web": ("127.0.0.1:1",)}, (child,), str(run / "bus.sock"), str(run / "status.json"))
    start = "import json, os, sys; os.dup2(int(sys.argv[2]), 3); "
    start += "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='web'); "
    start += "from phiomia.platform import handover, topology; "
    start += "handover.replace_process(topology.load_settings(json.loads(sys.argv[1])))"
    with (folder / "stderr").open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", start, json.dumps(settings.save()), str(given.fileno())],
            env={**os.environ, "PHIOMIA_CURRENT": str(folder / "current"), "PYTHONPATH": str(SOURCE)},
            pass_fds=[given.fileno()],
            stderr=stderr,
        )


def until_running(folder: Path, process: subprocess.Popen[bytes]) -> float:
    """Waits until it serves; gives the seconds."""
    begun = time.monotonic()
    path = folder / "run" / "status.json"
    while True:
        status: dict[str, Any] = read_status(str(path)) if path.exists() else {"pid": 0}
        if status["pid"] == process.pid and status["state"] == "running":
            return time.monotonic() - begun
        assert process.poll() is None and time.monotonic() - begun < 60, (folder / "stderr").read_text()
        time.sleep(0.02)
