"""What an upgrade sees of the server while it works, against servers that are well, ill and old."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests
from probe_world import LoggingProxy, Probe, database_of, probing, until

from phiomia.cli.upgrade_prober import RsaSigning
from phiomia.upgrade.database import connect
from phiomia.upgrade.probe import judge, stop_probe, sum_up
from phiomia.upgrade.prober.enrolment import TABLE, Identity, enrol, look_up, make_identity, strike_off
from postgresql import find_free_port
from server import RunningServer

pytestmark = pytest.mark.timeout(150)
TRIAL = "/api/phiomia/v1/upgrade_probe"


def test_it_does_what_people_apps_and_servers_do(phiomia: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "x.probe"
    with probing(phiomia, path) as probe:
        until(lambda: probe.counted("event") >= 2 and probe.counted("jobs") >= 2, "events come")
    summary = sum_up(path, [])
    assert summary["failures"] == 0, summary["reasons"]
    assert set(summary["targets"]) == {"ready", "page", "signed in", "write", "inbox", "stream"}
    assert summary["requests"] == sum(one["requests"] for one in summary["targets"].values())
    stream = summary["stream"]
    assert (stream["opened"], stream["drops"], stream["lost"], stream["doubled"]) == (1, 0, 0, 0)
    assert stream["events"] >= 2
    work = summary["work"]
    assert work["writes"] == work["written"] == summary["targets"]["write"]["requests"]
    assert work["letters"] == work["taken"] == summary["targets"]["inbox"]["requests"]
    assert work["lost"] == 0 and judge(summary) == "" and summary["absent"] == {}
    with connect(database_of(phiomia)) as connection:
        assert connection.rows(f"SELECT count(*) FROM {TABLE}") == [(0,)]


def test_it_agrees_with_an_independent_log(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "server")
    proxy = LoggingProxy(lambda: server.port, delay_s=0.2, spoil=4)
    server.settings["PHIOMIA_PUBLIC_URL"] = proxy.url
    path = tmp_path / "x.probe"
    try:
        with server:
            with probing(server, path, proxy.url) as probe:
                until(lambda: probe.counted("event") >= 3 and len(probe.samples.requests) >= 40, "much is asked")
            until(lambda: any(one.status == 101 for one in proxy.seen), "the proxy sees the stream end")
    finally:
        proxy.close()
    summary = sum_up(path, [])
    names = {"/about": "page", TRIAL: "write", "/inbox": "inbox", "/api/v1/streaming": "stream"}
    names["/api/v1/accounts/verify_credentials"] = "signed in"
    log = proxy.seen[1:]  # by the first it was found out that the address answers
    logged = Counter(names[one.path] for one in log)
    told = {name: one["requests"] for name, one in summary["targets"].items() if name != "ready"}
    assert all(abs(told[name] - logged[name]) <= 0.01 * logged[name] for name in names.values()), (told, logged)
    spoilt = sum(one.status == 502 for one in log)
    assert summary["failures"] == summary["targets"]["page"]["failures"] == spoilt >= 1
    assert summary["reasons"] == ["/about: status 502"]
    assert "requests failed: /about: status 502" in judge(summary)
    for target, name in names.items():
        waits = sorted(one.ms for one in log if one.path == target and one.status != 101)
        if waits:
            seen, middle = summary["targets"][name]["before"]["p50"], waits[len(waits) // 2]
            print(f"{name}: {told[name]} requests, p50 {seen} ms; the proxy {logged[name]}, {middle:.1f} ms")
            # What the proxy does not see is how long it takes to reach it; what it does after its answer, nobody else.
            assert middle * 0.75 - 50 <= seen <= middle * 1.25 + 50


def test_a_stream_that_breaks_off_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.probe"
    with RunningServer(tmp_path / "server") as server, probing(server, path) as probe:
        until(lambda: probe.counted("event") >= 1, "an event comes")
        for pid in server.pids("streaming"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: probe.counted("opened") == 2 and probe.counted("event") >= 3, "it comes back")
    stream = sum_up(path, [])["stream"]
    assert stream["opened"] == 2 and stream["drops"] == 1 and stream["doubled"] == 0
    assert stream["reasons"] and stream["events"] >= 3


class _Old(BaseHTTPRequestHandler):
    """How a release answers that knows nothing of this."""

    statuses: ClassVar = {
        "/health/ready": 200,
        "/about": 200,
        "/api/v1/accounts/verify_credentials": 401,
        TRIAL: 404,
        "/inbox": 403,
        "/api/v1/streaming": 401,
    }

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(self.statuses[self.path.partition("?")[0]])
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_what_an_older_release_does_not_know_is_no_failure(migrated_database_url: str, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Old)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bind, path = f"127.0.0.1:{server.server_port}", tmp_path / "x.probe"
    probe = Probe(path, bind, "", bind, migrated_database_url)
    try:
        until(
            lambda: {note["target"] for note in probe.samples.of_kind("absent")} >= {"write", "inbox", "stream"}, "it"
        )
    finally:
        stop_probe(path)
        server.shutdown()
    summary = sum_up(path, [])
    assert summary["failures"] == 0 and set(summary["targets"]) <= {"ready", "page", "signed in"}
    assert set(summary["absent"]) == {"write", "inbox", "stream"}
    assert summary["stream"] == {} and judge(summary) == ""


def test_a_server_that_is_not_there_fails(migrated_database_url: str, tmp_path: Path) -> None:
    bind, path = f"127.0.0.1:{find_free_port()}", tmp_path / "x.probe"
    probe = Probe(path, bind, "", bind, migrated_database_url)
    try:
        until(lambda: len({one.target for one in probe.samples.requests}) == 5 and probe.counted("absent") > 0, "all")
    finally:
        stop_probe(path)
    summary = sum_up(path, [])
    assert summary["failures"] == summary["requests"] and "refused" in judge(summary)
    # There has never been one, so none was lost.
    assert "stream" in summary["absent"]


@pytest.fixture
def somebody(phiomia: RunningServer) -> Iterator[Identity]:
    """Somebody whom the server knows as the prober."""
    identity = make_identity(RsaSigning().make_keys)
    with connect(database_of(phiomia)) as connection:
        assert enrol(connection, identity)
        yield identity
        strike_off(connection, identity)


def test_nobody_else_can_be_the_prober(phiomia: RunningServer, somebody: Identity) -> None:
    def attempt(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return requests.post(f"{phiomia.url}{TRIAL}", json={"n": 1}, headers=headers, timeout=30).status_code

    def listen(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        with requests.get(f"{phiomia.url}/api/v1/streaming/user", headers=headers, timeout=30, stream=True) as answer:
            return answer.status_code

    hashed = sha256(somebody.secret.encode()).hexdigest()
    assert attempt(somebody.secret) == 200
    assert [attempt(wrong) for wrong in ("", "upgrade-probe-", f"{somebody.secret}x", hashed)] == [404] * 4
    assert listen(somebody.secret) == 200
    assert listen(f"{somebody.secret}x") == 401
    home = requests.get(
        f"{phiomia.url}/api/v1/timelines/home", headers={"Authorization": f"Bearer {somebody.secret}"}, timeout=30
    )
    assert home.status_code == 401
    with connect(database_of(phiomia)) as connection:
        assert look_up(connection, somebody).writes == 1
        connection.rows(f"UPDATE {TABLE} SET expires_at = ?", int(time.time() * 1000) - 1)
    assert attempt(somebody.secret) == 404
    assert listen(somebody.secret) == 401


def test_letters_count_only_when_the_prober_signed_them(phiomia: RunningServer, somebody: Identity) -> None:
    signing = RsaSigning()

    def send(identity: Identity, private_key: str, name: str = "") -> requests.Response:
        actor = f"{phiomia.url}/upgrade-probe/{name or identity.id}"
        body = json.dumps({"type": "Create", "actor": actor, "id": f"{actor}/1"}).encode()
        url = f"{phiomia.url}/inbox"
        headers = signing.sign(url, f"{actor}#main-key", private_key, body)
        headers["Content-Type"] = "application/activity+json"
        return requests.post(url, data=body, headers=headers, timeout=30)

    stranger = make_identity(signing.make_keys)
    assert send(somebody, stranger.private_key).status_code == 401
    assert send(stranger, stranger.private_key).status_code == 403
    assert send(somebody, somebody.private_key, "nobody").status_code == 403
    first = send(somebody, somebody.private_key)
    assert first.status_code == 202, first.text
    request = first.request
    again = requests.post(str(request.url), data=request.body, headers=dict(request.headers), timeout=30)
    assert again.status_code == 202
    with connect(database_of(phiomia)) as connection:
        until(lambda: look_up(connection, somebody).taken == 1, "a worker takes it")
        assert look_up(connection, somebody).letters == 1
        connection.rows(f"UPDATE {TABLE} SET expires_at = 1")
    assert send(somebody, somebody.private_key).status_code == 403


# What follows from what was seen


def write_samples(path: Path, *lines: object) -> Path:
    """A file with these lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def note(at: float, kind: str, **more: object) -> dict[str, object]:
    """A line that is no request."""
    return {"at": at, "kind": kind, **more}


