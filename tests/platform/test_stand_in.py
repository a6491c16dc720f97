"""What people are told while nobody can answer them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from supervised import make_release, serving, supervised, switch

from phiomia.platform import control, maintenance
from phiomia.platform.downtime import FILE, OVERTIME_S, SOON_S, read_notice, remove_notice, write_notice
from phiomia.platform.maintenance import Notice, answer, serve, wants_page
from phiomia.platform.spawn import FOREVER, Process
from phiomia.platform.stand_in import StandIn
from phiomia.platform.topology import Child, Settings

pytestmark = pytest.mark.timeout(120)
STAND_IN = "stand-in-web"


def test_they_are_told_when_it_was_announced(tmp_path: Path) -> None:
    notice = tmp_path / "run" / FILE
    with serving(tmp_path, reload_limit_s=8) as running:
        url = f"http://127.0.0.1:{running.port}"
        write_notice(notice, "Tables are <rebuilt>.", time.time() + 100)
        assert requests.get(url, timeout=30).status_code == 200  # somebody serves
        switch(tmp_path, make_release(tmp_path, "never-ready"))
        restart = threading.Thread(target=control.restart, args=(tmp_path / "run", ["web"], 60))
        restart.start()
        running.until(lambda: running.pids(STAND_IN), 30)
        page = requests.get(url, headers={"Accept": "text/html"}, timeout=30)
        told = requests.post(f"{url}/api/v1/statuses", data=b"x" * 20_000_000, timeout=30)
        restart.join()
        # The new release never came up, so the one before serves again.
        running.until(lambda: requests.get(url, timeout=30).status_code == 200 and not running.pids(STAND_IN), 30)
    for one in (page, told):
        assert one.status_code == 503
        assert 60 < int(one.headers["Retry-After"]) <= 101
        assert one.headers["Cache-Control"] == "no-store"
    assert "Tables are &lt;rebuilt&gt;." in page.text and page.headers["Content-Type"].startswith("text/html")
    assert told.json() == {"error": "Tables are <rebuilt>."}
    assert "answering with 503 meanwhile" in running.output()


def test_a_restart_that_was_not_announced_is_waited_for(tmp_path: Path) -> None:
    with serving(tmp_path, reload_limit_s=3) as running:
        switch(tmp_path, make_release(tmp_path, "never-ready"))
        restart = threading.Thread(target=control.restart, args=(tmp_path / "run", ["web"], 60))
        restart.start()
        statuses = []
        while restart.is_alive():
            statuses.append(requests.get(f"http://127.0.0.1:{running.port}", timeout=60).status_code)
        restart.join()
        assert set(statuses) == {200}
        assert "answering with 503" not in running.output()


def test_nobody_stands_in_after_a_release_has_come_that_serves(tmp_path: Path) -> None:
    with serving(tmp_path, mark="crashes-soon") as running:
        url = f"http://127.0.0.1:{running.port}"
        write_notice(tmp_path / "run" / FILE, "Soon.", time.time() + 100)
        running.until(lambda: running.pids(STAND_IN), 60)
        switch(tmp_path, make_release(tmp_path, "two"))
        assert control.reload(tmp_path / "run", ["web"], 60) == (True, "")
        running.until(lambda: not running.pids(STAND_IN) and requests.get(url, timeout=30).status_code == 200, 60)
        assert {requests.get(url, timeout=30).status_code for _ in range(20)} == {200}


def test_they_are_told_at_the_first_start_too(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_notice(tmp_path / "run" / FILE, "Soon.", time.time() + 1)
    with supervised(tmp_path, mark="never-ready", ready_limit_s=30) as running:
        running.until(lambda: (tmp_path / "run" / "status.json").exists() and running.pids(STAND_IN), 30)
        asked = requests.head(f"http://127.0.0.1:{running.port}/users/somebody", timeout=30)
        assert asked.status_code == 503 and asked.headers["Retry-After"] == str(SOON_S)
        assert asked.content == b""


def test_who_is_ready_but_not_let_in_serves_nobody(tmp_path: Path) -> None:
    """The children of a new release begin before they may serve; when the old ones have gone, nobody answers."""
    waiting = Process("web", -1, -1, signal.SIGTERM, 0)
    waiting.state, waiting.held = "ready", True
    settings = Settings({}, (Child("web", (), listen="web"),), "")
    crew: Any = SimpleNamespace(settings=settings, slots=[], listeners={"web": []}, children=[waiting])
    stand_in = StandIn(crew, str(tmp_path), print)
    stand_in.look()
    assert stand_in.wakes_at < FOREVER
    waiting.admit()
    stand_in.look()
    assert stand_in.wakes_at == FOREVER


def test_who_comes_while_the_stand_in_leaves_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        listening.setblocking(False)

        def come() -> None:
            client.connect(listening.getsockname())
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)

        def ready(*_: object) -> None:
            # It has been told to leave, and will see who has come in the last turn of the loop in which it looks.
            os.kill(os.getpid(), signal.SIGTERM)
            asyncio.get_running_loop().call_soon(come)

        monkeypatch.setattr(maintenance.os, "write", ready)
        asyncio.run(serve([listening], tmp_path / FILE, 0))
        client.settimeout(30)
        assert client.recv(100).startswith(b"HTTP/1.1 503 ")


def test_what_an_upgrade_says_is_believed_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / FILE
    assert read_notice(path) is None
    write_notice(path, "Wait.", time.time() - OVERTIME_S / 2)
    assert read_notice(path) == Notice("Wait.", SOON_S)
    write_notice(path, "Wait.", time.time() - OVERTIME_S - 1)
    assert read_notice(path) is None
    path.write_text("{")
    assert read_notice(path) is None
    remove_notice(path)
    remove_notice(path)


@pytest.mark.parametrize(
    ("path", "accept", "page"),
    [
        ("/", "text/html,*/*", True),
        ("/@alice", "text/html", True),
        ("/@alice", "application/activity+json", False),
        ("/api/v1/instance", "text/html", False),
        ("/inbox", "", False),
    ],
)
def test_programs_get_json_and_people_a_page(path: str, accept: str, page: bool) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{f'Accept: {accept}' if accept else 'X: y'}\r\n\r\n".encode()
    assert wants_page(path, head) is page
    top, _, body = answer(head, Notice("Wait.", 12)).partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 12" in top
    assert page or json.loads(body) == {"error": "Wait."}
