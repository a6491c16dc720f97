"""What stands around the server fails: its database is locked, full or away, its clients are slow or hostile.

Each time those who ask get an answer that says when to try again, nothing is half done, and once the fault is over the
server goes on by itself.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import apsw
import pytest
import requests

from postgresql import find_free_port
from server import PATIENCE, Member, RunningServer

BUSY_SECONDS = 0.5
SOON = 10.0
TOO_LARGE_TO_FIT = 8 * 1024 * 1024
PICTURE = Path(__file__).parent.parent.parent / "src/phiomia/web/static/avatar.png"


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of its own, whose writes do not wait long for a lock."""
    settings = {"PHIOMIA_DATABASE_BUSY_SECONDS": str(BUSY_SECONDS)}
    with RunningServer(tmp_path_factory.mktemp("faults"), settings=settings) as server:
        yield server


def post(server: RunningServer, member: Member, text: str) -> requests.Response:
    return requests.post(
        f"{server.url}/api/v1/statuses", json={"status": text}, headers=member.headers, timeout=PATIENCE
    )


def get(server: RunningServer, path: str, member: Member | None = None) -> requests.Response:
    return requests.get(f"{server.url}{path}", headers=member.headers if member else {}, timeout=PATIENCE)


def upload(server: RunningServer, member: Member, content: bytes) -> requests.Response:
    files = {"file": ("picture.png", content, "image/png")}
    return requests.post(f"{server.url}/api/v2/media", files=files, headers=member.headers, timeout=PATIENCE)


def assert_asks_to_return(answer: requests.Response) -> None:
    assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]
    assert "sqlite" not in answer.text.lower(), "what the database said is nobody's business"


def texts_of(server: RunningServer, member: Member) -> list[str]:
    """What somebody has posted, the newest first."""
    found: list[str] = []
    address = f"{server.url}/api/v1/accounts/{member.id}/statuses?limit=40"
    while address:
        page = requests.get(address, headers=member.headers, timeout=PATIENCE)
        assert page.ok, page.text
        found += [one["content"].removeprefix("<p>").removesuffix("</p>") for one in page.json()]
        address = page.links.get("next", {}).get("url", "")
    return found


def open_file(server: RunningServer) -> apsw.Connection:
    return apsw.Connection(str(server.data / "phiomia.sqlite3"))


def time_get(server: RunningServer, path: str, who: Member) -> float:
    """How long an answer takes, in seconds."""
    begun = time.monotonic()
    assert get(server, path, who).ok
    return time.monotonic() - begun


def test_writes_are_refused_while_sqlite_is_locked(on_sqlite: RunningServer) -> None:
    alice = on_sqlite.sign_up("alice")
    assert post(on_sqlite, alice, "Before").ok
    outside = open_file(on_sqlite)
    outside.execute("BEGIN IMMEDIATE")
    try:
        begun = time.monotonic()
        assert_asks_to_return(post(on_sqlite, alice, "During"))
        assert BUSY_SECONDS * 0.9 <= time.monotonic() - begun < SOON
        for path in ("/api/v1/timelines/home", f"/api/v1/accounts/{alice.id}/statuses", "/health/ready"):
            assert min(time_get(on_sqlite, path, alice) for _ in range(3)) < BUSY_SECONDS, "reading does not wait"
        assert_asks_to_return(upload(on_sqlite, alice, PICTURE.read_bytes()))
    finally:
        outside.execute("ROLLBACK")
        outside.close()
    assert post(on_sqlite, alice, "After").ok
    assert texts_of(on_sqlite, alice) == ["After", "Before"]
    assert_no_uploads(on_sqlite)
    on_sqlite.check_log()


@contextmanager
def full_disk(server: RunningServer, size: int) -> Iterator[None]:
    """No file of the web processes may grow beyond a size."""
    pids = server.pids("web")
    assert pids
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def assert_no_uploads(server: RunningServer) -> None:
    left = [path for path in (server.data / "tmp").rglob("*") if path.is_file()]
    assert not left


