"""Streams wait while the whole unit is restarted: the service manager keeps them, and the next process goes on."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from stage import ALICE, Stage, bearer, next_event, next_message, open_stage, perform
from test_handover import Sloth, masked, number_of

from phiomia.platform.crew import Crew
from phiomia.platform.listen import KEPT, take_named
from phiomia.platform.park import OUTLIVED, PUT, TAKE, ParkKeeper
from phiomia.platform.spawn import Process
from phiomia.platform.topology import Child, Release, Settings
from phiomia.streaming import state
from phiomia.streaming.metrics import StreamingMetrics

_UNANSWERED = "GET /api/v1/streaming/user HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n"


class Manager:
    """A service manager that keeps what it is sent, and the supervisor of one unit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(5)
        self.kept: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self.keeper = ParkKeeper(self._selector, str(folder))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def environ(self) -> dict[str, str]:
        """What the unit is started with."""
        return {"NOTIFY_SOCKET": str(self.folder / "notify"), "FDSTORE": "8"}

    def begin(self) -> None:
        """Starts the supervisor, and keeps what it wants to be kept."""
        self.keeper.open(self.environ)
        while len(self.kept) < 2:
            message, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            fields = dict(line.split("=", 1) for line in message.decode().splitlines())
            if fields.get("FDSTORE") == "1":
                (self.kept[fields["FDNAME"]],) = fds
        self._thread.start()

    def end(self) -> None:
        """Ends both; what was kept is kept no more."""
        self._ended.set()
        self._thread.join()
        self.keeper.close()
        self.let_go()
        self.socket.close()

    def let_go(self) -> None:
        """The unit is stopped for good."""
        for fd in self.kept.values():
            os.close(fd)
        self.kept.clear()

    def _serve(self) -> None:
        while not self._ended.is_set():
            for key, mask in self._selector.select(0.05):
                key.data(mask)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """One that serves; the streaming process of the tests believes to be its unit's."""
    made = Manager(tmp_path)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getppid", os.getpid)
    made.begin()
    yield made
    made.end()


async def stop(stage: Stage) -> None:
    """Ends the role, without another that could go on."""
    assert stage.role is not None
    stage.stop.set()
    await stage.role


async def start(stage: Stage) -> None:
    """Starts it anew."""
    stage.metrics = stage.context.metrics = StreamingMetrics()
    await stage.start()


@pytest.mark.parametrize("on_uvloop", [True, False])
def test_streams_wait_for_the_next_start_and_miss_nothing(tmp_path: Path, manager: Manager, on_uvloop: bool) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path, queued=1 << 26) as stage,
            aiohttp.ClientSession(headers=bearer(), read_bufsize=1 << 24) as http,
        ):
            stage.painter.padding = "x" * 40_000
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            events = await http.get(stage.url + "/user")
            sloth = Sloth(stage)
            reader, writer = await stage.connect()
            await stage.until(lambda: stage.metrics.subscriptions == 3)
            wire = socket_.get_extra_info("socket")
            posted = 0
            for turn in range(3):
                frame = masked({"type": "subscribe", "stream": "hashtag", "tag": f"turn{turn}"})
                os.write(wire.fileno(), frame[:20])
                if turn == 0:
                    writer.write(_UNANSWERED.encode())
                for _ in range(20):
                    posted += 1
                    await stage.post(posted, home=[ALICE])
                await stop(stage)
                for _ in range(3):
                    posted += 1
                    await stage.post(posted, home=[ALICE])
                os.write(wire.fileno(), frame[20:])
                await start(stage)
                await stage.until(lambda turn=turn: stage.metrics.taken == 4 - (turn > 0))
                await stage.until(lambda turn=turn: stage.metrics.subscriptions == 4 + turn)
                if turn == 0:
                    # Not answered before, and now another process does; the client ends it then.
                    writer.write(b"\r\n")
                    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                    writer.close()
                    await stage.until(lambda: stage.metrics.connected_sse == 1)
            expected = list(range(1, posted + 1))
            assert [number_of(await next_message(socket_)) for _ in expected] == expected
            assert [int((await next_event(events))["id"]) for _ in expected] == expected
            assert await sloth.read(posted) == expected
            sloth.socket.close()

    perform(play, on_uvloop=on_uvloop)


def test_who_has_waited_for_too_long_is_sent_away(tmp_path: Path, manager: Manager) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, parked_s=0.0) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            events = await http.get(stage.url + "/user")
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            await stop(stage)
            await start(stage)
            assert (await socket_.receive(timeout=5)).data == 1012
            assert b"retry: " in await events.content.read()

    perform(play)


@pytest.mark.parametrize("reads", [(1, 2), (1,)])
def test_a_release_before_finds_a_version_that_it_reads_or_closes(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch, reads: tuple[int, ...]
) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            monkeypatch.setattr(state, "READS", (2, 3))
            await stop(stage)
            monkeypatch.setattr(state, "READS", reads)
            await start(stage)
            if 2 in reads:
                await stage.post(1, home=[ALICE])
                assert number_of(await next_message(socket_)) == 1
            else:
                assert (await socket_.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)

    perform(play)


