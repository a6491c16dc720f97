"""What a restart takes up of what is checked out, and what is printed for who upgrades by hand."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from release_world import Installation

from phiomia.upgrade.database import connect

pytestmark = pytest.mark.timeout(300)


def check_out(installation: Installation, version: str) -> str:
    """Moves the checkout, as git does it for the user; gives the instructions."""
    git = ["git", "-C", str(installation.places.checkout), "checkout", "--quiet"]
    subprocess.run([*git, f"v{version}"], check=True)
    return installation.ask("upgrade", "instructions", ok=None)


def reload_web(installation: Installation) -> str:
    """What a reload says; no server runs, so it can't succeed."""
    done = installation.try_command("run", "web", "--reload")
    assert done.returncode == 1
    return done.stderr


@pytest.fixture(autouse=True)
def back_to_main(installation: Installation) -> None:
    """Begins with the checkout at what is installed, moved before that was."""
    check_out(installation, "0.1.0")
    link = installation.places.current
    now = time.time_ns()
    os.utime(link, ns=(now, now), follow_symlinks=False)


def test_a_checkout_that_was_not_moved_wishes_nothing(installation: Installation) -> None:
    """Nothing is asked of git, and an older checkout does not undo an upgrade."""
    assert "no server runs" in reload_web(installation)
    assert installation.current == "0.1.0"
    assert "0.1.0 is installed.\nNothing is left to do." in check_out(installation, "0.1.0")


def test_what_is_missing_is_said_and_the_release_before_goes_on(installation: Installation) -> None:
    """Instructions of all releases that are skipped count, once each and in their order."""
    printed = check_out(installation, "0.3.0")
    lines = [line.partition("#")[0].strip() for line in printed.splitlines() if line.startswith("  ")]
    assert lines == [
        "phiomia step backup",
        "phiomia step migrate-expand",
        "phiomia step tidy@1",
        "phiomia step polish@1",
        "systemctl restart phiomia-worker",
        "systemctl reload phiomia-web",
        "systemctl reload phiomia-streaming",
        "phiomia backfills run",
        "phiomia step paint@1",
        "phiomia step migrate-contract",
        "phiomia step cleanup",
    ]
    said = reload_web(installation)
    assert "0.3.0 is checked out, but needs first: phiomia step migrate-expand, phiomia step tidy@1" in said
    assert "0.1.0 goes on." in said
    assert installation.current == "0.1.0"
    assert any("needs first" in problem for problem in installation.status()["problems"])


def test_what_is_complete_is_taken_up_and_given_back_when_it_does_not_serve(installation: Installation) -> None:
    """A reload that comes to nothing leaves the links as they were."""
    check_out(installation, "0.1.1")
    assert "tidy" in installation.command("step", "tidy")
    assert "no server runs" in reload_web(installation)
    assert installation.current == "0.1.0"
    assert any("0.1.1 does not serve" in problem for problem in installation.status()["problems"])
    assert installation.ran == ["tidy"]


def test_what_comes_after_the_restart_waits_for_it(installation: Installation) -> None:
    """Code that runs must be the code that an instruction was written for."""
    check_out(installation, "0.3.0")
    for step in ("migrate-expand", "tidy", "polish"):
        installation.command("step", step)
    assert "comes after the restart" in installation.command("step", "paint", ok=False)
    assert "0.1.0 is still the current release" in installation.command("step", "migrate-contract", ok=False)
    assert installation.ran == ["tidy", "polish"]


def test_no_way_around_a_stop(installation: Installation) -> None:
    """Where one leg does not lead, the legs are named."""
    assert "go to v0.3.0, then v0.4.0" in check_out(installation, "0.4.0")
    assert "go to v0.3.0, then v0.4.0" in reload_web(installation)


def test_unreleased_code_is_not_taken_up(installation: Installation) -> None:
    """A commit without a tag is no release."""
    git = ["git", "-C", str(installation.places.checkout)]
    made = subprocess.run(
        [*git, "commit-tree", "v0.3.0^{tree}", "-p", "v0.3.0^{commit}", "-m", "More"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    subprocess.run([*git, "checkout", "--quiet", made], check=True)
    assert "it is no release" in reload_web(installation)
    assert installation.current == "0.1.0"


def test_installing_into_a_directory(installation: Installation, tmp_path: Path) -> None:
    """Without root: the same layout, a first release and units; again changes nothing; a dry run touches nothing."""
    prefix = Path(tmp_path / "p")
    options = ("install", "--prefix", str(prefix), "--domain", "social.example")
    source = str(installation.places.checkout)
    said = run_from_checkout(installation, source, *options, "--dry-run")
    assert "would be built" in said
    assert not prefix.exists()
    assert "built with" in run_from_checkout(installation, source, *options)
    assert "written" not in run_from_checkout(installation, source, *options)
    unit = (prefix / "systemd/phiomia-web.service").read_text()
    assert f"ExecReload={prefix}/app/current/venv/bin/phiomia run web --reload" in unit
    assert "Type=notify" in unit and "KillMode=mixed" in unit and "ProtectSystem=strict" in unit
    assert "ListenStream=127.0.0.1:3000" in (prefix / "systemd/phiomia-web.socket").read_text()
    told = subprocess.run([prefix / "bin/phiomia", "upgrade", "status"], capture_output=True, text=True)
    assert "installed   0.1.0" in told.stdout
    assert (prefix / "live/.git/hooks/post-checkout").stat().st_mode & 0o111


def run_from_checkout(installation: Installation, source: str, *arguments: str) -> str:
    """What `phiomia …` of a checkout prints."""
    command = [str(installation.places.current / "venv/bin/python"), "-P", "-m", "phiomia", *arguments]
    environment = {**installation.environment, "PYTHONPATH": f"{source}/src"}
    for name in ("PHIOMIA_DATA", "PHIOMIA_DATABASE_URL"):
        environment.pop(name)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=installation.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_to_come_is_left_to_do(installation: Installation) -> None:
    """A backfill that waits is named with its command, and not passed over as if everything were done."""
    with connect(installation.url) as connection:
        connection.rows("INSERT INTO backfills (id, seen_at) VALUES ('made-up@1', 0)")
    try:
        left = installation.ask("upgrade", "instructions", ok=None)
        assert "Left to do:\n  phiomia backfills run" in left and "made-up@1" in left
        [pending] = installation.status()["pending"]
        assert (pending["id"], pending["command"]) == ("backfills", "phiomia backfills run")
        said = installation.ask("upgrade", "status", ok=None)
        assert "made-up@1; waits until workers have done it. Now: phiomia backfills run" in said
        assert "still fills in made-up@1; wait" in check_out(installation, "0.3.0")
    finally:
        with connect(installation.url) as connection:
            connection.rows("DELETE FROM backfills WHERE id = 'made-up@1'")
