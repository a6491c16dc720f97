"""A laboratory: a real systemd as the first process of namespaces of their own, on a copy of this machine's files.

Nothing that happens in it stays: its files lie in memory, its network is its own. It needs root and a kernel that
lets root make namespaces; `why_not` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from pathlib import Path

BOOT = Path(__file__).with_name("boot.sh")
NAMESPACES = ("mount", "pid", "cgroup", "net", "uts", "ipc")
# The interpreter and the libraries of the tests lie in there where they lie outside.
PREFIX = Path(sys.base_prefix)
PYTHON = PREFIX / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
PACKAGES = Path(sysconfig.get_paths()["purelib"])
# Where uv finds what it has downloaded before, when that is wanted.
UV_CACHE = "/srv/uv"
_BOOT_S = 60.0


def why_not() -> str:
    """Why there can be no laboratory here; empty when there can."""
    if os.geteuid() != 0:
        return "a systemd of its own needs root (namespaces, mounts)"
    for program in ("unshare", "nsenter", "pivot_root", "systemctl", "ip", "useradd", "git"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if _cgroups() is None:
        return "there is no second version of control groups"
    flags = [f"--{name}" for name in NAMESPACES]
    # What is forbidden to containers shows here.
    probe = (
        'mount -t tmpfs t "$1" && cd "$1" && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m'
    )
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["unshare", *flags, "--fork", "sh", "-c", probe, "sh", folder], capture_output=True, text=True
        )
    return "" if tried.returncode == 0 else f"namespaces can't be made here: {tried.stderr.strip()}"


class Laboratory:
    """One boot of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="phiomia-lab-"))
        found = _cgroups()
        assert found is not None
        self.group = found / f"phiomia-lab-{uuid.uuid4().hex[:8]}"
        self.group.mkdir()
        command = ["unshare", *(f"--{name}" for name in NAMESPACES), "--fork", "--kill-child", "--propagation=private"]
        command += ["sh", str(BOOT), str(self.folder), str(PREFIX), str(PACKAGES), _find_cache()]
        self.log = self.folder.with_suffix(".log")
        with self.log.open("wb") as log:
            # Its groups lie below this one, so that they neither see nor touch those of the machine.
            self.process = subprocess.Popen(
                ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", str(self.group), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.init = 0
        self._await_boot()

    def _await_boot(self) -> None:
        deadline = time.monotonic() + _BOOT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            self.init = self.init or self._find_init()
            if self.init and self.run("systemctl", "is-active", "lab.target", check=False).stdout.strip() == "active":
                return
            time.sleep(0.1)
        said = self.log.read_text()
        self.close()
        raise RuntimeError(f"the laboratory did not boot: {said}")

    def _find_init(self) -> int:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in found:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return int(pid)
        return 0

    def enter(self, *command: str) -> list[str]:
        """The command as it is started from outside to be in there."""
        inside = ["env", "-i", f"PATH=/usr/local/bin:/usr/sbin:/sbin:{os.defpath}", "HOME=/root", "LANG=C.UTF-8"]
        flags = [f"--{name}" for name in NAMESPACES]
        return [
            "nsenter",
            f"--target={self.init}",
            *flags,
            "--",
            *inside,
            "sh",
            "-c",
            'cd / && exec "$@"',
            "sh",
            *command,
        ]

    def run(self, *command: str, check: bool = True, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """A command of root's in there."""
        done = subprocess.run(
            self.enter(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
            lately = self.run("journalctl", "--no-pager", "--lines=60", check=False).stdout
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{lately}")
        return done

    def type(self, line: str, *, user: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """A line as somebody types it in a login shell; root's unless it is another's."""
        return self.run(*(["runuser", "-l", user, "-c", line] if user else ["bash", "-lc", line]), check=check)

    def copy(self, source: Path, to: str) -> None:
        """Copies a directory into it."""
        copied = Path(f"/proc/{self.init}/root{to}")
        shutil.copytree(source, copied, symlinks=True)
        copied.chmod(0o755)  # temporary directories are for their owner only

    def write(self, to: str, text: str, mode: int = 0o644) -> None:
        """Writes a file in it."""
        path = Path(f"/proc/{self.init}/root{to}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def close(self) -> None:
        """Ends everything in there."""
        self.process.kill()  # its child with it, and with that all the others
        self.process.wait()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                _remove_groups(self.group)
                break
            except OSError:
                time.sleep(0.1)
        self.folder.rmdir()
        self.log.unlink()


def _find_cache() -> str:
    if "PHIOMIA_TEST_REAL_UV" not in os.environ:
        return ""
    return subprocess.run(
        [str(PREFIX / "bin/uv"), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _cgroups() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(place)
    return None


def _remove_groups(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)