def test_when_the_unit_is_stopped_for_good_streams_end(tmp_path: Path, manager: Manager) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            events = await http.get(stage.url + "/user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stop(stage)
            manager.keeper.close()
            manager.let_go()
            with pytest.raises(aiohttp.ClientPayloadError):
                await events.content.read()

    perform(play)


async def orphan(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the supervisor before the role, where children may outlive it."""
    monkeypatch.setenv(OUTLIVED, "1")
    monkeypatch.setattr(os, "getppid", lambda: 1)
    stage.stop.set()
    await stage.until(lambda: not list(stage.handed_over.glob("*.over")))


def test_who_outlives_its_supervisor_serves_until_the_next_one_does(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            # The service manager has the address as well, so nobody is in the way of who comes next.
            monkeypatch.setenv(KEPT, "1")
            await orphan(stage, monkeypatch)
            await stage.post(1, home=[ALICE])
            assert number_of(await next_message(socket_)) == 1
            # Who comes now is welcome as well.
            events = await http.get(stage.url + "/user")
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            before = stage.role
            monkeypatch.setattr(os, "getppid", os.getpid)
            await start(stage)
            assert before is not None
            await before
            assert stage.metrics.taken == 2
            await stage.post(2, home=[ALICE])
            assert number_of(await next_message(socket_)) == 2
            assert (await next_event(events))["id"] == "2"

    perform(play)


def test_who_outlives_its_supervisor_leaves_the_address_to_the_next_one(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            # The supervisor closes them before it ends.
            while stage.listeners:
                stage.listeners.pop().close()
            await orphan(stage, monkeypatch)
            stage.listeners.append(socket.create_server(("127.0.0.1", stage.port)))
            monkeypatch.setattr(os, "getppid", os.getpid)
            await start(stage)
            await stage.post(1, home=[ALICE])
            assert number_of(await next_message(socket_)) == 1
            assert (await http.get(stage.url + "/health")).status == 200

    perform(play)


def test_who_outlives_its_supervisor_ends_when_the_unit_is_stopped_for_good(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await orphan(stage, monkeypatch)
            manager.keeper.close()
            manager.let_go()
            assert (await socket_.receive(timeout=5)).data == 1012
            assert stage.role is not None
            await stage.role

    perform(play)


@pytest.mark.parametrize(("names", "kept"), [("web:streaming:park-put", True), ("web:park-put", False)])
def test_a_child_is_told_whose_its_address_is(monkeypatch: pytest.MonkeyPatch, names: str, kept: bool) -> None:
    given = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(names.count(":") + 1), "LISTEN_FDNAMES": names}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    started: list[Child] = []
    made = Process("streaming", 1, -1, 15, 0)

    def start(child: Child, *_: object) -> Process:
        started.append(child)
        return made

    with selectors.DefaultSelector() as selector:
        crew = Crew(selector, Settings({}, (), ""), lambda: False, lambda: None, print)
        crew.listeners = {"web": [], "streaming": []}
        monkeypatch.setattr(crew.children, "start", start)
        crew.fill(Child("streaming", (), listen="streaming"), Release(""), None, 1.0)
    assert (KEPT in started[0].env) is kept


def test_what_the_service_manager_kept_is_found_by_name_among_listening_sockets() -> None:
    put, take = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    script = "import os, selectors, sys; from phiomia.platform import listen, park\n"
    script += "environ = {**os.environ, 'LISTEN_PID': str(os.getpid())}\n"
    script += "sockets = listen.take_systemd_sockets(['web', 'streaming'], environ)\n"
    script += "keeper = park.ParkKeeper(selectors.DefaultSelector(), sys.argv[1]); keeper.open(environ)\n"
    script += "print({name: len(found) for name, found in sockets.items()}, keeper.pair is not None)"
    with socket.create_server(("127.0.0.1", 0)) as listener, put, take:
        assert _run(script, [take, listener, put], f"{TAKE}:other:{PUT}") == "{'web': 1} True"
        assert _run(script, [listener, take, put], "web:stored:stored") == "{'web': 1} False"
    assert take_named((PUT, TAKE), {"LISTEN_PID": "1"}) == {}


def _run(script: str, sockets: list[socket.socket], names: str) -> str:
    # The descriptors of a service begin at three. Until then they are put above, where none of them is overwritten.
    prepare = "import os, sys; from fcntl import F_DUPFD, fcntl; fds = list(map(int, sys.argv[3].split(',')))\n"
    prepare += "fds = [fcntl(fd, F_DUPFD, 50) for fd in fds]\n"
    prepare += "[os.dup2(fd, 3 + place) for place, fd in enumerate(fds)]\n"
    prepare += "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], sys.argv[2]])"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        done = subprocess.run(
            [sys.executable, "-c", prepare, script, folder, ",".join(str(one.fileno()) for one in sockets)],
            env={"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names, "PYTHONPATH": "src"},
            pass_fds=[one.fileno() for one in sockets],
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout.strip()
