"""A server that is installed in a laboratory as operators would, and people who use it, also through nginx.

With PHIOMIA_TEST_REAL_UV set, releases get libraries of their own from uv's cache, which takes much longer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import PACKAGES, PREFIX, PYTHON, UV_CACHE, Laboratory
from release_world import ROOT, Installation, Repository, make_uv, settle

from postgresql import find_programs

USER = "phiomia"
DIRECT = "http://127.0.0.1:3000"
PROXY = "https://127.0.0.1"
NAME = "social.example"
_SETTINGS = """
[rate_limits]
enabled = false

[processes]
canary_seconds = 0.5

[upgrade]
observe_s = 5
"""
UNITS = ("phiomia-worker", "phiomia-streaming", "phiomia-web")
LOAD = Path(__file__).with_name("load.py")
_APP = "/home/phiomia/app"
_DATA = f"{_APP}/shared/data"
_CLUSTER = "/srv/postgresql"
_DATABASE = "postgresql://phiomia@127.0.0.1/phiomia"
_CERTIFICATE = f"/etc/letsencrypt/live/{NAME}"
_PATIENCE_S = 90.0
# What is compiled of the sources that the releases are made of.
_COMPILED = "/srv/compiled"
_REAL_UV = f"""#!/bin/sh
export UV_CACHE_DIR={UV_CACHE} UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
exec {PREFIX}/bin/uv --offline "$@"
"""
# Homes are hidden from the server, and the interpreter of the tests may lie in one. 0.5.0 asks for the variable.
_DROP_IN = f"[Service]\nBindReadOnlyPaths={PREFIX} {PACKAGES}\nEnvironment=PHIOMIA_DATA={_DATA}\n"


class Told:
    """What people have seen."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.streams: list[dict[str, Any]] = []

    @property
    def failures(self) -> list[str]:
        """Requests that were not answered as they should."""
        return [failure for line in self.lines for failure in line["failures"]]

    @property
    def unheard(self) -> list[str]:
        """What those who listen have missed, or heard twice."""
        return [
            f"{one['address']}: {one['drops'] or ''} {one['lost']} lost, {one['twice']} twice"
            for one in self.streams
            if one["drops"] or one["lost"] or one["twice"]
        ]

    @property
    def pause(self) -> float:
        """For how long nobody was answered, wherever that was longest."""
        return max(float(line["pause"]) for line in self.lines)

    @property
    def figures(self) -> dict[str, Any]:
        """What is worth writing down."""
        lines = [{**line, "failures": len(line["failures"])} for line in self.lines]
        return {"requests": lines, "streams": [{**one, "drops": len(one["drops"])} for one in self.streams]}


