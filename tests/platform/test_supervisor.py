"""The supervisor with real processes: what a client, an operator and a killed process see of it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import phiomia.platform.template
from phiomia.platform import control, orders, spawn
from phiomia.platform.bus import HubBus
from phiomia.platform.notify import read_status
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.template import TEMPLATE_FD, ask_for_copy
from phiomia.platform.topology import PYTHON, Child, Settings

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
TEMPLATE = (PYTHON, "-P", "-m", "toy_release", "template")


def make_release(root: Path, mark: str) -> Path:
    """A release directory with its own virtual environment, which uses the packages of this one."""
    release = root / f"release-{mark}-{time.monotonic_ns()}"
    venv = release / "venv"
    packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "pyvenv.cfg").write_text(f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n")
    (packages / "paths.pth").write_text(f"{SOURCE}\n{HERE}\n{sysconfig.get_paths()['purelib']}\n")
    (venv / "mark").write_text(mark)
    return release


def switch(root: Path, release: Path) -> None:
    """Points `current` to the release."""
    (root / "next").symlink_to(release)
    os.replace(root / "next", root / "current")


class Running:
    """A supervisor under test."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.process = process
        self.status_path = str(root / "run" / "status.json")

    @property
    def status(self) -> dict[str, Any]:
        return read_status(self.status_path)

    @property
    def port(self) -> int:
        return int(self.status["listen"]["web"][0].rpartition(":")[2])

    def pids(self, role: str) -> set[int]:
        return {
            child["pid"] for child in self.status["children"] if child["role"] == role and child["state"] == "ready"
        }

    def output(self) -> str:
        return (self.root / "stderr").read_text()

    def until(self, condition: Callable[[], Any], limit_s: float = 8.0) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"{self.status}\n{self.output()}"
            time.sleep(0.02)


