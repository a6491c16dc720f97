"""toot, the command line client, drives the running server."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pyvips
import requests

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