JOURNAL = [
    {"at": 100.0, "kind": "started", "step": "switch"},
    {"at": 110.0, "kind": "done", "step": "restart-web"},
    {"at": 120.0, "kind": "done", "step": "cleanup"},
]


def test_before_during_and_after(tmp_path: Path) -> None:
    path = write_samples(
        tmp_path / "x.probe",
        note(80, "began", format=2),
        [90.0, "page", 10.0, ""],
        [99.9, "page", 500.0, ""],
        [105.0, "page", 20.0, "/about: status 502"],
        [115.0, "ready", 30.0, ""],
        note(90, "jobs", age_s=1.0),
        note(105, "jobs", age_s=7.0),
        note(106, "jobs", age_s=3.0),
        note(115, "jobs", age_s=0.0),
        note(116, "something new", what=1),
    )
    with path.open("a") as file:
        file.write('[117.0, "page", 1')
    summary = sum_up(path, JOURNAL)
    assert [summary[when]["requests"] for when in ("before", "during", "after")] == [1, 2, 1]
    assert summary["targets"]["page"]["during"] == {"requests": 2, "p50": 500.0, "p95": 500.0, "max": 500.0}
    assert (summary["requests"], summary["failures"]) == (4, 1)
    assert summary["job_age_s"] == {"before": 1.0, "during": 7.0, "after": 0.0}