@contextmanager
def supervised(root: Path, mark: str = "one", drain_idle: str = "65", **changes: Any) -> Iterator[Running]:
    """Runs a supervisor with two web processes and one on the bus."""
    (root / "run").mkdir(exist_ok=True)
    switch(root, make_release(root, mark))
    settings = Settings(
        listen={"web": ("127.0.0.1:0",)},
        children=(
            Child("echo", (PYTHON, "-P", "-m", "toy_release", "echo")),
            Child(
                "web",
                (PYTHON, "-P", "-m", "toy_release", "web"),
                env={"PHIOMIA_DRAIN_IDLE": drain_idle},
                processes=2,
                listen="web",
                stop_signal=signal.SIGINT,
            ),
        ),
        bus_path=str(root / "run" / "bus.sock"),
        status_path=str(root / "run" / "status.json"),
        settle_s=0.0,
    )._replace(**changes)
    start = "import json, sys; from phiomia.platform import handover, topology; "
    start += "handover.replace_process(topology.load_settings(json.loads(sys.argv[1])))"
    with open(root / "stderr", "ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", start, json.dumps(settings.save())],
            env={**os.environ, "PHIOMIA_CURRENT": str(root / "current"), "PYTHONPATH": str(SOURCE)},
            stderr=stderr,
        )
    running = Running(root, process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serving(root: Path, **arguments: Any) -> Iterator[Running]:
    """The same, once it serves."""
    with supervised(root, **arguments) as running:
        running.until(lambda: os.path.exists(running.status_path) and running.status["state"] == "running")
        yield running


class Load:
    """Clients that go on asking, and what became of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.failures: list[str] = []
        self.marks: set[str] = set()
        self.stopping = False
        self.slowest = 0.0

    async def __aenter__(self) -> "Load":
        clients = [self._client(number, keep_alive=number % 3 != 0) for number in range(18)]
        self.tasks = [asyncio.create_task(client) for client in clients]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 20)

    async def _client(self, number: int, keep_alive: bool) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        turn = number
        while not self.stopping:
            turn += 1
            path = "/slow" if number % 6 == 5 else "/"
            body = b"x" * (turn % 5000) if turn % 3 == 0 else b""
            used = connection is not None
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", self.port)
                answer, stays = await ask(connection, "POST" if body else "GET", path, body)
                assert answer.endswith(f"{'POST' if body else 'GET'} {len(body)}"), answer
                self.marks.add(answer.split()[0])
                self.answered += 1
            except (OSError, EOFError, AssertionError) as error:
                self.failures.append(f"{'reused' if used else 'fresh'} {error!r}")
                stays = False
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if not (stays and keep_alive) and connection is not None:
                connection[1].close()
                connection = None
            await asyncio.sleep(0.002 * (turn % 8))


async def ask(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], method: str, path: str, body: bytes
) -> tuple[str, bool]:
    """One request on a connection: the answer, and whether the connection stays."""
    reader, writer = connection
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200"), head
    length = int(head.partition("content-length: ")[2].split()[0])
    return (await reader.readexactly(length)).decode(), "connection: close" not in head


def reload_and_wait(path: str, limit_s: float) -> dict[str, Any]:
    """What the supervisor says after a reload, which its operator asked for."""
    outcome = control.reload(Path(path).parent, timeout_s=limit_s)
    status = read_status(path)
    assert outcome == (status["reason"] == "", status["reason"])
    return status


async def reload(running: Running) -> dict[str, Any]:
    """A reload, waited for without stopping the load."""
    return await asyncio.to_thread(reload_and_wait, running.status_path, 30.0)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_reload_under_load_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as running:

        async def scenario() -> Load:
            async with Load(running.port) as load:
                await asyncio.sleep(0.3)
                for mark in ("two", "three"):
                    switch(tmp_path, make_release(tmp_path, mark))
                    status = await reload(running)
                    assert (status["state"], status["reason"]) == ("running", "")
                    await asyncio.sleep(0.3)
            return load

        before = running.pids("web") | running.pids("echo")
        load = asyncio.run(scenario())
        assert load.failures == []
        assert load.answered > 2000
        assert load.marks == {"one", "two", "three"}
        status = running.status
        assert status["pid"] == running.process.pid
        assert status["generation"] == 3
        assert "release-three" in status["python"]
        assert "release-three" in Path(f"/proc/{status['pid']}/cmdline").read_text()
        running.until(lambda: not any(alive(pid) for pid in before))


def test_broken_releases_are_refused_and_the_old_one_keeps_serving(tmp_path: Path) -> None:
    reasons = {
        "import-error": "echo exited with status 1",
        "probe-fails": "web exited with status 1",
        "crashes-soon": "web exited with status 9",
        "never-ready": "web was not ready within 3 s",
        "no-interpreter": "the release has no interpreter",
        "no-supervisor": "the new release does not start: its supervisor exited with status 1",
    }

    def break_release(mark: str) -> None:
        release = make_release(tmp_path, mark)
        if mark == "no-interpreter":
            (release / "venv" / "bin" / "python").unlink()
        if mark == "no-supervisor":
            (release / "sitecustomize.py").write_text("raise SystemExit(1)")
            next(release.rglob("paths.pth")).write_text(str(release))
        switch(tmp_path, release)

    with serving(tmp_path, settle_s=0.6, reload_limit_s=3) as running:

        async def scenario() -> Load:
            async with Load(running.port) as load:
                for mark, reason in reasons.items():
                    break_release(mark)
                    status = await reload(running)
                    assert (status["state"], status["generation"], status["reason"]) == ("running", 1, reason)
            return load

        before = running.pids("web"), running.pids("echo")
        load = asyncio.run(scenario())
        assert load.failures == []
        assert load.marks <= {"one", "crashes-soon"}
        assert (running.pids("web"), running.pids("echo")) == before
        assert running.output().count("reload refused") == len(reasons)


def tried_out(canary_s: float) -> dict[str, Any]:
    """Settings under which another release's web is tried out for so long."""
    child = (PYTHON, "-P", "-m", "toy_release", "web")
    env = {"PHIOMIA_DRAIN_IDLE": "65"}
    web = Child("web", child, env, processes=2, listen="web", stop_signal=signal.SIGINT, canary=True)
    return {"children": (web,), "canary_s": canary_s}


def test_what_fails_at_work_is_found_out_by_one_process_and_the_old_ones_stay(tmp_path: Path) -> None:
    # Long enough for a busy machine: what is no good is refused as soon as that is known.
    with serving(tmp_path, **tried_out(30.0)) as running:

        async def scenario() -> tuple[Load, list[str], Load]:
            reasons = []
            async with Load(running.port) as load:
                await asyncio.sleep(0.3)
                for mark in ("answers-wrongly", "dies-at-work"):
                    switch(tmp_path, make_release(tmp_path, mark))
                    reasons.append((await reload(running))["reason"])
            async with Load(running.port) as after:
                await asyncio.sleep(0.3)
            return load, reasons, after

        before = running.pids("web")
        load, (wrong, dead), after = asyncio.run(scenario())
        assert re.fullmatch(r"web failed at \d+ of \d+ requests when it was tried out \(before 0\.0%\)", wrong), wrong
        assert dead == "web exited with status 7 while the first one was tried out"
        assert running.pids("web") == before and running.status["generation"] == 1
        # All that people saw of it is what one process did wrong, and only until it was found out.
        assert 3 <= len(load.failures) < load.answered / 10
        assert after.failures == [] and after.marks == {"one"}


def test_one_process_is_tried_out_before_the_others_follow(tmp_path: Path) -> None:
    with serving(tmp_path, **tried_out(1.5)) as running:
        switch(tmp_path, make_release(tmp_path, "two"))

        async def scenario() -> tuple[Load, list[tuple[float, str]]]:
            answers = []
            async with Load(running.port) as load:
                going = asyncio.create_task(reload(running))
                while not going.done():
                    connection = await asyncio.open_connection("127.0.0.1", running.port)
                    answers.append((time.monotonic(), (await ask(connection, "GET", "/", b""))[0]))
                    connection[1].close()
                    await asyncio.sleep(0.005)
                assert (await going)["reason"] == ""
            return load, answers

        load, answers = asyncio.run(scenario())
        assert load.failures == [] and load.marks == {"one", "two"}
        ended = max(at for at, answer in answers if answer.startswith("one"))
        tried = {int(answer.split()[1]) for at, answer in answers if answer.startswith("two") and at < ended - 0.3}
        assert len(tried) == 1 and tried < running.pids("web")


def test_idle_connections_are_answered_after_the_reload(tmp_path: Path) -> None:
    with serving(tmp_path) as running:

        async def scenario() -> list[str]:
            used = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(50)]
            for connection in used:
                assert (await ask(connection, "GET", "/", b""))[1]
            silent = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(50)]
            await asyncio.sleep(0.2)
            switch(tmp_path, make_release(tmp_path, "two"))
            assert (await reload(running))["reason"] == ""
            await asyncio.sleep(8)
            answers = [await ask(connection, "POST", "/", b"hello") for connection in used + silent]
            assert not any(stays for _, stays in answers)
            return [answer.split()[0] for answer, _ in answers]

        before = running.pids("web")
        assert asyncio.run(scenario()) == ["one"] * 100
        running.until(lambda: not any(alive(pid) for pid in before))


