"""Children that are copies of a template: they are like others, and come back when they are killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from supervised import (
    HERE,
    SOURCE,
    TEMPLATE,
    Load,
    Running,
    alive,
    ask,
    make_release,
    reload,
    serving,
    supervised,
    switch,
)

import phiomia.platform.template
from phiomia.platform.template import TEMPLATE_FD, ask_for_copy


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