def test_what_was_lost_and_what_came_twice(tmp_path: Path) -> None:
    sent = [note(90 + n, "sent", n=n) for n in range(1, 5)]
    path = write_samples(
        tmp_path / "x.probe",
        note(80, "began", format=2),
        note(81, "opened"),
        *sent,
        *(note(95, "event", n=n, ms=5.0) for n in (1, 2, 2)),
        *([90.0, target, 1.0, ""] for target in ("write", "write", "write", "inbox", "inbox", "inbox")),
        note(96, "dropped", why="the server hung up"),
        note(97, "limited", target="write"),
        note(97, "arrived", writes=2, letters=3, taken=1, waiting=1),
        note(98, "ended"),
    )
    summary = sum_up(path, JOURNAL)
    stream = summary["stream"]
    assert (stream["drops"], stream["events"], stream["lost"], stream["doubled"]) == (1, 4, 2, 1)
    # Of each one, and one more letter waits for a worker.
    assert summary["work"]["lost"] == 2 and summary["limited"] == {"write": 1}
    assert judge(summary) == "2 of what was accepted is not there"


def test_what_was_on_its_way_when_the_prober_was_killed_is_not_lost(tmp_path: Path) -> None:
    path = write_samples(
        tmp_path / "x.probe",
        note(80, "began", format=2),
        note(81, "opened"),
        note(82, "sent", n=1),
        note(90, "sent", n=2),
        note(100, "sent", n=3),
        note(100, "event", n=2, ms=1.0),
        note(110, "began", format=2),  # another process, which begins to count anew
        note(111, "opened"),
        note(112, "sent", n=1),
        note(112, "event", n=1, ms=1.0),
        note(113, "ended"),
    )
    stream = sum_up(path, JOURNAL)["stream"]
    assert (stream["events"], stream["lost"], stream["doubled"]) == (3, 1, 0)


def test_a_file_of_the_format_before(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "x.probe", [90.0, "page", 10.0, ""], [115.0, "page", 10.0, ""])
    summary = sum_up(path, JOURNAL)
    assert summary["requests"] == 2 and summary["stream"] == {} and summary["work"] == {}
    assert sum_up(tmp_path / "none", [])["requests"] == 0
