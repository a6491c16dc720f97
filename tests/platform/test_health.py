"""What processes say about themselves: on their sockets, at /metrics, to `phiomia health`, and in the log."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
from prometheus_client.parser import text_string_to_metric_families

from phiomia.platform import log
from phiomia.platform.db import open_database
from phiomia.platform.health import find_obstacle
from phiomia.platform.health_client import GONE, ask, find_peers
from phiomia.platform.health_server import MAX_HEAD, answer_for_process
from phiomia.platform.merged_metrics import merge
from phiomia.platform.request_ids import choose_request_id
from server import RunningServer
from world import World, story

LOOPBACK = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="phiomia-", dir="/tmp"))
    yield made / "health"
    shutil.rmtree(made)


class Process:
    """This process as one of a role."""

    def __init__(self) -> None:
        self.obstacle = ""

    async def ready(self) -> str:
        """What is in its way."""
        return self.obstacle


def answering(folder: Path, story: Callable[[Process, Path], Awaitable[None]], address: str = "") -> None:
    """Plays a story while this process answers as a worker."""

    async def run() -> None:
        process = Process()
        async with answer_for_process(folder, "worker", process.ready, address):
            await story(process, folder / f"worker-{os.getpid()}.sock")

    asyncio.run(run())


async def send(path: Path, data: bytes) -> bytes:
    """What comes back for bytes that are no ordinary request."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def test_a_process_answers_for_itself(folder: Path) -> None:
    async def play(process: Process, path: Path) -> None:
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert await ask(path, "/health") == (200, b"OK")
        assert await ask(path, "/health/ready?x=1") == (200, b"OK")
        process.obstacle = "stuck"
        assert await ask(path, "/health/ready") == (503, b"stuck")
        assert (await ask(path, "/health")).status == 200
        assert b"\nprocess_resident_memory_bytes " in (await ask(path, "/metrics")).body
        assert (await ask(path, "/")).status == 404

    answering(folder, play)
    assert list(folder.iterdir()) == []


def test_what_is_no_question_is_refused(folder: Path) -> None:
    async def play(_process: Process, path: Path) -> None:
        assert b"405 Method" in await send(path, b"POST /health HTTP/1.1\r\n\r\n")
        assert b"400 Bad" in await send(path, b"hello\r\n\r\n")
        assert b" 431 " in await send(path, b"GET / HTTP/1.1\r\nx: " + b"a" * MAX_HEAD * 3 + b"\r\n\r\n")
        assert (await ask(path, "/health")).good

    answering(folder, play)


def test_sockets_of_dead_processes_are_removed_and_those_of_living_ones_stay(folder: Path) -> None:
    folder.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for role, pid in (("web", ended.pid), ("streaming", os.getppid())):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder / f"{role}-{pid}.sock"))

    async def play(_process: Process, _path: Path) -> None:
        assert [peer.role for peer in find_peers(folder)] == ["streaming", "worker"]
        (streaming,) = find_peers(folder, "streaming")
        assert (await ask(streaming.path, "/health")).status == GONE

    answering(folder, play)


def test_a_process_that_does_not_answer_is_not_waited_for_long(folder: Path) -> None:
    folder.mkdir()

    async def play() -> None:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(folder / "worker-1.sock"))
            silent.listen()
            assert (await ask(folder / "worker-1.sock", "/health", 0.1)).status == 0

    asyncio.run(play())


