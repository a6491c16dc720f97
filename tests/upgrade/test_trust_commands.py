"""Commands and units refuse a release that is not from those who make them before anything is touched."""

from __future__ import annotations

import functools
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_world import Installation
from trust_world import Key, feed_line

from phiomia.upgrade.feed import seal
from phiomia.upgrade.news import News, write_news
from phiomia.upgrade.trust import see

pytestmark = pytest.mark.timeout(300)


def git(installation: Installation, *arguments: str) -> str:
    """What git says of the checkout."""
    command = ["git", "-C", str(installation.places.checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def key(installation: Installation, tmp_path: Path) -> Iterator[Key]:
    """Whom 0.1.0, which is installed, names. The tags of the other releases are not signed."""
    made = Key(tmp_path / "key")
    path = installation.directory("0.1.0") / "releases/allowed_signers"
    path.parent.chmod(0o755)
    path.write_text(made.line())
    tag = git(installation, "rev-parse", "refs/tags/v0.1.1").strip()
    git(installation, "checkout", "--quiet", "--detach", "refs/tags/v0.1.0")
    yield made
    path.unlink()
    git(installation, "update-ref", "refs/tags/v0.1.1", tag)
    git(installation, "checkout", "--quiet", "--detach", "refs/tags/v0.1.0")


def test_refused_everywhere(installation: Installation, key: Key) -> None:
    """Plan, apply, instructions, steps and units say the same, and nothing is built."""
    reason = "v0.1.1 is not signed, and the installed release asks for a signature."
    told = json.loads(installation.ask("upgrade", "plan", "0.1.1", "--json", ok=False))
    assert {"code": "unsigned", "reason": reason} in told["refusals"]
    assert reason in installation.command("upgrade", "apply", "0.1.1", ok=False)
    now = time.time_ns()
    os.utime(installation.places.current, ns=(now, now), follow_symlinks=False)
    git(installation, "checkout", "--quiet", "refs/tags/v0.1.1")
    assert reason in installation.ask("upgrade", "instructions", ok=False)
    assert reason in installation.command("step", "tidy", ok=False)
    assert reason in installation.command("run", "web", "--reload", ok=False)
    assert any(reason in problem for problem in installation.status()["problems"])
    assert (installation.current, installation.ran) == ("0.1.0", [])


def test_signed_and_applied(installation: Installation, key: Key) -> None:
    """The plan says who has signed; what is another tag by the time of fetching is not built."""
    said = installation.ask("upgrade", "plan", "0.1.1", PHIOMIA_UPGRADE_SIGNATURES="off")
    assert "Mind: Nobody looks at signatures" in said
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key.path}")
    commit = installation.repository.commit_of("0.1.1")
    git(installation, *signing, "tag", "--sign", "--force", "--message", "0.1.1", "v0.1.1", commit)
    said = installation.ask("upgrade", "plan", "0.1.1")
    assert "Signed: v0.1.1: releases@phiomia, ED25519 SHA256:" in said
    signed = git(installation, "rev-parse", "refs/tags/v0.1.1").strip()
    assert (
        installation.try_command("upgrade", "apply", "0.1.1", PHIOMIA_UPGRADE_DIE_AT="1").returncode == -signal.SIGKILL
    )
    git(installation, "tag", "--annotate", "--force", "--message", "0.1.1", "v0.1.1", commit)
    said = installation.command("upgrade", "resume", ok=False)
    assert "fetch: v0.1.1 is not signed" in said and installation.current == "0.1.0"
    git(installation, "update-ref", "refs/tags/v0.1.1", signed)
    installation.command("upgrade", "resume")
    assert installation.current == "0.1.1"
    assert installation.journal()[0]["plan"]["signed"][0].startswith("v0.1.1: releases@phiomia")


def test_not_signed_is_said(installation: Installation) -> None:
    """While a release names nobody, nothing is asked."""
    assert "Mind: Releases are not signed: 0.1.0 names nobody" in installation.ask("upgrade", "plan", "0.1.1")
    said = installation.ask("upgrade", "plan", "0.1.1", ok=False, PHIOMIA_UPGRADE_SIGNATURES="require")
    assert "upgrade.signatures is require, but 0.1.0 names nobody" in said
    said = installation.ask("upgrade", "plan", "0.7.0", ok=False)
    assert "There is no release 0.7.0" in said
    git(installation, "branch", "v0.7.0", "refs/tags/v0.2.0")
    try:
        said = installation.ask("upgrade", "plan", "0.7.0", ok=False)
        assert "v0.7.0 is a branch. There is no tag of that name" in said
        git(installation, "checkout", "--quiet", "v0.7.0")
        git(installation, "commit", "--quiet", "--allow-empty", "--message", "no release")
        said = installation.ask("upgrade", "instructions", ok=False)
        assert "it is the branch v0.7.0, and no release" in said
    finally:
        git(installation, "checkout", "--quiet", "--detach", "refs/tags/v0.1.0")
        git(installation, "branch", "--delete", "--force", "v0.7.0")


def test_not_fetched_is_said(installation: Installation) -> None:
    """A remote that does not answer hides releases; whoever plans hears of it, also when nothing seems to be newer."""
    git(installation, "remote", "add", "origin", "/nowhere/phiomia.git")
    try:
        for version in ("0.1.1", "0.1.0"):
            assert "Mind: new releases could not be fetched (git" in installation.ask("upgrade", "plan", version)
            assert "fetched" not in installation.ask("upgrade", "plan", version, "--offline")
    finally:
        git(installation, "remote", "remove", "origin")


def test_what_is_kept_back_or_played_back(installation: Installation, tmp_path: Path) -> None:
    """A feed that is too old is minded, as is one that knows more; a release older than what was seen is refused."""
    now = int(time.time())
    stale = News(newest="0.9.0", urgency="security", issued=now - 20 * 86_400, expires=now - 6 * 86_400)
    write_news(installation.url, stale)
    said = installation.ask("upgrade", "plan", "0.1.1")
    assert "Mind: There is 0.9.0, which mends a weakness. This checkout lacks it" in said
    assert "Mind: The feed of releases was not renewed since " in said
    said = installation.ask("doctor", ok=False)
    assert "FAIL  releases: 0.9.0 mends a weakness" in said and "was not renewed since" in said
    feed = {"format": 1, "issued": now, "expires": now + 86_400, "branches": []}
    entry = {"version": "0.1.1", "date": "2026-11-30"}
    feed["branches"] = [{"name": "0.1", "latest": entry, "commit": "0" * 40}]
    write_news(installation.url, News(newest="0.1.1", urgency="routine", feed=seal(json.dumps(feed), "")))
    said = installation.ask("upgrade", "plan", "0.1.1", ok=False)
    assert "and 000000000000 in the feed of releases: find out which one is right" in said
    write_news(installation.url, News())
    see(installation.places.state, "0.2.0")
    said = installation.ask("upgrade", "plan", "0.1.2", ok=False)
    assert "0.1.2 is older than 0.2.0, which this server has seen." in said


def test_asking_a_feed_over_http(installation: Installation, tmp_path: Path) -> None:
    """As it is published: a static file of which a web server says whether it is newer."""
    (tmp_path / "www").mkdir()
    published = tmp_path / "www/feed.json"
    signer = Key(tmp_path / "feed-key")
    path = installation.directory("0.1.0") / "releases/allowed_signers"
    path.parent.chmod(0o755)
    path.write_text(feed_line(signer))
    script = ["-P", "-m", "phiomia.upgrade.feed", "--output", str(published), "--key", str(signer.path)]
    made = subprocess.run([sys.executable, *script], cwd=installation.repository.root, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            asked.append((str(int(str(code))), dict(self.headers)))

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "www"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        installation.extra = {
            "PHIOMIA_UPGRADE_FEED": f"http://127.0.0.1:{server.server_port}/feed.json",
            "PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8",
        }
        told = json.loads(installation.command("upgrade", "check", "--json"))
        # 0.5.0 is the newest that there is, however little it can serve.
        assert (told["newest"], told["urgency"], told["problem"]) == ("0.5.0", "routine", "")
        assert "0.5.0 is there" in installation.command("upgrade", "check")
        assert [code for code, _ in asked] == ["200", "304"]
        assert {headers["User-Agent"] for _, headers in asked} == {"Phiomia"}
        assert not {"ETag", "If-None-Match", "Cookie", "Referer", "From"} & set(asked[1][1])
        published.write_text(seal(json.loads(published.read_text())["feed"], ""))
        assert "The feed is not signed." in installation.command("upgrade", "check", ok=False)
    finally:
        server.shutdown()
        server.server_close()
        path.unlink()