def test_idle_connections_end_after_the_limit(tmp_path: Path) -> None:
    with serving(tmp_path, drain_idle="0.5") as running:
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            time.sleep(0.1)
            before = running.pids("web")
            assert reload_and_wait(running.status_path, 20)["reason"] == ""
            client.settimeout(3)
            assert client.recv(1) == b""
        running.until(lambda: not any(alive(pid) for pid in before), 2)


def test_new_release_may_want_other_children(tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.json"
    with serving(tmp_path, describe=("-m", "toy_release", "describe", str(wanted))) as running:
        saved = {"listen": {}, "children": [], "bus_path": str(tmp_path / "run" / "bus.sock"), "not_known": 1}
        saved["status_path"] = running.status_path
        saved["describe"] = ["-m", "toy_release", "describe", str(wanted)]
        saved["children"].append({"role": "echo", "argv": [PYTHON, "-P", "-m", "toy_release", "echo"], "processes": 2})
        wanted.write_text(json.dumps(saved))
        assert reload_and_wait(running.status_path, 20)["reason"] == ""
        assert (len(running.pids("echo")), len(running.pids("web"))) == (2, 0)
        saved["children"][0]["listen"] = "gopher"
        wanted.write_text(json.dumps(saved))
        assert "no socket for gopher" in reload_and_wait(running.status_path, 20)["reason"]


def generations(running: Running) -> dict[str, set[int]]:
    """The generations of the children that serve, by role."""
    found: dict[str, set[int]] = {}
    for child in running.status["children"]:
        if child["state"] == "ready":
            found.setdefault(child["role"], set()).add(child["generation"])
    return found


@pytest.mark.parametrize("copies", [False, True])
def test_one_role_is_reloaded_and_the_others_stay_as_they_were(tmp_path: Path, copies: bool) -> None:
    with serving(tmp_path, template=TEMPLATE if copies else ()) as running:
        echo, web = running.pids("echo"), running.pids("web")
        switch(tmp_path, make_release(tmp_path, "two"))
        assert control.reload(tmp_path / "run", ["web"], 30) == (True, "")
        assert (running.pids("echo"), generations(running)) == (echo, {"echo": {1}, "web": {2}})
        assert not running.pids("web") & web
        # One that comes back is of the release that its role has.
        os.kill(min(echo), signal.SIGKILL)
        os.kill(min(running.pids("web")), signal.SIGKILL)
        running.until(lambda: len(running.pids("echo") - echo) == 1 and len(running.pids("web")) == 2, 20)
        assert generations(running) == {"echo": {1}, "web": {2}}
        pythons = {child["role"]: child["python"] for child in running.status["children"] if child["state"] == "ready"}
        assert ("release-one" in pythons["echo"], "release-two" in pythons["web"]) == (True, True)
        assert control.reload(tmp_path / "run", ["echo"], 30) == (True, "")
        assert generations(running) == {"echo": {3}, "web": {2}}
        assert running.status["pid"] == running.process.pid
        refused = control.reload(tmp_path / "run", ["gopher"], 30)
        assert (refused.ok, "runs the role gopher" in refused.reason) == (False, True)


def test_a_restart_ends_the_old_ones_first_and_falls_back_to_their_release(tmp_path: Path) -> None:
    with serving(tmp_path, reload_limit_s=2) as running:

        async def scenario() -> Load:
            async with Load(running.port) as load:
                switch(tmp_path, make_release(tmp_path, "two"))
                assert await asyncio.to_thread(control.restart, tmp_path / "run", ["web"], 30) == (True, "")
                switch(tmp_path, make_release(tmp_path, "never-ready"))
                outcome = await asyncio.to_thread(control.restart, tmp_path / "run", ["web"], 30)
                assert outcome == (False, "web was not ready within 2 s")
            return load

        echo, web = running.pids("echo"), running.pids("web")
        load = asyncio.run(scenario())
        assert load.failures == []
        assert load.marks == {"one", "two"}
        assert generations(running) == {"echo": {1}, "web": {2}}
        assert running.pids("echo") == echo
        assert not any(alive(pid) for pid in web)


def test_a_release_gets_a_few_times_what_the_last_start_took(tmp_path: Path) -> None:
    supervisor = Supervisor(Settings({}, (), str(tmp_path / "bus.sock")), sys.executable)
    supervisor.boot_s = 0.5
    assert supervisor.renewal_limit_s == 12
    supervisor.boot_s = 6
    assert supervisor.renewal_limit_s == 30
    supervisor.settings = supervisor.settings._replace(reload_limit_s=4)
    assert supervisor.renewal_limit_s == 4


def test_who_waits_for_a_processor_gets_that_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = 0.0
    monkeypatch.setattr(spawn, "count_wait", lambda _pid: waited)
    process = spawn.Process("web", 1, -1, signal.SIGTERM, 3.0)
    assert not process.extend(60.0)
    waited = 2.0
    assert process.extend(60.0)
    assert process.limit_s == pytest.approx(5.0)
    assert not process.extend(60.0)
    waited = 100.0
    assert process.extend(60.0)
    assert process.limit_s == pytest.approx(60.0)
    assert not process.extend(60.0)
    assert spawn.count_wait(os.getpid()) >= 0.0


def test_orders_wait_for_each_other_and_a_stale_one_counts_as_a_signal_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "status.json")
    placed = orders.place_order(path, orders.RESTART, {"web", "echo"})
    assert (placed.roles, orders.take_order(path)) == (("echo", "web"), placed)
    assert orders.take_order(path) == orders.Order()
    Path(f"{path}.order").write_text(json.dumps({**placed._asdict(), "at": time.monotonic() - 60}))
    assert orders.take_order(path) == orders.Order()
    with serving(tmp_path) as running:
        with ThreadPoolExecutor() as pool:
            both = [pool.submit(control.reload, tmp_path / "run", [role], 30) for role in ("web", "echo")]
            assert [each.result() for each in both] == [(True, ""), (True, "")]
        assert sorted(next(iter(each)) for each in generations(running).values()) == [2, 3]
    assert control.reload(tmp_path / "run").reason.startswith("no server runs on")