class LabServer:
    """The server of made-up releases."""

    def __init__(self, repository: Repository, *, postgresql: bool = False) -> None:
        self.repository = repository
        self.lab = Laboratory()
        self.postgresql = postgresql
        self.token = ""
        self.addresses = [DIRECT]
        self.has_polkit = False
        self.figures: dict[str, Any] = {}

    def install(self, version: str, *, trusting: bool = False) -> None:
        """Installs a release as root does, and starts it; where building is not the subject, with trust in it."""
        lab = self.lab
        lab.copy(self.repository.root, "/srv/origin")
        lab.copy(ROOT / "src", _COMPILED)
        lab.type(f"chmod -R a+rX {_COMPILED}")
        # Libraries come from the environment of the tests: what installs them has tests of its own.
        fake = make_uv(str(PYTHON), str(PACKAGES), _COMPILED, trusting=trusting)
        lab.write("/usr/local/bin/uv", _REAL_UV if "PHIOMIA_TEST_REAL_UV" in os.environ else fake, 0o755)
        for unit in UNITS:
            lab.write(f"/etc/systemd/system/{unit}.service.d/laboratory.conf", _DROP_IN)
        lab.type("git config --system safe.directory '*'")
        lab.type(f"git clone --quiet /srv/origin /srv/phiomia && git -C /srv/phiomia checkout --quiet v{version}")
        more = ("--database", self._start_database()) if self.postgresql else ()
        self.install_said = self.run_install("--domain", NAME, *more)
        for release in (self.app / "releases").glob(f"{version}-*"):
            settle(release)
        lab.type(f"printf '{_SETTINGS}' >>/home/phiomia/app/shared/phiomia.toml")
        lab.type("phiomia accounts create alice --email alice@mail.example --role owner --confirmed")
        self.token = lab.type("phiomia tokens create alice").stdout.strip()
        lab.type(f"systemctl start phiomia-web.socket phiomia-streaming.socket {' '.join(UNITS)}")
        self._start_proxy()
        self._start_polkit()

    @property
    def app(self) -> Path:
        """The directory of what is built, as it is seen from here."""
        return Path(f"/proc/{self.lab.init}/root{_APP}")

    def stock(self, builder: Installation, versions: Sequence[str]) -> None:
        """Puts releases there as if they had been built there."""
        for version in versions:
            builder.hand_over(version, self.app, Path(_APP))
        self.lab.type(f"chown -R {USER}: {_APP}/releases {_APP}/assets")

    def _start_database(self) -> str:
        lab, programs = self.lab, find_programs()
        lab.type(f"install -d -o postgres -m 700 {_CLUSTER}")
        lab.run("runuser", "-u", "postgres", "--", f"{programs}/initdb", "-A", "trust", "--no-sync", "-D", _CLUSTER)
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={_CLUSTER} -c fsync=off"
        run = "systemd-run --quiet --unit=lab-postgresql --property=Type=notify --uid=postgres"
        lab.type(f"{run} {programs}/postgres -D {_CLUSTER} {options}")
        for sql in ("CREATE ROLE phiomia LOGIN", "CREATE DATABASE phiomia OWNER phiomia"):
            lab.run(f"{programs}/psql", "--host", _CLUSTER, "-U", "postgres", "-qc", sql)
        return _DATABASE

    def _start_proxy(self) -> None:
        """nginx with the sample that the installer has written."""
        if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            return
        lab, sites = self.lab, "/etc/nginx/sites-"
        lab.type(f"mkdir -p {_CERTIFICATE} && rm -f {sites}enabled/* && mkdir -p /var/log/nginx")
        key = f"-keyout {_CERTIFICATE}/privkey.pem -out {_CERTIFICATE}/fullchain.pem"
        lab.type(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={NAME} {key}")
        # So that a process which is done need not wait long for what nginx keeps open.
        shorter = "sed 's/keepalive_timeout 60s/keepalive_timeout 2s/'"
        lab.type(f"{shorter} /home/phiomia/app/shared/nginx.sample >{sites}available/phiomia")
        lab.type(f"ln -s ../sites-available/phiomia {sites}enabled/ && systemctl start nginx")
        self.addresses.append(PROXY)

    def _start_polkit(self) -> None:
        if Path("/usr/lib/polkit-1/polkitd").exists() and shutil.which("dbus-daemon"):
            self.lab.type("systemctl start dbus polkit")
            self.has_polkit = True

    def manage(self, line: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A line with systemctl: the server's user types it where polkit lets them, else root."""
        return self.lab.type(line, user=USER if self.has_polkit else "", check=check)

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

    def boot_s(self, unit: str) -> float:
        """How long the last start of a unit took."""
        names = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        told = self.lab.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        values = dict(line.split("=") for line in told.split())
        return (int(values[names[1]]) - int(values[names[0]])) / 1e6

    @contextmanager
    def used(self, name: str) -> Iterator[Told]:
        """People use it meanwhile; afterwards they tell, and it is written down under that name."""
        folder = Path(tempfile.mkdtemp(prefix="phiomia-load-"))
        counter = folder / "answered"
        # From outside, for their files; the network is that in there.
        command = ["nsenter", f"--target={self.lab.init}", "--net", "--", sys.executable, str(LOAD)]
        told = Told()
        process = subprocess.Popen(
            [*command, NAME, self.token, str(counter), *self.addresses],
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
        seen = json.loads(said)
        told.lines, told.streams = seen["lines"], seen["streams"]
        self.figures[name] = told.figures
        for line in told.figures["requests"]:
            print(f"{name}, {line['address']}: {line['answers']} answers, {line['failures']} failures,", end=" ")
            print(f"longest pause {line['pause']} s")
        for one in told.figures["streams"]:
            print(f"{name}, {one['address']}: {one['heard']} events, {one['drops']} drops, {one['lost']} lost")


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
