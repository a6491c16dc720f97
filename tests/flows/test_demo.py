"""`phiomia serve --demo`: a world that holds together, made once."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

from phiomia.demo.scenes import _SCENES
from phiomia.demo.script import read_script
from phiomia.domain.statuses.text import count_characters, scan
from phiomia.platform import limits
from server import PATIENCE, RunningServer


def test_the_script_holds_together() -> None:
    script = read_script()
    people = {person.username for person in script.people}
    assert len(people) == len(script.people)
    named: set[str] = set()
    for post in script.posts:
        assert count_characters(post.text, post.spoiler) <= limits.STATUS_CHARACTERS, post.text
        mentioned = {mention.username for mention in scan(post.text).mentions}
        assert {post.by, *post.boosts} | mentioned <= people | {"owner"}, post.text
        assert post.by not in post.boosts, post.text
        assert not post.reply_to or post.reply_to in named, post.text
        assert bool(post.reply_to) != bool(post.ago), post.text
        assert not post.quotes or post.quotes in named, post.text
        assert not (post.film and post.pictures), post.text
        assert all(scene in _SCENES and description for scene, description in post.pictures), post.text
        if post.poll:
            assert len(post.poll.votes) == len(post.poll.options), post.text
            assert {name for names in post.poll.votes for name in names} <= people, post.text
        assert post.name not in named or not post.name, post.name
        named.add(post.name)
    belongings = script.belongings
    for collection in belongings.collections:
        assert {collection.by, *collection.people} <= people
    # As whom one looks around.
    assert {one.by for one in belongings.filters} == {one.by for one in belongings.later} == {"ada"}
    for announcement in belongings.announcements:
        assert {name for names in announcement.reactions.values() for name in names} <= people


def test_a_demonstration_that_can_not_be_made_keeps_no_server_from_starting_and_is_finished_later(
    tmp_path: Path,
) -> None:
    server = RunningServer(tmp_path / "server", has_begun=False)
    (server.data / "media").mkdir(parents=True)
    (server.data / "media" / "accounts").write_text("where pictures of people would lie")
    server.start("--first-run", "--demo")
    try:
        assert requests.get(f"{server.url}/api/v2/instance", timeout=PATIENCE).ok
        assert f" at {server.url}, data in {server.data}" in server.output()
        assert "The demonstration is not complete" in server.output()
        assert "accounts" in server.output().partition("Error")[2], "what went wrong is said"
        server.stop()
        (server.data / "media" / "accounts").unlink()
        server.start("--demo")
        output = server.output()
        assert "was broken off; it is finished now" in output
        found = re.search(r"Look around as\s+e-mail +(\S+)\s+password +(\S+)", output)
        assert found is not None
        assert "is not complete" not in output.partition("was broken off")[2]
        owner = server.command("tokens", "create", "owner").strip()
        home = requests.get(
            f"{server.url}/api/v1/timelines/home?limit=40",
            headers={"Authorization": f"Bearer {owner}"},
            timeout=PATIENCE,
        ).json()
        assert len(home) == 40 and all("/media/" in one["account"]["avatar"] for one in home)
        people = read_script().people
        assert len(server.command("accounts", "list").splitlines()) >= len(people) + 1
        _check_sign_in(server, *found.groups())
    finally:
        server.stop()


def test_who_breaks_it_off_is_told_how_to_go_on(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "server", has_begun=False)
    command = [sys.executable, "-m", "phiomia", "serve", "--first-run", "--demo"]
    process = subprocess.Popen(
        command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if b"reset-password owner" in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert b"The demonstration was broken off. The next start with --demo finishes it." in said
        assert b"Traceback" not in said
    finally:
        process.kill()
        process.wait()


def _check_sign_in(server: RunningServer, email: str, password: str) -> None:
    with requests.Session() as browser:
        page = browser.get(f"{server.url}/auth/sign_in", timeout=PATIENCE).text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
        form = {**dict(hidden), "email": email, "password": password}
        answer = browser.post(f"{server.url}/auth/sign_in", data=form, allow_redirects=False, timeout=PATIENCE)
        assert answer.status_code in (302, 303), answer.text


def test_a_server_with_people(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "server", has_begun=False)
    server.start("--first-run", "--demo")
    try:
        output = server.output()
        assert f"owner@{server.bind.partition(':')[0]}" in output
        assert re.search(r"Look around as\s+e-mail +ada@\S+\s+password +\S{12,}", output)
        headers = {"Authorization": f"Bearer {server.command('tokens', 'create', 'owner').strip()}"}

        def ask(path: str) -> list[dict[str, object]]:
            answer = requests.get(f"{server.url}/api/v1/{path}", headers=headers, timeout=PATIENCE)
            assert answer.ok, answer.text
            found: list[dict[str, object]] = answer.json()
            return found

        home = ask("timelines/home?limit=40")
        assert len(home) == 40
        assert any(one["reblog"] for one in home)
        assert any(one["poll"] for one in home)
        assert all(one["media_attachments"] for one in ask("timelines/public?local=true&only_media=true"))
        assert len(ask("conversations")) == 1
        assert {one["type"] for one in ask("notifications?limit=80")} == {"admin.sign_up", "follow", "mention"}
        people = [one["account"] for one in ask("timelines/public?local=true&limit=40")]
        assert all("/media/" in one["avatar"] and one["fields"] and one["note"] for one in people)  # type: ignore[index]
        quoting = [one for one in home if one["quote"]]
        assert len(quoting) == 3 and all(one["quote"]["state"] == "accepted" for one in quoting)  # type: ignore[index]
        media = [each for one in ask("timelines/public?only_media=true") for each in one["media_attachments"]]  # type: ignore[attr-defined]
        (film,) = [one for one in media if one["type"] == "video"]
        assert requests.get(film["url"], timeout=PATIENCE).content[4:8] == b"ftyp"
        (announced,) = ask("announcements")
        assert [one["count"] for one in announced["reactions"]] == [4, 2]  # type: ignore[attr-defined]
        ada = server.command("tokens", "create", "ada").strip()
        headers["Authorization"], owners = f"Bearer {ada}", headers["Authorization"]
        assert len(ask("scheduled_statuses")) == 1 and len(ask("filters")) == 2
        found = requests.get(
            f"{server.url}/api/v1/accounts/{_id(ask('accounts/search?q=ada'))}/collections", timeout=PATIENCE
        )
        assert [one["item_count"] for one in found.json()["collections"]] == [3]
        headers["Authorization"] = owners
        server.stop()
        server.start("--demo")
        assert "is here already" in server.output() and "accounts reset-password ada" in server.output()
        assert ask("timelines/home?limit=40") == home
        assert server.output().count("Look around as") == 1
    finally:
        server.stop()


def _id(found: list[dict[str, object]]) -> object:
    return found[0]["id"]
