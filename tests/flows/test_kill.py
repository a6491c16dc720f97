"""Processes are killed while people post: what was answered is there, nothing is there twice, and all goes on."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from pathlib import Path

import pytest
import requests

from server import PATIENCE, Member, RunningServer

POSTERS = 2
PAUSE_SECONDS = 0.1


class Poster:
    """Somebody who posts all the time, and repeats what was not answered under the same key, as apps do."""

    def __init__(self, server: RunningServer, member: Member) -> None:
        self.server = server
        self.member = member
        self.answered: dict[str, str] = {}  # text → id
        self.repeated = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._post, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Lets the last post be answered."""
        self._stop.set()
        self._thread.join(PATIENCE * 2)
        assert not self._thread.is_alive(), "a post was never answered"

    def _post(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            text = f"Number {number}"
            self.answered[text] = self._insist(text, secrets.token_hex(16))
            self._stop.wait(PAUSE_SECONDS)  # leaves the processor to those who start

    def _insist(self, text: str, key: str) -> str:
        while True:
            try:
                answer = requests.post(
                    f"{self.server.url}/api/v1/statuses",
                    json={"status": text},
                    headers=self.member.headers | {"Idempotency-Key": key},
                    timeout=10,
                )
                if answer.status_code == 200:
                    made: str = answer.json()["id"]
                    return made
                assert answer.status_code in (502, 503), f"{answer.status_code} {answer.text}"
            except requests.RequestException:
                pass
            self.repeated += 1
            time.sleep(PAUSE_SECONDS)


def list_posts(server: RunningServer, member: Member) -> list[tuple[str, str]]:
    """(text, id) of everything somebody has posted."""
    found: list[tuple[str, str]] = []
    address = f"{server.url}/api/v1/accounts/{member.id}/statuses?limit=40"
    while address:
        page = requests.get(address, headers=member.headers, timeout=PATIENCE)
        assert page.ok, page.text
        found += [(one["content"].removeprefix("<p>").removesuffix("</p>"), one["id"]) for one in page.json()]
        address = page.links.get("next", {}).get("url", "")
    return found


def kill_role(server: RunningServer, role: str, *, all_of_them: bool = False) -> None:
    """Kills a process of a role without a warning and waits for its replacement."""
    before = server.pids(role)
    killed = before if all_of_them else before[:1]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wanted = len(before)

    def is_whole() -> bool:
        now = server.pids(role)
        return len(now) == wanted and not set(now) & set(killed)

    server.until(is_whole, f"{role} is whole again", 60)


def hear_live(server: RunningServer, member: Member) -> None:
    """Passes when a stream brings something."""

    def is_open() -> bool:
        try:
            with requests.get(
                f"{server.url}/api/v1/streaming/public/local", headers=member.headers, stream=True, timeout=PATIENCE
            ) as stream:
                return stream.ok and any(line.startswith(b"event: update") for line in stream.iter_lines())
        except requests.RequestException:
            return False

    server.until(is_open, "a stream brings a post", 60)


@pytest.mark.timeout(300)
def test_nothing_answered_is_lost(migrated_database_url: str, tmp_path: Path) -> None:
    with RunningServer(tmp_path / "server", migrated_database_url) as server:
        posters = [Poster(server, server.sign_up(f"poster{number}")) for number in range(POSTERS)]

        def go_on() -> None:
            goals = [len(poster.answered) + 3 for poster in posters]
            server.until(
                lambda: all(len(poster.answered) >= goal for poster, goal in zip(posters, goals, strict=True)),
                "posting goes on",
                60,
            )

        go_on()
        for role, all_of_them in (("web", False), ("worker", True), ("streaming", True), ("web", True)):
            kill_role(server, role, all_of_them=all_of_them)
            go_on()
        hear_live(server, posters[0].member)
        server.kill()
        server.start()
        go_on()
        hear_live(server, posters[0].member)
        for poster in posters:
            poster.finish()

        assert sum(poster.repeated for poster in posters) > 0
        for poster in posters:
            found = list_posts(server, poster.member)
            assert dict(found) == poster.answered
            assert len(found) == len(poster.answered), "something is there twice"
        check_later_work(server, posters[0].member)


def check_later_work(server: RunningServer, member: Member) -> None:
    """Passes when work that is done later is done."""
    word = f"later{secrets.token_hex(4)}"
    form = {"status": word}
    made = requests.post(f"{server.url}/api/v1/statuses", data=form, headers=member.headers, timeout=PATIENCE).json()

    def is_found() -> bool:
        query = {"q": word, "type": "statuses"}
        answer = requests.get(f"{server.url}/api/v2/search", params=query, headers=member.headers, timeout=PATIENCE)
        return [one["id"] for one in answer.json()["statuses"]] == [made["id"]]

    server.until(is_found, "a post is found", 60)
