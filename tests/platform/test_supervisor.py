"""The supervisor with real processes: what a client, an operator and a killed process see of it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from supervised import (
    SOURCE,
    TEMPLATE,
    Load,
    Running,
    alive,
    ask,
    make_release,
    reload,
    reload_and_wait,
    serving,
    supervised,
    switch,
)

from phiomia.platform import control, orders, spawn
from phiomia.platform.bus import HubBus
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.topology import PYTHON, Child, Settings


def test_reload_under_load_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as running:

        async def scenario() -> Load:
            async with Load(running.port, 0.002) as load:
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
        assert f"another supervisor runs here, process {running.process.pid}," in running.output()
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


def test_supervisor_needs_the_standard_library_only() -> None:
    names = "import sys; before = set(sys.modules); import phiomia.platform.supervisor; "
    names += "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    done = subprocess.run(
        [sys.executable, "-c", names], capture_output=True, env={"PYTHONPATH": str(SOURCE)}, check=True
    )
    assert set(done.stdout.decode().split()) - sys.stdlib_module_names == {"phiomia"}