def test_supervisors_of_one_directory_share_a_bus_whoever_ends_first(tmp_path: Path) -> None:
    echo = Child("echo", (PYTHON, "-P", "-m", "toy_release", "echo"))
    bus_path = str(tmp_path / "first" / "run" / "bus.sock")
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()

    def unit(name: str, stack: ExitStack) -> Running:
        role = echo._replace(role=name)
        return stack.enter_context(serving(tmp_path / name, children=(role,), listen={}, bus_path=bus_path))

    async def scenario(first: ExitStack, second: ExitStack, third: ExitStack) -> None:
        running = {"first": unit("first", first), "second": unit("second", second), "third": unit("third", third)}
        bus = HubBus(bus_path)
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        bus.subscribe("answer", answers.put_nowait)
        await bus.start()

        async def who_answers() -> set[int]:
            bus.publish("question", b"who")
            await asyncio.sleep(0.1)
            return {int(answers.get_nowait().split()[1]) for _ in range(answers.qsize())}

        async def until_they_answer(names: set[str]) -> None:
            deadline = time.monotonic() + 20
            wanted = set().union(*(running[name].pids(name) for name in names))
            while not wanted <= await who_answers():
                assert time.monotonic() < deadline, {name: running[name].output() for name in names}

        await until_they_answer({"first", "second", "third"})
        await asyncio.to_thread(first.close)
        await until_they_answer({"second", "third"})
        assert (await asyncio.to_thread(control.reload, tmp_path / "second" / "run")).ok
        assert (await asyncio.to_thread(control.reload, tmp_path / "third" / "run")).ok
        await until_they_answer({"second", "third"})
        running["first"] = await asyncio.to_thread(unit, "first", first)
        await until_they_answer({"first", "second", "third"})
        owner = running["second"].process
        owner.kill()
        owner.wait()
        await until_they_answer({"first", "third"})
        await asyncio.to_thread(third.close)
        await until_they_answer({"first"})
        await bus.close()

    with ExitStack() as first, ExitStack() as second, ExitStack() as third:
        asyncio.run(scenario(first, second, third))
    assert not os.path.exists(bus_path)


