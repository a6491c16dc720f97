"""`phiomia upgrade` on a server with PostgreSQL behind nginx, in a real systemd, while people use it.

The tests are one story of one server, in this order.
"""

from __future__ import annotations

import pytest
from lab_server import PROXY, UNITS, USER, LabServer
from test_page import ROLES, versions

pytestmark = [pytest.mark.timeout(600), pytest.mark.postgresql]
POSTGRESQL = True
STOCKED = ("0.3.0", "0.4.0")
TARGET = "0.4.0"


def shown(server: LabServer) -> str:
    """The release that is checked out."""
    return server.lab.type("cd ~/live && git describe --tags --exact-match", user=USER).stdout.strip()


def test_it_is_installed_onto_postgresql(server: LabServer) -> None:
    """Everything lies there, and nothing in a file of its own."""
    assert "postgresql://" in server.lab.type("cat /home/phiomia/app/shared/phiomia.toml", user=USER).stdout
    assert server.lab.type("ls /home/phiomia/app/shared/data/*.db", check=False).returncode != 0
    assert server.status()["installed"] == "0.1.0"


def test_one_command_does_it_all(server: LabServer) -> None:
    """From the oldest release over two legs to the newest; nobody notices."""
    with server.used("phiomia upgrade on PostgreSQL") as told:
        server.lab.type(f"phiomia upgrade {TARGET} --yes", user=USER)
    assert told.failures == told.unheard == []
    assert all(line["posts"] for line in told.lines)
    assert PROXY not in server.addresses or len(told.lines) == 2
    status = server.status()
    assert all(versions(status, role) == {TARGET} for role in ROLES)
    assert {one["step_id"] for one in status["executed"]} == {"tidy@1", "paint@1", "polish@1", "stumble@1"}
    assert status["missing"] == status["problems"] == []


def test_what_is_checked_out_is_what_runs(server: LabServer) -> None:
    """Whatever starts units afterwards, they stay with the release."""
    assert shown(server) == f"v{TARGET}"
    server.lab.type("cd ~/live && git checkout --quiet v0.1.0 && git checkout --quiet v0.4.0", user=USER)
    server.lab.type(f"systemctl restart {' '.join(UNITS)}")
    status = server.status()
    assert all(versions(status, role) == {TARGET} for role in ROLES)
    assert status["problems"] == []