def test_a_tcp_address_answers_for_the_whole_role(folder: Path, free_port: int) -> None:
    def get(path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{free_port}{path}", timeout=10)

    async def play(process: Process, _path: Path) -> None:
        assert (await asyncio.to_thread(get, "/health/ready")).status_code == 200
        process.obstacle = "stuck"
        answer = await asyncio.to_thread(get, "/health/ready")
        assert (answer.status_code, answer.text) == (503, f"worker {os.getpid()}: stuck")
        figures = (await asyncio.to_thread(get, "/metrics")).text
        assert f'process_resident_memory_bytes{{role="worker",pid="{os.getpid()}"}}' in figures

    answering(folder, play, f"127.0.0.1:{free_port}")


def test_expositions_become_one() -> None:
    one = b'# HELP a_total As.\n# TYPE a_total counter\na_total{x="{ }"} 1.0\n# HELP b B.\n# TYPE b gauge\nb 2.0\n'
    other = b"# HELP b Other words.\n# TYPE b gauge\nb 3.0\n# HELP c C.\n# TYPE c gauge\nc 4.0\n"
    merged = merge([({"pid": "1"}, one), ({"pid": "2"}, other)]).decode()
    families = list(text_string_to_metric_families(merged))
    assert [(family.name, family.documentation) for family in families] == [("a", "As."), ("b", "B."), ("c", "C.")]
    found = [(sample.labels, sample.value) for family in families for sample in family.samples]
    assert found == [({"pid": "1", "x": "{ }"}, 1), ({"pid": "1"}, 2), ({"pid": "2"}, 3), ({"pid": "2"}, 4)]


def test_what_is_in_the_way(migrated_database_url: str) -> None:
    async def look(url: str) -> list[str]:
        db = open_database(url)
        await db.start()
        try:
            return [await find_obstacle(db), await find_obstacle(db, lambda: "stuck")]
        finally:
            await db.close()

    assert asyncio.run(look(migrated_database_url)) == ["", "stuck"]


def test_a_database_without_tables_is_in_the_way(folder: Path, tmp_path: Path) -> None:
    async def play() -> None:
        db = open_database(f"sqlite:///{tmp_path}/without-tables.sqlite3")
        await db.start()
        try:
            async with answer_for_process(folder, "web", lambda: find_obstacle(db)):
                (web,) = find_peers(folder)
                answer = await ask(web.path, "/health/ready")
        finally:
            await db.close()
        assert answer.status == 503 and "no such table" in answer.text

    asyncio.run(play())


def test_the_machine_at_one_look(phiomia: RunningServer) -> None:
    told = json.loads(phiomia.command("health", "--json"))
    assert told["ready"]
    pids = {(state["role"], str(state["pid"])) for state in told["processes"]}
    assert {role for role, _ in pids} == {"web", "worker", "streaming"}
    assert "streaming" in phiomia.command("health", "--role", "streaming")

    answer = requests.get(f"{phiomia.url}/metrics", timeout=30)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    memory = {
        (sample.labels["role"], sample.labels["pid"]) for sample in families["process_resident_memory_bytes"].samples
    }
    assert memory == pids
    assert {sample.labels["role"] for sample in families["phiomia_stream_accepted"].samples} == {"streaming"}
    outside = requests.get(f"{phiomia.url}/metrics", headers={"X-Forwarded-For": "192.0.2.1"}, timeout=30)
    assert outside.status_code == 404


def test_a_process_that_hangs_or_is_missing_is_told(phiomia: RunningServer) -> None:
    def look(**settings: str) -> tuple[int, list[dict[str, Any]]]:
        command = [sys.executable, "-P", "-m", "phiomia", "health", "--json", "--role", "worker"]
        done = subprocess.run(command, env=phiomia.environment | settings, capture_output=True, text=True, timeout=60)
        return done.returncode, json.loads(done.stdout)["processes"]

    (worker,) = phiomia.pids("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        status, (state,) = look()
    finally:
        os.kill(worker, signal.SIGCONT)
    assert (status, state["alive"], state["ready"], state["reason"]) == (1, False, False, "does not answer")
    status, (_, missing) = look(PHIOMIA_WORKERS="2")
    assert (status, missing["pid"], missing["reason"]) == (1, None, "is not running")


def test_ids_are_believed_from_trusted_proxies_and_when_they_are_sound() -> None:
    assert choose_request_id("Abc-1._", "127.0.0.1", LOOPBACK) == "Abc-1._"
    seen: set[str] = set()
    for sent, remote in (
        ("abc", "192.0.2.1"),
        ("a b", "::1"),
        ("a\n", "::1"),
        ("x" * 65, "::1"),
        ("", "::1"),
        (None, ""),
    ):
        made = choose_request_id(sent, remote, LOOPBACK)
        assert 8 < len(made) <= 64 and made not in {sent, *seen}
        seen.add(made)


@story("timelines")
async def test_lines_of_a_request_say_whose_they_are(world: World) -> None:
    alice = await world.account("alice")

    def fail(_token: str) -> None:
        raise RuntimeError("unthought of")

    world.api.config = _with_slow_log(world.api.config)
    with structlog.testing.capture_logs(processors=[log._add_request]) as lines:
        headers = {"X-Request-Id": "from-the-proxy"}
        path = "/api/v1/timelines/home"
        answer = await world.client.request("GET", path, alice, query={"limit": 1, "x": "secret"}, headers=headers)
        assert answer.headers["x-request-id"] == "from-the-proxy"
        world.api.bearers.recall = fail
        broken = await world.client.get(path, alice)
        log.get_logger("after").warning("idle")
    common = {"method": "GET", "path": path}
    slow, error, _slow, idle = (
        {key: line.get(key) for key in ("request", "status", "account", *common)} for line in lines
    )
    assert slow == {**common, "request": "from-the-proxy", "status": 200, "account": alice.id}
    assert error == {**common, "request": broken.headers["x-request-id"], "status": 500, "account": None}
    assert not any(idle.values())
    assert "secret" not in str(lines) and alice.token not in str([{**line, "exc_info": ""} for line in lines])


def _with_slow_log(config: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(config, log=msgspec.structs.replace(config.log, slow_ms=-1))
