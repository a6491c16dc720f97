"""Restarts of the streaming unit by a real systemd, while people listen: directly, through the web, through nginx.

The tests are one story of one server, in this order.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.proxy import CONFIGURATION, find_nginx
from lab import why_not
from lab_server import NAME, USER, LabServer, commands_of
from release_world import _BROKEN, ROOT, SERVED, Installation, Repository
from shelf import Shelf
from test_page import BEFORE, check_out, versions

pytestmark = pytest.mark.timeout(600)

UNIT = "phiomia-streaming"
LISTENERS = Path(__file__).with_name("listeners.py")
EACH = 10
PROXY = 3999


class Audience:
    """Listeners in the laboratory's network."""

    def __init__(self, server: LabServer, places: list[str]) -> None:
        command = ["nsenter", f"--target={server.lab.init}", "--net", "--", sys.executable, str(LISTENERS)]
        self.process = subprocess.Popen(
            [*command, NAME, server.token, *places],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._hear() == "ready"

    def ask(self, what: str) -> None:
        """Lets them do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()

    def gap(self) -> float:
        """The longest silence since it was asked last."""
        self.ask("gap")
        return float(self._hear())

    def ended(self) -> int:
        """How many streams have ended."""
        self.ask("ended")
        return int(self._hear())

    def end(self) -> dict[str, int]:
        """What they have heard."""
        said, complaints = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, complaints
        told: dict[str, int] = json.loads(said)
        return told

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return line


@pytest.fixture(scope="module")
def server(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """0.1.0 of made-up releases, of which the last can't start once it is told so."""
    if reason := why_not():
        pytest.skip(reason)
    repository = Repository.take(shelf, tmp_path_factory.mktemp("releases"))
    repository.check_out("0.1.2")
    repository._append("src/phiomia/app.py", _BROKEN)
    repository._release("0.1.3", restart=SERVED)
    server = LabServer(repository)
    try:
        server.install("0.1.0", trusting=True)
        builder = Installation(repository, tmp_path_factory.mktemp("builder"), shelf)
        server.stock(builder, ("0.1.1", "0.1.2", "0.1.3"))
        yield server
    finally:
        server.lab.close()


@contextmanager
def listening(server: LabServer) -> Iterator[Audience]:
    """People listen meanwhile, in three ways; afterwards nobody has missed anything or been disconnected."""
    with nginx(server):
        audience = Audience(server, [f"{EACH}:127.0.0.1:{port}" for port in (3000, 4000, PROXY)])
        try:
            yield audience
        except BaseException:
            audience.process.kill()
            audience.process.communicate()
            raise
        told = audience.end()
    print(told)
    assert told["posted"] > 0
    assert told["listeners"] == 3 * 2 * EACH
    wrong = {name: told[name] for name in ("ended", "lost", "twice", "moved") if told[name]}
    assert not wrong, f"{wrong}\n{server.journal(UNIT)}"


@contextmanager
def nginx(server: LabServer) -> Iterator[None]:
    """In front of the streaming socket."""
    folder = Path(tempfile.mkdtemp(prefix="phiomia-nginx-"))
    text = CONFIGURATION.format(folder=folder, to=4000, port=PROXY, user="user root;")
    upgrade = (
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; proxy_buffering off;"
    )
    (folder / "nginx.conf").write_text(text.replace('proxy_set_header Connection "";', upgrade))
    command = ["nsenter", f"--target={server.lab.init}", "--net", "--", find_nginx(), "-p", str(folder)]
    process = subprocess.Popen([*command, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        yield
        assert (folder / "error.log").read_text() == ""
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def streaming(server: LabServer) -> dict[str, Any]:
    """What the streaming supervisor says of itself."""
    told: dict[str, Any] = json.loads(
        server.lab.type("cat /home/phiomia/app/shared/data/run/status-streaming.json").stdout
    )
    return told


def test_reload_and_restart_disconnect_nobody(server: LabServer) -> None:
    """Not even between the halves of a message; and what happens meanwhile is sent afterwards."""
    with listening(server) as audience:
        for verb in ("reload", "restart", "restart"):
            before = streaming(server)
            audience.gap()
            server.lab.type(f"systemctl {verb} {UNIT}")
            after = streaming(server)
            assert (before["pid"] == after["pid"]) == (verb == "reload")
            time.sleep(0.5)
            print(verb, "longest silence:", audience.gap(), "s; start of the processes:", after["boot_s"], "s")
    said = server.journal(UNIT)
    assert "lost" not in said and "parked" not in said, said


def test_who_is_untouched_is_not_restarted(server: LabServer) -> None:
    """The instructions name streaming only where a release changes it, and by hand nothing happens to it either."""
    for command in commands_of(check_out(server, "0.1.1"), BEFORE):
        server.lab.type(command, user=USER)
    before = streaming(server)
    with listening(server):
        printed = check_out(server, "0.1.2")
        assert "systemctl reload phiomia-web" in printed
        server.lab.type("systemctl reload phiomia-web")
        server.lab.type("systemctl restart phiomia-worker")
    after = streaming(server)
    assert before["children"] == after["children"]
    assert (before["pid"], before["generation"]) == (after["pid"], after["generation"])
    assert versions(server.status(), "web") == {"0.1.2"}


def test_a_release_that_cannot_start_leaves_everybody_to_the_one_before(server: LabServer) -> None:
    """A restart takes a new release up; one that falls over is followed by the old one, with the same clients."""
    data = "/home/phiomia/app/shared/data"
    server.lab.type(f"systemctl restart {UNIT}")
    assert versions(server.status(), "streaming") == {"0.1.2"}
    for command in commands_of(check_out(server, "0.1.3"), BEFORE):
        server.lab.type(command, user=USER)
    server.lab.type(f"touch {data}/broken", user=USER)
    with listening(server) as audience:
        assert server.lab.type(f"systemctl reload {UNIT}", check=False).returncode != 0
        assert versions(server.status(), "streaming") == {"0.1.2"}
        check_out(server, "0.1.2")
        check_out(server, "0.1.3")
        server.lab.type(f"systemctl restart {UNIT}", check=False)
        server.lab.type(f"until systemctl is-active --quiet {UNIT}; do sleep 0.2; done")
        assert versions(server.status(), "streaming") == {"0.1.2"}
        server.lab.type(f"rm {data}/broken", user=USER)
        check_out(server, "0.1.2")
        check_out(server, "0.1.3")
        server.lab.type(f"systemctl restart {UNIT}")
        assert versions(server.status(), "streaming") == {"0.1.3"}
        print("longest silence, with a start that failed:", audience.gap(), "s")


def test_a_stop_for_good_ends_every_stream(server: LabServer) -> None:
    """Nothing is kept for a unit that does not come back."""
    audience = Audience(server, ["2:127.0.0.1:4000"])
    server.lab.type(f"systemctl stop {UNIT}")
    deadline = time.monotonic() + 60
    while audience.ended() < 4:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert audience.end()["listeners"] == 4
    server.lab.type("while pgrep --full '[p]hiomia: streaming'; do sleep 0.2; done")
    assert server.lab.type(f"systemctl show --value --property=NFileDescriptorStore {UNIT}").stdout.strip() == "0"
