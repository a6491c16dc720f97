"""Streams of a real server outlive the processes that serve them."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from bench.proxy import find_nginx, run_nginx

from bench import proxy
from phiomia.platform import control
from server import PATIENCE, Member, RunningServer

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
WITH_UPGRADES = (
    'proxy_set_header Connection "";',
    'proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade;',
)


class Listening:
    """A stream whose ids of statuses come into a queue; None when it ends."""

    def __init__(self, port: int, member: Member, path: str, more: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        token = member.headers["Authorization"]
        head = f"GET /api/v1/streaming{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n{more}\r\n"
        self.socket.sendall(head.encode())
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline()
        while self.file.readline() not in (b"\r\n", b""):
            pass
        self.socket.settimeout(None)
        self.heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        read = self._read_frames if more else self._read_lines
        self.thread = threading.Thread(target=self._run, args=(read,), daemon=True)
        self.thread.start()

    def _run(self, read: Callable[[], Iterator[str]]) -> None:
        try:
            for id_ in read():
                self.heard.put(id_)
        except OSError:
            pass
        self.heard.put(None)

    def _read_frames(self) -> Iterator[str]:
        while head := self.file.read(2):
            size = head[1]
            if size > 125:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            body = self.file.read(size)
            if head[0] == 0x89:
                self.socket.sendall(b"\x8a\x80" + bytes(4))
                continue
            assert head[0] == 0x81, head
            message = json.loads(body)
            if message["event"] == "update":
                yield json.loads(message["payload"])["id"]

    def _read_lines(self) -> Iterator[str]:
        for line in self.file:
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))["id"]

    def expect(self, ids: list[str]) -> None:
        """These come next, in this order."""
        assert [self.heard.get(timeout=PATIENCE) for _ in ids] == ids

    def close(self) -> None:
        """Ends it; nothing else had come."""
        assert self.heard.empty()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@contextmanager
def posting(server: RunningServer, member: Member) -> Iterator[list[str]]:
    """Posts until the block ends; gives the ids."""
    ended = threading.Event()
    ids: list[str] = []

    def post() -> None:
        with requests.Session() as session:
            while not ended.is_set():
                answer = session.post(
                    f"{server.url}/api/v1/statuses", {"status": "news"}, headers=member.headers, timeout=PATIENCE
                )
                assert answer.ok, answer.text
                ids.append(answer.json()["id"])
                ended.wait(0.1)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield ids
    finally:
        ended.set()
        thread.join()


@pytest.mark.timeout(240)
def test_streams_outlive_their_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    with (
        RunningServer(tmp_path, settings={"PHIOMIA_CONFIG": str(config)}) as server,
        socket.create_server(("127.0.0.1", 0)) as occupied,
        ExitStack() as stack,
    ):
        alice = server.sign_up("alice")
        heard = [
            Listening(server.port, alice, "?stream=user", UPGRADE),
            Listening(server.port, alice, "?stream=public:local", UPGRADE),
            Listening(server.port, alice, "/user"),
        ]
        assert [one.status.split()[1] for one in heard] == [b"101", b"101", b"200"]
        if find_nginx():
            monkeypatch.setattr(proxy, "CONFIGURATION", proxy.CONFIGURATION.replace(*WITH_UPGRADES))
            _, port = stack.enter_context(run_nginx(tmp_path / "nginx", server.port))
            heard += [Listening(port, alice, "?stream=user", UPGRADE), Listening(port, alice, "/user")]
            assert [one.status.split()[1] for one in heard[3:]] == [b"101", b"200"]
        pids = [server.pids("streaming")]
        run = server.data / "run"
        with posting(server, alice) as ids:
            for change in (control.reload, control.restart):
                assert change(run, ["streaming"]) == (True, "")
                pids.append(server.pids("streaming"))
            # A release whose streaming does not start leaves the streams where they are.
            config.write_text(f'[processes]\nstreaming_health_bind = "127.0.0.1:{occupied.getsockname()[1]}"\n')
            for change in (control.reload, control.restart):
                ok, reason = change(run, ["streaming"])
                assert not ok
                assert "streaming exited" in reason
            assert server.pids("streaming") == pids[-1]
            config.write_text("")
            assert control.reload(run) == (True, "")
            pids.append(server.pids("streaming"))
            server.until(lambda: len(server.status["children"]) == len(server.status["roles"]) + 1, "the old ones end")
        assert len({pid for (pid,) in pids}) == 4
        assert len(ids) > 10
        for one in heard:
            one.expect(ids)
            one.close()
