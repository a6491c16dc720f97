"""Who is told of an upgrade: everybody in time when they will notice it, and nobody when they won't."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from release_world import Installation, Repository
from test_apply import InstalledServer, server

from phiomia.platform.downtime import FILE, read_notice
from phiomia.upgrade import notice
from phiomia.upgrade.journal import Journal, create_journal
from phiomia.upgrade.manifest import Downtime, Restart
from phiomia.upgrade.notice import Notice, describe_now, describe_outage, find_outage
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.site import Site
from server import Member

__all__ = ["server"]
pytestmark = pytest.mark.timeout(300)
QUIET = {"downtime_s": 0.0, "downtime_reasons": [], "restart": {"web": "reload", "streaming": "handover"}, "steps": []}
NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200


def plan_with(**leg: Any) -> dict[str, Any]:
    """A plan of two legs, of which the second has these."""
    return {"hash": "0" * 64, "installed": "0.1.0", "target": "0.2.0", "legs": [QUIET, QUIET | leg]}


ROUGH = plan_with(downtime_s=300.0, downtime_reasons=["The index is built anew"])
RECONNECTS = plan_with(restart={"web": "reload", "streaming": "reconnect"})


class Board:
    """Where announcements hang."""

    def __init__(self) -> None:
        self.hanging: dict[int, tuple[str, int, int]] = {}
        self.published = 0

    def publish(self, config: object, text: str, starts_at: int, ends_at: int) -> int:
        self.published += 1
        self.hanging[self.published] = (text, starts_at, ends_at)
        return self.published

    def withdraw(self, config: object, number: int) -> None:
        del self.hanging[number]


class World:
    """A notice with what it stands on; the web runs unless said otherwise."""

    def __init__(self, folder: Path, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch, announce: int = 0) -> None:
        self.board = Board()
        self.runs = True
        monkeypatch.setattr(notice, "is_running", lambda _run_dir, _name: self.runs)
        self.journal = create_journal(folder / "journal", plan, announce=announce)
        run_dir = folder / "run"
        self.site: Any = SimpleNamespace(run_dir=run_dir, config=None)
        self.file = run_dir / FILE
        self.report = PlainReport()

    @property
    def notice(self) -> Notice:
        """As whoever goes on with the upgrade makes it."""
        site: Site = self.site
        return Notice(site, Journal(self.journal.path), self.board)


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a world with a plan."""
    return lambda plan, **more: World(tmp_path, plan, monkeypatch, **more)


def never() -> bool:
    return False


def test_only_what_people_notice_is_an_outage() -> None:
    assert find_outage(plan_with()) is None
    assert find_outage(plan_with(restart={"web": "restart", "streaming": "none"})) is None
    rough, reconnects = find_outage(ROUGH), find_outage(RECONNECTS)
    assert rough is not None and reconnects is not None
    said = "From 12:00 UTC on this server will be brought up to date."
    assert describe_outage(rough, NOON) == f"{said} For about 5 minutes it can't be reached. The index is built anew."
    assert describe_outage(reconnects, NOON).startswith(f"{said} Apps and pages that are open will lose")
    assert describe_now(rough).endswith("It will be back in about 5 minutes.")


def test_nothing_is_said_of_what_nobody_notices(make: Make) -> None:
    world = make(plan_with(), announce=5)
    began = time.monotonic()
    world.notice.announce(world.report)
    assert world.notice.wait(world.report, never)
    world.notice.end(world.report)
    assert time.monotonic() - began < 30
    assert world.board.published == 0 and not world.file.exists()
    assert [entry["kind"] for entry in Journal(world.journal.path).entries] == ["planned"]


def test_it_is_said_once_whoever_goes_on(make: Make) -> None:
    world = make(ROUGH)
    world.notice.announce(world.report)
    world.notice.announce(world.report)
    ((text, starts_at, ends_at),) = world.board.hanging.values()
    assert "it can't be reached" in text and ends_at - starts_at == 600_000
    assert world.notice.wait(world.report, never)
    told = read_notice(world.file)
    assert told is not None and told.text.startswith("This server is being brought up to date")
    assert 500 < told.retry_after_s <= 601
    world.notice.end(world.report)
    world.notice.end(world.report)
    assert world.board.hanging == {} and not world.file.exists()
    kinds = [entry["kind"] for entry in Journal(world.journal.path).entries]
    assert kinds == ["planned", "announced", "notice_over"]
    # Somebody resumes what had failed: people will notice it again.
    world.notice.announce(world.report)
    assert world.board.published == 2