def test_nothing_is_half_written_when_the_disk_is_full(on_sqlite: RunningServer) -> None:
    alice = on_sqlite.sign_up("alice")
    assert post(on_sqlite, alice, "Before").ok
    written = ["Before"]
    log = on_sqlite.data / "phiomia.sqlite3-wal"
    with full_disk(on_sqlite, log.stat().st_size):
        refused = 0
        for number in range(1_000):  # what the log has room for is accepted
            answer = post(on_sqlite, alice, f"Number {number} " + "x" * 400)
            if answer.ok:
                written.append(f"Number {number} " + "x" * 400)
                continue
            assert_asks_to_return(answer)
            refused += 1
            if refused == 3:
                break
        assert refused == 3
        assert texts_of(on_sqlite, alice) == written[::-1]
        assert_asks_to_return(upload(on_sqlite, alice, PICTURE.read_bytes() + bytes(TOO_LARGE_TO_FIT)))
        assert_no_uploads(on_sqlite)
    assert post(on_sqlite, alice, "After").ok
    assert texts_of(on_sqlite, alice) == ["After", *written[::-1]]
    assert upload(on_sqlite, alice, PICTURE.read_bytes()).ok
    with open_file(on_sqlite) as outside:
        assert outside.pragma("integrity_check") == "ok"
        counted = outside.execute("SELECT statuses_count FROM accounts WHERE id=?", (int(alice.id),)).fetchone()
        assert counted == (len(written) + 1,)
    on_sqlite.check_log()


class Proxy:
    """Stands between the server and PostgreSQL, and can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self.port = find_free_port()
        self._target = (host, port)
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.restore()

    def restore(self) -> None:
        """Lets connections through."""
        self._run(self._listen())

    def cut(self) -> None:
        """Ends every connection and accepts none."""
        self._run(self._cut())

    def close(self) -> None:
        """Ends the proxy."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SOON)
        self._loop.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SOON)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            pair = {writer, there_writer}
            self._writers |= pair
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
            self._writers -= pair


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


class Listener:
    """Reads somebody's event stream, over one connection."""

    def __init__(self, server: RunningServer, member: Member) -> None:
        self.payloads: list[str] = []
        self.ended = False
        self._answer = requests.get(
            f"{server.url}/api/v1/streaming/user", headers=member.headers, stream=True, timeout=PATIENCE * 2
        )
        assert self._answer.ok
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def heard(self, text: str) -> bool:
        """Whether an event with this text has come."""
        assert not self.ended, "the stream ended"
        return any(text in payload for payload in self.payloads)

    def close(self) -> None:
        """Hangs up."""
        with suppress(OSError, AttributeError):
            self._answer.raw.connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(SOON)

    def _read(self) -> None:
        with suppress(requests.RequestException, AttributeError, ValueError):
            for line in self._answer.iter_lines(chunk_size=1):
                self.payloads.append(line.decode())
        self.ended = True


@pytest.mark.postgresql
def test_the_server_outlives_its_postgresql(databases: Any, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = urlsplit(databases.create("postgresql", tmp_path, stack))
        assert url.hostname and url.port
        proxy = Proxy(url.hostname, url.port)
        stack.callback(proxy.close)
        here = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}"))
        server = stack.enter_context(RunningServer(tmp_path / "server", urlunsplit(here)))
        alice = server.sign_up("alice")
        listener = Listener(server, alice)
        stack.callback(listener.close)
        assert post(server, alice, "Before").ok
        server.until(lambda: listener.heard("Before"), "the stream delivers")
        worker = server.pids("worker")[0]
        os.kill(worker, signal.SIGSTOP)  # so that the picture waits until the database is away
        try:
            sent = upload(server, alice, PICTURE.read_bytes())
            assert sent.status_code == 202, sent.text
            proxy.cut()
        finally:
            os.kill(worker, signal.SIGCONT)

        assert_is_away(server, alice)
        proxy.restore()
        assert_is_back(server, alice, sent.json()["id"])
        server.until(lambda: listener.heard("After"), "the stream goes on")
        assert not listener.heard("During")
        assert server.pids("worker") == [worker], "nobody had to be replaced"
        server.check_log()


