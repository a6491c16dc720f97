"""The unit of all roles in one that the documentation shows, under a real systemd, while people listen."""

from __future__ import annotations

import json
import re

import pytest
from lab_server import UNITS, LabServer
from release_world import ROOT
from test_streams import Audience

pytestmark = pytest.mark.timeout(600)

PAGE = ROOT / "docs/operate/run.md"
_OURS = "/home/phiomia/app/shared"


@pytest.fixture(scope="module")
def one_unit(server: LabServer) -> LabServer:
    """The server with the files of the page in place of its own units, where the page says that it lies."""
    lab = server.lab
    lab.type(f"systemctl stop {' '.join(UNITS)} phiomia-web.socket phiomia-streaming.socket")
    lab.type("ln -s /home/phiomia/app/current/venv /srv/phiomia/.venv && ln -s app/shared/data /home/phiomia/var")
    lab.type(f"ln -s /home/phiomia/var /srv/phiomia/var && cp -p {_OURS}/phiomia.toml {_OURS}/data/")
    for path, text in re.findall(
        r"```ini\n# (/etc/systemd/system/phiomia\.\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL
    ):
        lab.write(path, text)
    lab.type("systemctl daemon-reload && systemctl enable --now phiomia.socket phiomia.service")
    return server


def test_nobody_is_disconnected(one_unit: LabServer) -> None:
    """By a reload, a restart, and when the supervisor is killed; requests wait meanwhile."""
    audience = Audience(one_unit, ["10:127.0.0.1:3000"])
    try:
        for line in ("systemctl reload phiomia", "systemctl restart phiomia", "systemctl kill --signal=KILL phiomia"):
            before = supervisor(one_unit)
            audience.gap()
            if "kill" in line:
                # At first it may not be known yet that it is dead.
                others = f"case $(systemctl show -P MainPID phiomia) in 0|{before}) false ;; esac"
                line = f"kill -KILL {before} && until {others}; do sleep 0.2; done"
            one_unit.lab.type(line)
            one_unit.lab.type("until systemctl is-active --quiet phiomia; do sleep 0.2; done")
            assert (before == supervisor(one_unit)) == ("reload" in line)
            print(line, "longest silence:", audience.gap(), "s")
        told = audience.end()
    except BaseException:
        audience.process.kill()
        audience.process.communicate()
        raise
    assert told["posted"] > 0 and told["listeners"] == 20, told
    wrong = {name: told[name] for name in ("ended", "lost", "twice", "moved") if told[name]}
    assert not wrong, f"{wrong}\n{one_unit.journal('phiomia')}"


def supervisor(server: LabServer) -> int:
    """The process that systemd knows."""
    told = json.loads(server.lab.type(f"cat {_OURS}/data/run/status.json").stdout)
    return int(told["pid"])
