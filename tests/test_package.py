"""The server as a package: built of what is here, installed by pip into an empty environment, used from a bare home."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import requests

from missing import miss
from phiomia.upgrade.build import find_uv
from server import START_SECONDS, RunningServer

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.timeout(300)


class PackagedServer(RunningServer):
    """A server whose program was installed by pip."""

    program: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """That of somebody who has nothing yet."""
        own = {name: value for name, value in super().environment.items() if name.startswith("PHIOMIA_")}
        return {**own, "HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

    def start(self, *options: str) -> None:
        """Starts it and waits until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", *options],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "the server serves", START_SECONDS)

    def ask(self, *arguments: str) -> str:
        """What its command prints, wherever it prints it."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`phiomia` of an environment into which pip has put the wheel; libraries are those of the tests."""
    folder = tmp_path_factory.mktemp("package")
    packages = folder / "venv" / f"lib/python{sysconfig.get_python_version()}/site-packages"
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    options = ("--quiet", "--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check")
    # Out of its wheel: to install pip as well would take longer than to install this.
    _run(str(folder / "venv/bin/python"), f"{_find_pip()}/pip", "install", *options, str(_build_wheel(folder)))
    return folder / "venv/bin/phiomia"


@pytest.fixture(scope="module")
def server(program: Path, tmp_path_factory: pytest.TempPathFactory) -> PackagedServer:
    """Not started yet."""
    made = PackagedServer(tmp_path_factory.mktemp("packaged"))
    made.program, made.home = program, tmp_path_factory.mktemp("home")
    return made


def test_it_serves(server: PackagedServer) -> None:
    """Templates, styles and migrations came along: it needs nothing of the checkout."""
    with server:
        page = requests.get(server.url, timeout=START_SECONDS)
        assert page.ok and "<html" in page.text
        sheet = page.text.partition('href="/static/style.')[2].partition('"')[0]
        assert requests.get(f"{server.url}/static/style.{sheet}", timeout=START_SECONDS).ok
        assert server.sign_up("packaged").id
        assert "tables up to date" in server.ask("doctor")
    assert list(server.home.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["upgrade status", "upgrade instructions", "upgrade plan", "step --list", "install"]
)
def test_what_needs_a_checkout_says_so(server: PackagedServer, command: str) -> None:
    """No words of git's, which nobody has typed."""
    said = server.ask(*command.split())
    assert "fatal:" not in said and "Traceback" not in said
    assert ("checkout" in said and "phiomia install" in said) or "clone the repository" in said


def test_it_installs_out_of_a_checkout(server: PackagedServer, tmp_path: Path) -> None:
    """Who has the package and is in a clone need not build a second environment."""
    clone = tmp_path / "clone"
    _run("git", "clone", "--quiet", "--no-checkout", "--shared", str(ROOT), str(clone))
    _run("git", "-C", str(clone), "checkout", "--quiet", "HEAD", "--", "src")
    home, server.home = server.home, clone
    try:
        assert f"cloned from {clone}" in server.ask("install", "--prefix", str(tmp_path / "p"), "--dry-run").replace(
            "would be ", ""
        )
    finally:
        server.home = home


def _find_pip() -> Path:
    """The wheel of pip from which the interpreter would install it."""
    folders = (
        Path(ensurepip.__file__).parent / "_bundled",
        Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or os.devnull),
    )
    found = [path for folder in folders for path in folder.glob("pip-*.whl")]
    assert found, "the interpreter has no pip (on Debian: apt install python3-venv)"
    return found[0]


def _build_wheel(folder: Path) -> Path:
    uv = find_uv()
    if uv is None:
        miss("uv is not installed")
    # Offline first: what builds it has mostly been here before.
    for more in (["--offline"], []):
        command = [uv, "build", "--quiet", "--wheel", *more, "--out-dir", str(folder / "dist"), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            [wheel] = (folder / "dist").glob("*.whl")
            return wheel
    pytest.fail(done.stderr)


def _run(*command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
