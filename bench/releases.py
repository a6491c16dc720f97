"""Releases to switch between: directories with code and an environment of their own, made in a moment.

The toy's code is a test's; the application's is a copy of this checkout under another version. An environment borrows
the packages of the one that runs us, unless it has another interpreter: then uv installs them, if it can.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from phiomia.platform.db.kept_statements import hash_sources

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
TOY = ROOT / "tests" / "platform"
_INSTALL_SECONDS = 120
_numbers = itertools.count(1)


def make_toy(folder: Path, mark: str, dependency: str = "1.0", interpreter: str = "") -> Path:
    """A release that answers with its mark, the version of its dependency and its interpreter's."""
    release = _new(folder, mark)
    packages = _make_environment(release, interpreter, SOURCE, TOY)
    told = packages / f"toy_dependency-{dependency}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-dependency\nVersion: {dependency}\n")
    (release / "venv" / "mark").write_text(mark)
    return release


def make_application(folder: Path, version: str, interpreter: str = "", broken: bool = False) -> Path:
    """Phiomia under another version; one that is broken can't be imported."""
    release = _new(folder, version)
    shutil.copytree(SOURCE, release / "src")
    told = release / "src" / "phiomia" / "__init__.py"
    told.write_text(f'"""A release of the bench."""\n\n__version__ = "{version}"\n')
    if broken:
        with (release / "src" / "phiomia" / "app.py").open("a") as file:
            file.write("\nimport no_such_module\n")
    _make_environment(release, interpreter, release / "src")
    # As a build does: who loads it while others are served should not compile as well.
    _run(
        str(release / "venv" / "bin" / "python"), "-m", "compileall", "-q", str(release / "src"), str(release / "venv")
    )
    _keep_statements(release / "src" / "phiomia")
    return release


def _keep_statements(package: Path) -> None:
    """Lets the copy have the SQL that is kept for the original: all that makes statements is the same."""
    before, now = (hash_sources(one).encode() for one in (SOURCE / "phiomia", package))
    for kept in (package / "__pycache__").glob("statements-*.msgpack"):
        kept.write_bytes(kept.read_bytes().replace(before, now, 1))


def switch(folder: Path, release: Path) -> Path:
    """Points `current` to the release, in one step; gives the link."""
    following = folder / f"next-{next(_numbers)}"
    following.symlink_to(release)
    os.replace(following, folder / "current")
    return folder / "current"


def find_other_python() -> str:
    """An interpreter of another minor version than ours that we could run on; empty when there is none."""
    for candidate in _interpreters():
        asked = subprocess.run([candidate, "-c", "import sys; print(sys.version_info[1])"], capture_output=True)
        if asked.returncode == 0 and int(asked.stdout) != sys.version_info[1]:
            return candidate
    return ""


def _interpreters() -> Iterator[str]:
    named = os.environ.get("PHIOMIA_TEST_OTHER_PYTHON", "")
    if named:
        yield named
    for minor in range(11, 15):
        on_path = shutil.which(f"python3.{minor}")
        if on_path:
            yield on_path
        yield from map(str, sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3")))


def _new(folder: Path, name: str) -> Path:
    release = folder / "releases" / f"{name}-{next(_numbers)}"
    release.mkdir(parents=True)
    return release


def _make_environment(release: Path, interpreter: str, *code: Path) -> Path:
    venv = release / "venv"
    if interpreter:
        command = ("uv", "sync", "-q", "--frozen", "--no-dev", "--no-install-project", "--python", interpreter)
        _run(*command, UV_PROJECT_ENVIRONMENT=str(venv))
        packages = next((venv / "lib").glob("python3.*")) / "site-packages"
        borrowed: list[str] = []
    else:
        packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        packages.mkdir(parents=True)
        (venv / "bin").mkdir()
        ours = os.path.realpath(sys.executable)
        (venv / "bin" / "python").symlink_to(ours)
        (venv / "pyvenv.cfg").write_text(f"home = {os.path.dirname(ours)}\n")
        borrowed = [sysconfig.get_paths()["purelib"]]
    (packages / "paths.pth").write_text("".join(f"{path}\n" for path in (*code, *borrowed)))
    return packages


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])}: {done.stderr[-2000:]}")
    return done.stdout