def test_a_second_supervisor_of_the_same_roles_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        with supervised(tmp_path) as second:
            assert second.process.wait(15) == 1
        assert "another supervisor runs here" in running.output()
        assert running.status["pid"] == running.process.pid


def test_killed_child_comes_back(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        victim = min(running.pids("web"))
        os.kill(victim, signal.SIGKILL)
        running.until(lambda: len(running.pids("web") - {victim}) == 2)
        assert "was ended by SIGKILL; starting another" in running.output()


def test_supervisor_stays_small_and_its_children_end_with_it_even_after_a_reload(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        assert reload_and_wait(running.status_path, 20)["reason"] == ""
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
        )
        assert int(fields["RssAnon"].split()[0]) < 11_000
        children = {child["pid"] for child in running.status["children"]}
        assert len(children) >= 3
        running.process.kill()
        running.process.wait()
        running.until(lambda: not any(alive(pid) for pid in children), 4)


def test_first_start_that_fails_says_why(tmp_path: Path) -> None:
    with supervised(tmp_path, mark="import-error") as running:
        assert running.process.wait(10) == 1
        assert "no_such_module" in running.output()
        assert re.search("supervisor: gave up: (web|echo) exited with status 1", running.output())


def test_taken_address_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with supervised(tmp_path, listen={"web": (address,)}) as running:
            assert running.process.wait(10) == 1
            assert f"cannot listen on {address}" in running.output()


def test_stop_finishes_requests_and_cleans_up(tmp_path: Path) -> None:
    with serving(tmp_path) as running:

        async def scenario() -> str:
            idle = await asyncio.open_connection("127.0.0.1", running.port)
            assert (await ask(idle, "GET", "/", b""))[1]
            connection = await asyncio.open_connection("127.0.0.1", running.port)
            request = asyncio.create_task(ask(connection, "POST", "/slow", b"x"))
            await asyncio.sleep(0.1)
            running.process.send_signal(signal.SIGTERM)
            return (await request)[0]

        children = {child["pid"] for child in running.status["children"]}
        begun = time.monotonic()
        assert asyncio.run(scenario()).endswith("POST 1")
        assert running.process.wait(10) == 0
        assert time.monotonic() - begun < 8  # stop_limit_s is 10
        assert not any(alive(pid) for pid in children)
        assert running.status["state"] == "stopped"
        assert not (tmp_path / "run" / "bus.sock").exists()


def test_bus_connections_survive_a_reload(tmp_path: Path) -> None:
    with serving(tmp_path) as running:

        async def scenario() -> None:
            bus = HubBus(str(tmp_path / "run" / "bus.sock"))
            answers: asyncio.Queue[bytes] = asyncio.Queue()
            gaps: list[int] = []
            bus.subscribe("answer", answers.put_nowait)
            bus.on_gap(lambda: gaps.append(1))
            await bus.start()
            for _ in range(2):
                before = running.pids("echo")
                bus.publish("question", b"who")
                assert int((await asyncio.wait_for(answers.get(), 2)).split()[1]) in before
                assert (await reload(running))["reason"] == ""
                assert not running.pids("echo") & before
                await asyncio.to_thread(running.until, lambda before=before: not any(map(alive, before)))
            bus.publish("question", b"who")
            assert int((await asyncio.wait_for(answers.get(), 2)).split()[1]) in running.pids("echo")
            assert gaps == []
            await bus.close()

        asyncio.run(scenario())


def test_systemd_gives_the_socket_and_hears_about_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    switch(tmp_path, make_release(tmp_path, "one"))
    child = Child("web", (PYTHON, "-P", "-m", "toy_release", "web"), listen="web", stop_signal=signal.SIGINT)
    settings = Settings({"web": ("127.0.0.1:1",)}, (child,), str(tmp_path / "bus.sock"), settle_s=0.0)
    start = "import json, os, sys; from phiomia.platform import supervisor, topology; os.dup2(int(sys.argv[2]), 3); "
    start += "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='web'); "
    start += "sys.exit(supervisor.run(topology.load_settings(json.loads(sys.argv[1]))))"
    with (
        socket.create_server(("127.0.0.1", 0)) as given,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        environ = {
            **os.environ,
            "PHIOMIA_CURRENT": str(tmp_path / "current"),
            "PYTHONPATH": str(SOURCE),
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
        }
        arguments = [sys.executable, "-c", start, json.dumps(settings.save()), str(given.fileno())]
        process = subprocess.Popen(arguments, env=environ, pass_fds=[given.fileno()])
        try:
            hear(manager, "READY=1")
            process.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in hear(manager, "RELOADING=1")
            assert f"MAINPID={process.pid}" in hear(manager, "READY=1")

            async def request() -> str:
                connection = await asyncio.open_connection(*given.getsockname())
                return (await ask(connection, "GET", "/", b""))[0]

            assert asyncio.run(request()).startswith("one ")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        hear(manager, "STOPPING=1")


def hear(manager: socket.socket, field: str) -> str:
    """The next message to the service manager that has the field."""
    while True:
        message = manager.recv(4096).decode()
        if field in message.splitlines():
            return message


# Children that are copies of a template


def children_of(pid: int) -> dict[int, str]:
    """The process ids and command lines of the children of a process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == pid and stat[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def template_of(running: Running) -> int | None:
    return next((pid for pid, line in children_of(running.process.pid).items() if line.endswith("template")), None)


def wait_for_template(running: Running) -> int:
    running.until(lambda: template_of(running))
    template = template_of(running)
    assert template is not None
    return template


def test_copies_are_children_like_others(tmp_path: Path) -> None:
    with serving(tmp_path, template=TEMPLATE) as running:
        running.until(lambda: template_of(running) is None)
        lines = children_of(running.process.pid)
        assert sorted(lines.values()) == ["phiomia: echo", "phiomia: web", "phiomia: web"]
        assert running.pids("web") | running.pids("echo") == set(lines)
        for pid in lines:
            assert os.getpgid(pid) == pid
            # Standard streams, one pipe or socket of each kind, an event loop: nothing of the template or a sibling.
            assert len(os.listdir(f"/proc/{pid}/fd")) < 20

        async def scenario() -> set[str]:
            connections = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(20)]
            return {(await ask(connection, "GET", "/", b""))[0].split()[0] for connection in connections}

        assert asyncio.run(scenario()) == {"one"}
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
        assert not any(alive(pid) for pid in lines)
        assert running.output() == ""


def test_reload_of_copies_under_load_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, template=TEMPLATE, settle_s=0.6, reload_limit_s=3) as running:

        async def scenario() -> Load:
            async with Load(running.port) as load:
                switch(tmp_path, make_release(tmp_path, "two"))
                assert (await reload(running))["reason"] == ""
                reasons = {
                    "import-error": "template exited with status 1",
                    "slow": "template was not ready within 3 s",
                    "probe-fails": "web exited with status 1",
                }
                for mark, reason in reasons.items():
                    release = make_release(tmp_path, mark)
                    if mark == "slow":
                        (release / "venv" / "slow").touch()
                    switch(tmp_path, release)
                    assert (await reload(running))["reason"] == reason
                switch(tmp_path, make_release(tmp_path, "three"))
                assert (await reload(running))["reason"] == ""
                await asyncio.sleep(0.3)
            return load

        before = running.pids("web") | running.pids("echo")
        load = asyncio.run(scenario())
        assert load.failures == []
        assert load.marks == {"one", "two", "three"}
        assert running.status["generation"] == 3
        running.until(lambda: not any(alive(pid) for pid in before))
        running.until(lambda: len(children_of(running.process.pid)) == 3)


def kill_together(running: Running, *pids: int) -> None:
    """Ends children before the supervisor hears of any of it."""
    for pid, number in ((running.process.pid, signal.SIGSTOP), *((pid, signal.SIGKILL) for pid in pids)):
        os.kill(pid, number)
    os.kill(running.process.pid, signal.SIGCONT)


def test_killed_copies_come_back_even_when_their_template_is_killed_too(tmp_path: Path) -> None:
    with serving(tmp_path, template=TEMPLATE) as running:
        slow = (tmp_path / "current").resolve() / "venv" / "slow"
        slow.touch()
        victims = running.pids("web")
        kill_together(running, *victims)
        template = wait_for_template(running)
        slow.unlink()
        os.kill(template, signal.SIGKILL)
        running.until(lambda: len(running.pids("web") - victims) == 2, 30)
        assert f"template {template} was ended by SIGKILL" in running.output()
        running.until(lambda: template_of(running) is None)
        assert running.pids("web") | running.pids("echo") <= set(children_of(running.process.pid))


def test_one_alone_comes_back_without_a_template(tmp_path: Path) -> None:
    """What loads only its own role is there sooner."""
    with serving(tmp_path, template=TEMPLATE) as running:
        before = running.pids("web")
        victim = min(before)
        assert children_of(running.process.pid)[victim] == "phiomia: web"
        os.kill(victim, signal.SIGKILL)
        running.until(lambda: len(running.pids("web") - {victim}) == 2, 30)
        (alone,) = running.pids("web") - before
        assert children_of(running.process.pid)[alone].endswith("-m toy_release web")


def test_first_start_of_copies_can_be_stopped_and_says_why_it_fails(tmp_path: Path) -> None:
    with supervised(tmp_path, template=TEMPLATE, mark="never-ready") as running:
        running.until(lambda: "phiomia: web" in children_of(running.process.pid).values())
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
    with supervised(tmp_path, template=(*TEMPLATE[:-1], "nothing")) as running:
        assert running.process.wait(10) == 1
        assert "gave up: template exited with status 1" in running.output()


@pytest.mark.parametrize("mark", ["one", "never-ready"])
def test_template_and_copies_end_with_the_supervisor(tmp_path: Path, mark: str) -> None:
    with supervised(tmp_path, template=TEMPLATE, mark=mark) as running:
        running.until(lambda: list(children_of(running.process.pid).values()).count("phiomia: web") == 2)
        if mark == "one":
            running.until(lambda: len(running.pids("web")) == 2)
        children = set(children_of(running.process.pid))
        running.process.kill()
        running.process.wait()
        running.until(lambda: not any(alive(pid) for pid in children), 4)


def test_copy_that_is_not_let_in_ends_and_so_does_a_template_without_supervisor(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environ = {**os.environ, TEMPLATE_FD: str(theirs.fileno()), "PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE}"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "toy_release", "template"], env=environ, pass_fds=[theirs.fileno()]
    )
    heard, said = os.pipe()
    gate, opened = os.pipe()
    try:
        pid = ask_for_copy(ours.fileno(), "echo", {}, [said, gate])
        time.sleep(0.1)
        assert alive(pid)
        os.close(opened)
        deadline = time.monotonic() + 4
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not alive(pid)
        theirs.close()
        ours.close()
        assert process.wait(4) == 0
    finally:
        process.kill()
        for fd in (heard, said, gate):
            os.close(fd)


def test_template_that_does_not_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phiomia.platform.template, "ANSWER_LIMIT_S", 0.05)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, pytest.raises(TimeoutError):
        ask_for_copy(ours.fileno(), "echo", {}, [])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with ours, pytest.raises(BrokenPipeError):
        ask_for_copy(ours.fileno(), "echo", {}, [])


def test_supervisor_needs_the_standard_library_only() -> None:
    names = "import sys; before = set(sys.modules); import phiomia.platform.supervisor; "
    names += "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    done = subprocess.run(
        [sys.executable, "-c", names], capture_output=True, env={"PYTHONPATH": str(SOURCE)}, check=True
    )
    assert set(done.stdout.decode().split()) - sys.stdlib_module_names == {"phiomia"}
