"""toot, the command line client, drives the running server."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import pytest
import pyvips
import requests
from toot.cli import cli

from server import PATIENCE, Member, RunningServer

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


# Each start of toot takes a second of processor time. This runs one command after the other, as toot's own tests do.
_LOOP = """
import json, sys
from click.testing import CliRunner
from toot.cli import cli
for line in sys.stdin:
    done = CliRunner().invoke(cli, json.loads(line))
    print(json.dumps([done.exit_code, done.output, repr(done.exception)]), flush=True)
"""


class Toot:
    """toot with a home directory of its own."""

    def __init__(self, home: Path, cleanup: ExitStack) -> None:
        home.mkdir()
        self.used: set[str] = set()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "TOOT_"))}
        self.environment = kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "BROWSER": "true"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        cleanup.callback(self._process.communicate, timeout=PATIENCE)

    def __call__(self, *arguments: str) -> str:
        """What the command prints."""
        self.used |= {arguments[0], " ".join(arguments[:2])}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        status, output, error = json.loads(self._process.stdout.readline())
        assert status == 0, f"toot {' '.join(arguments)}: {output} {error}"
        return str(output)

    def json(self, *arguments: str) -> Any:
        """What the command prints for programs."""
        return json.loads(self(*arguments, "--json"))

    def log_in(self, server: RunningServer, member: Member) -> None:
        """The documented way: toot shows an address, a browser finds the code there, toot asks for it."""
        login = subprocess.Popen(
            [sys.executable, "-m", "toot", "login", "--instance", server.url],
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert login.stdin is not None
        assert login.stdout is not None
        said = ""
        while not (address := re.search(r"^http\S+/oauth/authorize\S+$", said, re.MULTILINE)):
            line = login.stdout.readline()
            assert line, f"toot showed no address: {said}"
            said += line
        code = server.authorize(member, address.group())
        rest, _ = login.communicate(f"n\n{code}\n", timeout=PATIENCE)
        assert "Successfully logged in" in rest, said + rest


def test_a_day_with_toot(phiomia: RunningServer, tmp_path: Path) -> None:
    with ExitStack() as cleanup:
        spend_day(phiomia, Toot(tmp_path / "alice", cleanup), tmp_path)


# What this test leaves out of toot's commands.
LEFT_OUT = {
    "login": "how `log_in` above signs in",
    "login_cli": "signs in with a password, which no client may handle here",
    "login-cli": "signs in with a password, which no client may handle here",
    "diag": "shows toot's own settings",
    "env": "shows toot's own settings",
    "tui": "wants a terminal",
    "timelines link": "there is nothing before a page of another server was fetched",
}


def list_commands(group: click.Group, before: str = "") -> Iterator[str]:
    """Every command with the groups it stands in; older names of the same command are hidden."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from list_commands(command, f"{before}{name} ")
        elif not command.hidden:
            yield before + name


def test_every_command(phiomia: RunningServer, tmp_path: Path) -> None:
    with ExitStack() as cleanup:
        toot = Toot(tmp_path / "alice", cleanup)
        use_everything(phiomia, toot, tmp_path)
    unused = [one for one in list_commands(cli) if one not in LEFT_OUT and one not in toot.used]
    assert unused == []


