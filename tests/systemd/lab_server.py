"""A server that is installed in a laboratory as operators would, and people who use it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import PACKAGES, PREFIX, PYTHON, Laboratory
from release_world import Repository

USER = "phiomia"
ADDRESS = "127.0.0.1:3000"
NAME = "social.example"
UNITS = ("phiomia-worker", "phiomia-streaming", "phiomia-web")
LOAD = Path(__file__).with_name("load.py")
_DATA = "/home/phiomia/app/shared/data"
_PATIENCE_S = 90.0
# Libraries come from the environment of the tests: what installs them has tests of its own.
_UV = f"""#!{PYTHON}
import os, pathlib
venv = pathlib.Path(os.environ["UV_PROJECT_ENVIRONMENT"])
packages = venv / "lib" / "{PYTHON.name}" / "site-packages"
packages.mkdir(parents=True)
(venv / "bin").mkdir()
(venv / "bin" / "python").symlink_to("{PYTHON}")
(venv / "pyvenv.cfg").write_text("home = {PYTHON.parent}\\n")
(packages / "libraries.pth").write_text("{PACKAGES}\\n")
"""
# Homes are hidden from the server, and the interpreter of the tests may lie in one. 0.5.0 asks for the variable.
_DROP_IN = f"[Service]\nBindReadOnlyPaths={PREFIX} {PACKAGES}\nEnvironment=PHIOMIA_DATA={_DATA}\n"


class Told(dict[str, Any]):
    """What people have seen."""


class LabServer:
    """The server of made-up releases."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.lab = Laboratory()
        self.token = ""

    def install(self, version: str) -> None:
        """Installs a release as root does, and starts it."""
        lab = self.lab
        lab.copy(self.repository.root, "/srv/origin")
        lab.write("/usr/local/bin/uv", _UV, 0o755)
        for unit in UNITS:
            lab.write(f"/etc/systemd/system/{unit}.service.d/laboratory.conf", _DROP_IN)
        lab.type("git config --system safe.directory '*'")
        lab.type(f"git clone --quiet /srv/origin /srv/phiomia && git -C /srv/phiomia checkout --quiet v{version}")
        self.install_said = self.run_install("--domain", NAME)
        lab.type("printf '\\n[rate_limits]\\nenabled = false\\n' >>/home/phiomia/app/shared/phiomia.toml")
        lab.type("phiomia accounts create alice --email alice@mail.example --role owner --confirmed")
        self.token = lab.type("phiomia tokens create alice").stdout.strip()
        lab.type(f"systemctl start phiomia-web.socket phiomia-streaming.socket {' '.join(UNITS)}")

    def run_install(self, *options: str, check: bool = True) -> str:
        """What `phiomia install` says, run from a checkout of root's."""
        environment = f"PYTHONPATH=/srv/phiomia/src:{PACKAGES}"
        done = self.lab.run("env", environment, str(PYTHON), "-P", "-m", "phiomia", "install", *options, check=check)
        return done.stdout if check else done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        """What `phiomia upgrade status` knows."""
        told: dict[str, Any] = json.loads(self.lab.type("phiomia upgrade status --json", check=False).stdout)
        return told

    def journal(self, unit: str) -> str:
        """What a unit has logged."""
        return self.lab.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout

    @contextmanager
    def used(self) -> Iterator[Told]:
        """People use it meanwhile; afterwards they tell."""
        folder = Path(tempfile.mkdtemp(prefix="phiomia-load-"))
        counter = folder / "answered"
        # From outside, for their files; the network is that in there.
        command = ["nsenter", f"--target={self.lab.init}", "--net", "--", sys.executable, str(LOAD)]
        told = Told()
        process = subprocess.Popen(
            [*command, ADDRESS, NAME, self.token, str(counter)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _await_more(counter)
            yield told
            _await_more(counter)
        finally:
            process.terminate()
            said, complaints = process.communicate(timeout=_PATIENCE_S * 2)
            shutil.rmtree(folder)
        assert process.returncode == 0, complaints
        told.update(json.loads(said))


def _await_more(counter: Path) -> None:
    """Waits until some dozens more were answered."""
    wanted, deadline = _read(counter) + 60, time.monotonic() + _PATIENCE_S
    while _read(counter) < wanted:
        assert time.monotonic() < deadline, "nobody is answered"
        time.sleep(0.05)


def _read(counter: Path) -> int:
    text = counter.read_text() if counter.exists() else ""
    return int(text or 0)


def commands_of(printed: str, heading: str) -> list[str]:
    """The commands below a heading of the printed instructions."""
    found = re.search(rf"^{heading}.*\n((?:  .*\n?)+)", printed, re.MULTILINE)
    return [line.partition("#")[0].strip() for line in found[1].splitlines()] if found else []
