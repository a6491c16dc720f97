"""Every kind of bus: in one process, between processes through the hub, and through Redis or Valkey."""

import asyncio
import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from missing import miss
from phiomia.platform.bus import Bus, HubBus, LocalBus, RedisBus, open_bus
from phiomia.platform.hub import HEAD, MAX_FRAME, MAX_PAYLOAD, MAX_QUEUED, MESSAGE, SUBSCRIBE, Hub, pack, unpack
from phiomia.platform.listen import bind_unix

SOURCE = Path(__file__).parents[2] / "src"
REDIS = shutil.which("valkey-server") or shutil.which("redis-server")
COMMAND = shutil.which("valkey-cli") or shutil.which("redis-cli")


class Hubs:
    """A hub in a thread, as the supervisor runs it in its loop."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.selector = selectors.DefaultSelector()
        self.hub = Hub(self.selector, bind_unix(path))
        self.ending = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self.ending:
            for key, mask in self.selector.select(0.05):
                key.data(mask)

    def close(self) -> None:
        self.ending = True
        self.thread.join()
        self.hub.close()
        os.unlink(self.path)


@contextmanager
def hub_at(path: Path) -> Iterator[Hubs]:
    hub = Hubs(str(path))
    try:
        yield hub
    finally:
        hub.close()


@contextmanager
def redis_server(tmp_path: Path) -> Iterator[str]:
    if REDIS is None:
        miss("there is neither redis-server nor valkey-server")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([REDIS, *arguments], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"valkey://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def address_of(kind: str, tmp_path: Path) -> Iterator[str]:
    if kind == "hub":
        with hub_at(tmp_path / "bus.sock"):
            yield f"unix:{tmp_path / 'bus.sock'}"
    else:
        with redis_server(tmp_path) as url:
            yield url


@asynccontextmanager
async def started(*buses: Bus) -> AsyncIterator[None]:
    for bus in buses:
        await bus.start()
    try:
        yield
    finally:
        for bus in buses:
            await bus.close()


async def eventually(condition: Callable[[], object], limit_s: float = 3.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


def test_local_bus_delivers_once_and_later() -> None:
    async def scenario() -> None:
        bus = LocalBus()
        got: list[bytes] = []
        async with started(bus):
            end = bus.subscribe("a", got.append)
            bus.publish("a", b"1")
            bus.publish("b", b"2")
            assert got == []
            await eventually(lambda: got == [b"1"])
            end()
            end()
            bus.publish("a", b"4")
            await asyncio.sleep(0.01)
            assert got == [b"1"]

    run(scenario())


def test_failing_subscriber_does_not_keep_the_message_from_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bus = LocalBus()
        got: list[bytes] = []

        def fail(_: bytes) -> None:
            raise RuntimeError("broken subscriber")

        async with started(bus):
            bus.subscribe("a", fail)
            bus.subscribe("a", got.append)
            bus.publish("a", b"1")
            await eventually(lambda: got)

    run(scenario())
    assert "broken subscriber" in caplog.text


def test_too_large_message_is_an_error() -> None:
    async def scenario() -> None:
        bus = LocalBus()
        async with started(bus):
            with pytest.raises(ValueError, match="too large"):
                bus.publish("a", b"x" * (MAX_PAYLOAD + 1))

    run(scenario())


@pytest.mark.parametrize("url", ["local:", "unix:/tmp/x", "redis://h/0", "valkey://h/0"])
def test_address_chooses_the_bus(url: str) -> None:
    kinds = {"local": LocalBus, "unix": HubBus, "redis": RedisBus, "valkey": RedisBus}
    assert type(open_bus(url)) is kinds[url.partition(":")[0]]


def test_unknown_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown kind of bus"):
        open_bus("kafka://x")


@pytest.mark.parametrize("kind", ["hub", "redis"])
def test_message_reaches_every_subscriber_once(kind: str, tmp_path: Path) -> None:
    async def scenario(url: str) -> None:
        here, there = open_bus(url), open_bus(url)
        got: dict[str, list[bytes]] = {"here": [], "there": [], "late": []}
        here.subscribe("t", got["here"].append)
        there.subscribe("t", got["there"].append)
        async with started(here, there):
            payloads = [f"{number}".encode() + b"\x00\xff" for number in range(500)]
            await asyncio.sleep(0.1)
            for payload in payloads:
                here.publish("t", payload)
            await eventually(lambda: len(got["there"]) >= 500 and len(got["here"]) >= 500)
            end = there.subscribe("later", got["late"].append)
            await asyncio.sleep(0.1)
            here.publish("later", b"x" * MAX_PAYLOAD)
            await eventually(lambda: got["late"])
            end()
            await asyncio.sleep(0.1)
            here.publish("later", b"again")
            await asyncio.sleep(0.1)
            assert got == {"here": payloads, "there": payloads, "late": [b"x" * MAX_PAYLOAD]}

    with address_of(kind, tmp_path) as url:
        run(scenario(url))


@pytest.mark.parametrize("kind", ["hub", "redis"])
def test_message_reaches_another_process_and_comes_back(kind: str, tmp_path: Path) -> None:
    echo = (
        "import asyncio, sys; from phiomia.platform.bus import open_bus\n"
        "async def main():\n"
        "    bus = open_bus(sys.argv[1]); asked = asyncio.Event()\n"
        "    bus.subscribe('there', lambda p: (asked.set(), bus.publish('back', p)))\n"
        "    await bus.start()\n"
        # The other side may not listen yet.
        "    while not asked.is_set(): bus.publish('back', b'up'); await asyncio.sleep(0.2)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )

    async def scenario(url: str) -> None:
        bus = open_bus(url)
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        bus.subscribe("back", answers.put_nowait)
        async with started(bus):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", echo, url, env={**os.environ, "PYTHONPATH": str(SOURCE)}
            )
            try:
                assert await asyncio.wait_for(answers.get(), 40) == b"up"
                times = []
                for _ in range(200):
                    begun = time.perf_counter()
                    bus.publish("there", b"id")
                    while await asyncio.wait_for(answers.get(), 20) == b"up":
                        pass
                    times.append(time.perf_counter() - begun)
            finally:
                process.kill()
                await process.wait()
        # There and back, so half of it. A bus that waits for a poll somewhere takes far longer than this.
        assert sorted(times)[100] / 2 < 0.1

    with address_of(kind, tmp_path) as url:
        run(scenario(url))


def test_bus_without_hub_says_why_starts_and_finds_it_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "bus.sock"

    async def scenario() -> None:
        one, two = HubBus(str(path)), HubBus(str(path))
        got: list[bytes] = []
        gaps: list[int] = []
        begun = time.monotonic()
        async with started(one):
            assert 0.9 < time.monotonic() - begun < 10
            one.publish("t", b"lost")
            one.on_gap(lambda: gaps.append(1))
            one.subscribe("t", got.append)
            with hub_at(path):
                await eventually(one.connected.is_set)
                async with started(two):
                    two.publish("t", b"found")
                    await eventually(lambda: got == [b"found"])
        # What was missed before the first connection is a gap for whoever read something meanwhile.
        assert gaps == [1]

    run(scenario())
    assert "No such file or directory" in caplog.text


def test_lost_hub_is_found_again_and_the_gap_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"

    async def scenario() -> None:
        one, two = HubBus(str(path)), HubBus(str(path))
        got: list[bytes] = []
        gaps: list[int] = []
        two.subscribe("t", got.append)
        two.on_gap(lambda: gaps.append(1))
        first = Hubs(str(path))
        async with started(one, two):
            await asyncio.to_thread(first.close)
            await eventually(lambda: not two.connected.is_set())
            one.publish("t", b"lost")
            with hub_at(path):
                await eventually(lambda: one.connected.is_set() and two.connected.is_set())
                await asyncio.sleep(0.1)
                assert gaps == [1]
                one.publish("t", b"found")
                await eventually(lambda: got)
        assert got == [b"found"]

    run(scenario())


def test_lost_redis_is_found_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        with redis_server(tmp_path) as url:
            one, two = open_bus(url), open_bus(url)
            gaps: list[int] = []
            got: list[bytes] = []
            two.on_gap(lambda: gaps.append(1))
            two.subscribe("t", got.append)
            async with started(one, two):
                port = url.split(":")[2].split("/")[0]
                killer = await asyncio.create_subprocess_exec(COMMAND, "-p", port, "client", "kill", "type", "pubsub")
                assert await killer.wait() == 0
                await eventually(lambda: gaps)
                assert isinstance(one, RedisBus)
                await eventually(one.connected.is_set)
                one.publish("t", b"found")
                await eventually(lambda: got == [b"found"])

    if COMMAND is None:
        miss("there is neither redis-cli nor valkey-cli")
    run(scenario())


def test_hub_drops_a_client_that_does_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    with hub_at(path) as hub, socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as sender:
        slow.connect(str(path))
        slow.sendall(pack(SUBSCRIBE, b"t"))
        sender.connect(str(path))
        time.sleep(0.1)
        frame = pack(MESSAGE, b"t", b"x" * MAX_PAYLOAD)
        for _ in range(2 * MAX_QUEUED // MAX_PAYLOAD):
            sender.sendall(frame)
        deadline = time.monotonic() + 3
        while len(hub.hub.clients) != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert hub.hub.subscribers == {}


@pytest.mark.parametrize(
    "junk", [HEAD.pack(MAX_FRAME + 1, MESSAGE, 1), HEAD.pack(3, MESSAGE, 9), b"GET / HTTP/1.1\r\n"]
)
def test_hub_drops_a_client_that_speaks_otherwise(junk: bytes, tmp_path: Path) -> None:
    with hub_at(tmp_path / "bus.sock"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "bus.sock"))
        client.sendall(junk)
        client.settimeout(3)
        assert client.recv(1) == b""


def test_frames_may_arrive_in_any_pieces() -> None:
    frames = [pack(MESSAGE, b"topic", b"payload"), pack(SUBSCRIBE, b"t"), pack(MESSAGE, b"", b"")]
    buffer = bytearray()
    found = []
    for byte in b"".join(frames):
        buffer.append(byte)
        found += list(unpack(buffer))
    assert [frame for _, _, frame in found] == frames
    assert [topic for _, topic, _ in found] == [b"topic", b"t", b""]
    assert buffer == b""


def test_second_hub_on_the_same_path_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "bus.sock")
    with hub_at(tmp_path / "bus.sock"), pytest.raises(FileExistsError, match="another process"):
        bind_unix(path)
    # The file of a dead process is in nobody's way.
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    bind_unix(path).close()