def assert_is_away(server: RunningServer, alice: Member) -> None:
    for _ in range(3):
        begun = time.monotonic()
        assert_asks_to_return(post(server, alice, "During"))
        assert_asks_to_return(get(server, "/api/v1/timelines/home", alice))
        assert_asks_to_return(get(server, "/api/v1/timelines/home", Member("x", "x", "unknown token", "0")))
        for path in ("/health/ready", "/", f"/@{alice.username}"):
            answer = get(server, path)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert get(server, "/health").status_code == 200
        assert time.monotonic() - begun < SOON
    newcomer = get(server, "/api/v1/streaming/user", Member("x", "x", "unknown token", "0"))
    assert newcomer.status_code == 503


def assert_is_back(server: RunningServer, alice: Member, media_id: str) -> None:
    def is_ready() -> bool:
        return get(server, "/health/ready").ok

    server.until(is_ready, "the server finds its database again", SOON)
    answer = post(server, alice, "After")
    assert answer.ok, answer.text
    assert texts_of(server, alice) == ["After", "Before"]
    processed = lambda: get(server, f"/api/v1/media/{media_id}", alice).status_code == 200  # noqa: E731
    server.until(processed, "the worker goes on", SOON)


HOSTILE_BODIES: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("application/json", b'{"status": "x", "y": "' + b"x" * (10 << 20) + b'"}', (413,)),
    ("application/x-www-form-urlencoded", b"status=" + b"x" * (10 << 20), (413,)),
    ("application/json", b'{"status": ', (400,)),
    ("application/json", b"", (422,)),
    ("application/json", b'"status"', (400,)),
    ("application/json", b'{"status": "\xff\xfe"}', (400,)),
    ("application/json", b'{"status": "\\ud800"}', (400, 422)),
    ("application/json", b'{"status": "a\\u0000b"}', (400, 422)),
    ("application/json", b'{"status": {"a": [1]}, "media_ids": {"a": 1}, "poll": [[]]}', (422,)),
    ("application/json", b'{"status": "x", "in_reply_to_id": 99999999999999999999999999}', (422,)),
    ("application/json", b'{"status": "x", "language": "\\u0000"}', (422,)),
    ("application/json", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", (400, 422)),
    ("application/json", b'{"x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}", (400, 422)),
    ("application/json", b'{"poll' + b"[x]" * 10_000 + b'": 1}', (400,)),
    ("application/x-www-form-urlencoded", b"status=%ff%fe", (400,)),
    ("application/x-www-form-urlencoded", b"status=\xff\xfe", (400,)),
    ("application/x-www-form-urlencoded", b"status=%00", (422,)),
    ("application/x-www-form-urlencoded", b"poll" + b"[x]" * 10_000 + b"=1", (400,)),
    ("application/x-www-form-urlencoded", b"a[b]=1&a=2&a[]=3", (400,)),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(5_000)), (400,)),
    ("application/x-www-form-urlencoded", b"media_ids[]=1&" * 900, (422,)),
    ("multipart/form-data", b"status=x", (400,)),
    ("multipart/form-data; boundary=x", b"--x\r\nnonsense", (400,)),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="status"\r\n\r\nx', (400,)),
    ("multipart/form-data; boundary=x", b"--x--\r\n", (422,)),
    ("application/xml", b"<status/>", (415,)),
    ("\u00e9/\u00e9; charset=nonsense", b"x", (415, 400)),
]


def test_hostile_requests_are_refused_in_peace(on_sqlite: RunningServer) -> None:
    alice = on_sqlite.sign_up("alice")
    assert post(on_sqlite, alice, "Hello").ok
    slow = [
        Trickle(on_sqlite, alice, "application/json", b'{"status": "' + b"x" * 1_000),
        Trickle(on_sqlite, alice, "multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name"),
        Trickle(on_sqlite, alice, "application/x-www-form-urlencoded", b"status=" + b"x" * 1_000),
    ]
    for kind, body, expected in HOSTILE_BODIES:
        answer = requests.post(
            f"{on_sqlite.url}/api/v1/statuses",
            data=body,
            headers=alice.headers | {"Content-Type": kind.encode("latin-1")},
            timeout=PATIENCE,
        )
        assert answer.status_code in expected, f"{kind} {body[:60]!r}: {answer.status_code} {answer.text[:300]}"
        assert answer.json()["error"]
    for path in hostile_paths():
        answer = get(on_sqlite, path, alice)
        assert answer.status_code in (200, 400, 404, 414, 422, 431), f"{path[:80]}: {answer.status_code}"
    for head in hostile_heads(alice):
        status = speak(on_sqlite, head)
        assert 400 <= status < 500, f"{head[:80]!r}: {status}"
    cut_off(on_sqlite, alice)
    for trickle in slow:
        assert trickle.wait() in (0, 408)
    assert texts_of(on_sqlite, alice) == ["Hello"]
    on_sqlite.check_log()


