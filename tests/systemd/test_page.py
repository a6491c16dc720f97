"""The page "Upgrading to a new release", typed as it stands there, in a real systemd, while people use the server.

The tests are one story of one server, in this order.
"""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from lab_server import UNITS, USER, LabServer, commands_of

from missing import miss

pytestmark = pytest.mark.timeout(600)
# 0.1.0 as well as 0.3.0.
BUILDS = True
STOCKED = ("0.4.0", "0.5.0")

ROLES = ("web", "worker", "streaming")
BEFORE, THEN, AFTER = "Before the restart", "Then", "When all processes run it"


def versions(status: dict[str, Any], role: str) -> set[str]:
    """Which releases the processes of a role run."""
    return {one["release"].partition("-")[0] for one in status["processes"] if one["role"] == role}


def check_out(server: LabServer, version: str) -> str:
    """What the hook prints when a release is checked out."""
    return server.lab.type(f"cd ~/live && git fetch --tags && git checkout v{version}", user=USER).stderr


def follow(server: LabServer, printed: str) -> list[str]:
    """Types what is printed, as the user."""
    typed = [command for heading in (BEFORE, THEN, AFTER) for command in commands_of(printed, heading)]
    for command in typed:
        if command.startswith("systemctl"):
            server.manage(command)
        else:
            server.lab.type(command, user=USER)
    return typed


def test_installing_again_changes_nothing(server: LabServer) -> None:
    """Everything is there; what exists in another way is refused with the reason."""
    again = server.run_install("--domain", "social.example")
    assert "made" not in again and "written" not in again
    assert "There is a user phiomia already, at home in /home/phiomia" in server.run_install(
        "--home", "/srv/elsewhere", check=False
    )
    for unit in UNITS:
        assert server.lab.type(f"systemctl is-active {unit}").stdout.strip() == "active"
        assert server.lab.type(f"systemctl is-enabled {unit}").stdout.strip() == "enabled"
    # What the units may not touch is not theirs: root's files, other homes, the kernel's switches.
    assert "exposure level" in server.lab.type("systemd-analyze security phiomia-web | tail -n 1").stdout


def test_the_user_may_manage_these_units_and_no_others(server: LabServer) -> None:
    """That is what the rule for polkit is for; the other tests rely on it."""
    if not server.has_polkit:
        miss("polkitd is not installed")
    server.manage("systemctl restart phiomia-worker")
    for other in ("systemctl restart systemd-journald", "systemctl mask phiomia-worker", "systemctl daemon-reload"):
        refused = server.manage(other, check=False)
        assert refused.returncode != 0 and "authentication required" in refused.stderr, other


def test_the_user_may_do_the_same_with_sudo(server: LabServer) -> None:
    """Where there is no polkit; here the rule for it is there as well and does not count for root."""
    if shutil.which("sudo") is None:
        miss("sudo is not installed")
    lab = server.lab
    began = lab.type("systemctl show phiomia-worker --property=ExecMainPID").stdout
    lab.type("sudo -n systemctl restart phiomia-worker", user=USER)
    assert lab.type("systemctl show phiomia-worker --property=ExecMainPID").stdout != began
    for unit in UNITS:
        lab.type(f"sudo -n systemctl reload {unit}", user=USER)
    more = "systemctl restart phiomia-worker systemd-journald"
    for other in ("systemctl restart systemd-journald", more, "systemctl stop phiomia-web.socket", "id"):
        refused = lab.type(f"sudo -n {other}", user=USER, check=False)
        assert refused.returncode != 0 and "password is required" in refused.stderr, other


def test_a_restart_behind_the_socket_loses_nothing(server: LabServer) -> None:
    """Requests wait in the socket until the web is there again, and no longer than it takes to boot."""
    with server.used("restart of web") as told:
        server.manage("systemctl restart phiomia-web")
    boot = server.boot_s("phiomia-web")
    server.figures["restart of web"]["boot"] = boot
    assert told.failures == told.unheard == []
    assert all(line["posts"] for line in told.lines)
    assert told.pause <= boot + 2