def test_it_waits_until_the_time_has_come_or_somebody_stops_it(make: Make) -> None:
    world = make(ROUGH, announce=2)
    world.notice.announce(world.report)
    ((_, starts_at, _),) = world.board.hanging.values()
    assert 100 < starts_at / 1000 - time.time() <= 120
    asked: list[int] = []

    def stops_soon() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert not world.notice.wait(world.report, stops_soon)
    assert len(asked) == 3 and not world.file.exists()


def test_streams_that_break_off_are_no_reason_to_refuse_requests(make: Make) -> None:
    world = make(RECONNECTS)
    world.notice.announce(world.report)
    assert world.notice.wait(world.report, never)
    assert world.board.published == 1 and not world.file.exists()


def test_nobody_is_told_of_what_nobody_can_see(make: Make) -> None:
    world = make(ROUGH, announce=5)
    world.runs = False
    world.notice.announce(world.report)
    assert world.board.published == 0
    world.runs = True
    world.journal.write("settling", left=["settle"])  # every role has followed
    world.notice.announce(world.report)
    assert world.board.published == 0


# With a real server


@pytest.fixture
def rough_release(repository: Repository) -> Iterator[str]:
    """0.1.3, which comes after 0.1.2 and interrupts everything; gone after the test."""
    before = git(repository, "rev-parse", "--abbrev-ref", "HEAD")
    git(repository, "checkout", "--quiet", "--detach", "v0.1.2")
    restart = Restart(web="restart", workers="restart", streaming="reconnect")
    repository._release("0.1.3", restart=restart, downtime=Downtime(30, "Everything is dusted"))
    git(repository, "checkout", "--quiet", before if before != "HEAD" else "main")
    yield "0.1.3"
    git(repository, "tag", "--delete", "v0.1.3")
    del repository.manifests["0.1.3"]


def git(repository: Repository, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", repository.root, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Reader(threading.Thread):
    """An app that looks for announcements."""

    def __init__(self, server: InstalledServer, member: Member) -> None:
        super().__init__(daemon=True)
        self.url, self.headers = f"{server.url}/api/v1/announcements", member.headers
        self.seen: dict[str, str] = {}
        self.refused: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        """Looks until it is enough."""
        while not self.enough.is_set():
            try:
                answer = requests.get(self.url, headers=self.headers, timeout=60)
                if answer.status_code == 200:
                    self.seen |= {one["id"]: one["content"] for one in answer.json()}
                elif answer.status_code != 503 or "Retry-After" not in answer.headers:
                    self.refused.append(f"{answer.status_code} {answer.text}")
            except requests.RequestException as error:
                self.refused.append(repr(error))
            self.enough.wait(0.1)

    def stop(self) -> None:
        """Ends it."""
        self.enough.set()
        self.join(90)


def test_announcements_of_whole_upgrades(
    server: InstalledServer, installation: Installation, rough_release: str
) -> None:
    member = server.sign_up("reader")
    quiet = Reader(server, member)
    quiet.start()
    try:
        installation.command("upgrade", "apply", "0.1.2", "--announce", "5")
    finally:
        quiet.stop()
    assert quiet.seen == {} and quiet.refused == []
    assert not {"announced", "notice_over"} & {entry["kind"] for entry in installation.journal()}

    rough = Reader(server, member)
    rough.start()
    try:
        installation.command("upgrade", "apply", "0.1.3", "--announce", "0")
    finally:
        rough.stop()
    (said,) = rough.seen.values()
    assert "it can&#39;t be reached" in said or "it can't be reached" in said
    assert "Everything is dusted." in said and rough.refused == []
    kinds = [entry["kind"] for entry in installation.journal()]
    assert kinds.index("announced") < kinds.index("switched") < kinds.index("notice_over")
    assert requests.get(rough.url, headers=rough.headers, timeout=60).json() == []
    assert not (installation.data / "run" / FILE).exists()
    assert server.versions("web") == {"0.1.3"}