def hostile_paths() -> Iterator[str]:
    nul = "%00"
    for path in (
        "/api/v1/accounts/lookup?acct=",
        "/api/v2/search?q=",
        "/api/v1/timelines/home?max_id=",
        "/@",
        "/tags/",
    ):
        yield from (path + nul, path + "%ff", path + "%ed%a0%80", path + "9" * 5_000, path + "[" * 1_000)
    for place in (
        "accounts",
        "statuses",
        "media",
        "lists",
        "polls",
        "notifications",
        "timelines/tag",
        "timelines/list",
    ):
        yield from (f"/api/v1/{place}/{text}" for text in (nul, "%ff", "9" * 30, "-1", "%C2%B2", "..%2f..", "1%0d%0a"))
    yield "/api/v1/timelines/home?" + "&".join(f"a{number}=1" for number in range(3_000))
    yield "/api/v1/timelines/home?limit" + "[x]" * 2_000 + "=1"
    yield f"/oauth/authorize?client_id={nul}&redirect_uri=x&response_type=code"
    yield f"/media/{nul}"
    yield "/media/../../phiomia.sqlite3"
    yield "/media/%2e%2e/%2e%2e/phiomia.sqlite3"


def hostile_heads(alice: Member) -> Iterator[bytes]:
    bearer = f"Authorization: Bearer {alice.token}\r\n".encode()
    first = b"GET /api/v1/timelines/home HTTP/1.1\r\nHost: x\r\n" + bearer
    yield first + b"X-Large: " + b"x" * 200_000 + b"\r\n\r\n"
    yield first + b"".join(b"X-%d: x\r\n" % number for number in range(20_000)) + b"\r\n"
    yield first + b"X-Nul: a\0b\r\n\r\n"
    yield b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"GET / HTTP/9.9\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield b"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\n" + bearer + b"Content-Length: -1\r\n\r\n"
    yield b"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\n" + bearer + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"
    yield b"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\n" + bearer + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    yield b"GET /api/v1/timelines/home HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"


def speak(server: RunningServer, data: bytes) -> int:
    """Sends bytes; gives the status of the answer, 400 for a connection that was closed without one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SOON) as connection:
        answer = b""
        with suppress(ConnectionError):
            connection.sendall(data)
        with suppress(ConnectionError):
            while b"\r\n" not in answer and (more := connection.recv(4096)):
                answer += more
    return int(answer.split(b" ")[1]) if answer else 400


def cut_off(server: RunningServer, alice: Member) -> None:
    """Clients that hang up in the middle of a body have said nothing."""
    head = f"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    for rest in (
        "Content-Length: 100\r\n\r\nstatus=Half of a",
        "Transfer-Encoding: chunked\r\n\r\n10\r\nstatus=Half of a\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=SOON) as connection:
            connection.sendall((head + form + rest).encode())
            time.sleep(0.2)


class Trickle:
    """A client that sends a byte now and then and never comes to an end."""

    def __init__(self, server: RunningServer, member: Member, kind: str, body: bytes) -> None:
        head = (
            f"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {member.token}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: 1000000\r\n\r\n"
        )
        self._connection = socket.create_connection(("127.0.0.1", server.port), timeout=SOON)
        self._connection.sendall(head.encode())
        self._body = body
        self._answer = b""
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def wait(self) -> int:
        """The status of the answer, 0 when the connection was closed without one."""
        self._thread.join(90)
        assert not self._thread.is_alive(), "a slow client holds on"
        return int(self._answer.split(b" ")[1]) if self._answer else 0

    def _send(self) -> None:
        self._connection.settimeout(0.2)
        with self._connection, suppress(ConnectionError):
            for at in range(len(self._body)):
                self._connection.sendall(self._body[at : at + 1])
                with suppress(TimeoutError):
                    if not (answer := self._connection.recv(4096)):
                        return
                    self._answer += answer