def use_everything(phiomia: RunningServer, toot: Toot, folder: Path) -> None:
    """Each of toot's commands once."""
    alice, bob, carol = (phiomia.sign_up(name) for name in ("alice", "bob", "carol"))
    toot.log_in(phiomia, alice)
    for command in ("auth", "whoami", "instance", "bookmarks", "followers", "muted", "blocked", "notifications"):
        toot(command)
    picture = folder / "picture.png"
    pyvips.Image.black(64, 48).write_to_file(str(picture))
    toot("upload", str(picture))
    toot("update-account", "--display-name", "Alice", "--locked")
    for name in ("follow", "mute", "unmute", "block", "unblock", "follow", "whois"):
        toot(name, bob.username)
    assert bob.username in toot("following")
    for member in (bob, carol):
        address = f"{phiomia.url}/api/v1/accounts/{alice.id}/follow"
        assert requests.post(address, headers=member.headers, timeout=PATIENCE).ok
    assert bob.username in toot("follow-requests", "list")
    toot("follow-requests", "accept", bob.username)
    toot("follow-requests", "reject", carol.username)
    toot("lists", "create", "Friends")
    assert "Friends" in toot("lists", "list")
    toot("lists", "add", "Friends", bob.username)
    assert bob.username in toot("lists", "accounts", "Friends")
    toot("timelines", "list", "Friends", "--no-pager")
    toot("lists", "remove", "Friends", bob.username)
    toot("lists", "delete", "Friends")
    word = f"medlar{secrets.token_hex(4)}"
    post = toot.json("post", f"The #{word} is out", "--poll-option", "yes", "--poll-option", "no")
    assert "yes" in toot("polls", "show", post["poll"]["id"])
    ask = requests.post(
        f"{phiomia.url}/api/v1/statuses",
        headers=bob.headers,
        json={"status": "Which?", "poll": {"options": ["this", "that"], "expires_in": 3600}},
        timeout=PATIENCE,
    ).json()
    toot("polls", "vote", ask["poll"]["id"], "0")
    for name in ("favourite", "unfavourite", "reblog", "unreblog", "bookmark", "unbookmark", "status", "thread"):
        toot(name, ask["id"])
    toot("pin", post["id"])
    toot("unpin", post["id"])
    toot("reblogged-by", post["id"])
    toot("timeline", "--once")
    toot("search", word)
    for name in ("info", "follow", "unfollow", "feature", "unfeature"):
        toot("tags", name, word)
    toot("tags", "followed")
    toot("tags", "featured")
    for name in ("home", "public", "favourites", "trending"):
        toot("timelines", name, "--no-pager")
    toot("timelines", "tag", word, "--no-pager")
    toot("timelines", "account", alice.username, "--no-pager")
    toot("delete", post["id"])
    toot("unfollow", bob.username)
    toot("activate", f"{alice.username}@{phiomia.bind}")
    toot("logout", f"{alice.username}@{phiomia.bind}")


def spend_day(phiomia: RunningServer, toot: Toot, folder: Path) -> None:
    """Alice does with toot what people do; Bob answers."""
    alice, bob = phiomia.sign_up("alice"), phiomia.sign_up("bob")
    toot.log_in(phiomia, alice)
    assert f"{alice.username}@{phiomia.bind}" in toot("auth")
    assert alice.username in toot("whoami")

    picture = folder / "picture.png"
    pyvips.Image.black(64, 48).write_to_file(str(picture))
    assert toot.json("upload", str(picture), "--description", "black")["type"] == "image"
    word = f"medlar{secrets.token_hex(4)}"
    post = toot.json("post", f"The {word} is out #{word}", "--media", str(picture), "--description", "a medlar")
    assert post["media_attachments"][0]["description"] == "a medlar"
    poll = toot.json("post", "Jam?", "--poll-option", "yes", "--poll-option", "no")["poll"]
    assert [option["title"] for option in poll["options"]] == ["yes", "no"]

    def bob_does(path: str, **form: str) -> Any:
        address = f"{phiomia.url}/api/v1/{path}"
        answer = requests.post(address, data=form, headers=bob.headers, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()

    bob_does(f"accounts/{alice.id}/follow")
    bob_does(f"statuses/{post['id']}/favourite")
    bob_does(f"statuses/{post['id']}/reblog")
    reply = bob_does("statuses", status=f"@{alice.username} is it ripe?", in_reply_to_id=post["id"])
    thread = toot.json("thread", post["id"])
    assert [one["id"] for one in thread["descendants"]] == [reply["id"]]
    assert "is it ripe?" in toot("thread", post["id"])
    kinds = [one["type"] for one in toot.json("notifications")]
    assert kinds == ["mention", "reblog", "favourite", "follow"]
    assert "is it ripe?" in toot("notifications")

    toot("follow", bob.username)
    toot("favourite", reply["id"])
    toot("reblog", reply["id"])
    toot("post", "Not before winter", "--reply-to", reply["id"])
    assert "is it ripe?" in toot("timelines", "home", "--no-pager")
    assert word in toot("timelines", "public", "--local", "--no-pager")
    assert word in toot("timelines", "tag", word, "--no-pager")
    assert f"#{word}" in toot("search", f"#{word}", "--type", "hashtags")
    assert bob.username in toot("search", bob.username, "--type", "accounts")
    assert bob.username in toot("whois", bob.username)

    toot("delete", post["id"])
    assert word not in toot("timelines", "tag", word, "--no-pager")