def test_the_page(server: LabServer) -> None:
    """From the oldest release to the newest, skipping those between, with every instruction executed."""
    with server.used("the page") as told:
        printed = check_out(server, "0.4.0")
        assert "go to v0.3.0, then v0.4.0" in printed
        assert versions(server.status(), "web") == {"0.1.0"}

        printed = check_out(server, "0.3.0")
        assert "phiomia step migrate-expand" in commands_of(printed, BEFORE)
        # Whoever forgets the instructions is told, and goes on as before.
        refused = server.manage("systemctl reload phiomia-web", check=False)
        assert refused.returncode != 0
        server.manage("systemctl restart phiomia-worker")
        status = server.status()
        assert versions(status, "worker") == versions(status, "web") == {"0.1.0"}
        for unit in ("phiomia-web", "phiomia-worker"):
            assert "needs first: phiomia step migrate-expand" in server.journal(unit)
        assert any("needs first: phiomia step migrate-expand" in one for one in status["problems"])

        first = follow(server, printed)
        assert first.index("phiomia step tidy@1") < first.index("systemctl restart phiomia-worker")
        assert first.index("systemctl restart phiomia-worker") < first.index("systemctl reload phiomia-web")
        assert all(versions(server.status(), role) == {"0.3.0"} for role in ROLES)

        follow(server, check_out(server, "0.4.0"))
    assert told.failures == told.unheard == []
    status = server.status()
    assert status["installed"] == "0.4.0"
    assert status["missing"] == status["pending_schema"] == status["problems"] == []
    assert {one["step_id"] for one in status["executed"]} == {"tidy@1", "paint@1", "polish@1", "stumble@1"}
    assert all(versions(status, role) == {"0.4.0"} for role in ROLES)
    said = server.lab.type("phiomia upgrade status", user=USER).stdout
    assert "Every instruction of every release was executed at least once" in said
    assert "Nothing is left to do." in server.lab.type("phiomia upgrade instructions", user=USER).stdout


def test_what_cannot_serve_is_taken_back(server: LabServer) -> None:
    """A release that does not start leaves the one before it in service, whichever command was typed."""
    data = "/home/phiomia/app/shared/data"
    check_out(server, "0.5.0")
    with server.used("a release that does not start") as told:
        # Built while it looks well, broken when it starts.
        server.lab.type(f"PHIOMIA_DATA={data} phiomia step backup", user=USER)
        server.lab.type(f"touch {data}/broken", user=USER)
        assert server.lab.type("systemctl reload phiomia-web", check=False).returncode != 0
        assert versions(server.status(), "web") == {"0.4.0"}
        check_out(server, "0.4.0")
        check_out(server, "0.5.0")
        server.lab.type("systemctl restart phiomia-worker", check=False)
        server.lab.type("until systemctl is-active --quiet phiomia-worker; do sleep 0.2; done")
        assert versions(server.status(), "worker") == {"0.4.0"}
    assert told.failures == told.unheard == []
    assert any("0.5.0" in one for one in server.status()["problems"])
    server.lab.type(f"rm {data}/broken", user=USER)
    check_out(server, "0.4.0")


def test_going_back_by_hand(server: LabServer) -> None:
    """An older release is taken up as well, as far as the schema lets it."""
    assert "0.3.0 is older than 0.4.0" in check_out(server, "0.3.0")
    with server.used("going back") as told:
        server.manage("systemctl reload phiomia-web")
        server.manage("systemctl restart phiomia-worker")
    assert told.failures == told.unheard == []
    status = server.status()
    assert versions(status, "web") == versions(status, "worker") == {"0.3.0"}
    # Before 0.2.0 nobody knew how to live without what 0.3.0 has removed.
    check_out(server, "0.1.2")
    assert server.lab.type("systemctl reload phiomia-web", check=False).returncode != 0
    assert "needs release 0.2.0 or later" in server.journal("phiomia-web")
