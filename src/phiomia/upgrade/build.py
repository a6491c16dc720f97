"""Builds a release in a directory of its own: the code of its tag, its libraries, and a proof that it can be loaded.

Nothing that runs is touched, and whatever breaks it off, the next try begins anew. RELEASE.json comes last: with it
the release is there. Standard library only.
"""

import json
import os
import platform
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.ancestry import export_commit
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import Report
from phiomia.upgrade.run_building import BuildError, environment_of_builds, run_building
from phiomia.upgrade.versions import meets

MARK = "RELEASE.json"
_BUILDING = ".building-"
_UV_PLACES = ("~/.local/bin", "~/.cargo/bin", "/usr/local/bin")
# Everything that a process loads before it serves, endpoints and statements included, whose SQL is kept.
_PRELOAD = "import sys; from phiomia.preload import preload; preload(sys.argv[1])"
# Releases up to 0.2.0 have no such thing.
_LOAD = "import sys, phiomia.jobs, phiomia.cli.main; from phiomia.app import load_roles; load_roles(sys.argv[1])"
_COMMAND = """#!/bin/sh
exec "$(dirname -- "$(readlink -f -- "$0")")/python" -P -m phiomia "$@"
"""


class Release(NamedTuple):
    """A release that is built."""

    path: Path
    version: str
    commit: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "venv" / "bin" / "python"


def build_release(places: Places, version: str, commit: str, report: Report, *, offline: bool = False) -> Release:
    """The release, built if it is not there yet. Raises BuildError, GitError."""
    path = places.release_directory(version, commit)
    built = read_release(path)
    if built is not None:
        return built
    _clear_broken(places, path)
    _unpack(places, commit, path)
    python = _choose_python(path)
    report.say("installing its libraries")
    _install(places, path, python, offline)
    _add_own(path)
    report.say("compiling")
    run_building(
        [str(path / "venv/bin/python"), "-m", "compileall", "-q", "-j", "2", "src", "venv/lib"], path, "compile"
    )
    report.say("loading it once")
    for database in ("sqlite", "postgresql"):
        run_building(
            [str(path / "venv/bin/python"), "-P", "-c", _choose_loading(path), database], path, "load the release"
        )
    keep = [str(path / "venv/bin/python"), "-P", "-m", "phiomia.upgrade.assets", str(path), str(places.assets)]
    run_building(keep, path, "keep its web assets")
    _mark(path, version, commit)
    protect(path)
    return Release(path, version, commit)


def read_release(path: Path) -> Release | None:
    """The release in a directory; None when none has been finished there."""
    try:
        told = json.loads((path / MARK).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Release(path.resolve(), told["version"], told["commit"])


def list_releases(places: Places) -> list[Release]:
    """The releases that are built, the newest build first."""
    folders = [path for path in places.releases.iterdir() if path.is_dir()] if places.releases.is_dir() else []
    found = [release for release in map(read_release, folders) if release is not None]
    return sorted(found, key=lambda release: (release.path / MARK).stat().st_mtime, reverse=True)


def remove_release(path: Path) -> None:
    """Removes a release directory, protected or not."""
    path.chmod(0o755)
    # Without its mark it counts as broken, in case this is not finished.
    (path / MARK).unlink(missing_ok=True)
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o755)  # noqa: S103 (as it was)
    shutil.rmtree(path)


def protect(path: Path) -> None:
    """Takes away the right to write."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _protect_file(Path(folder) / name)
        os.chmod(folder, 0o555)  # noqa: S103 (like everything that is installed)


def _protect_file(file: Path) -> None:
    found = file.lstat()
    # Libraries are links to uv's own copies, whose rights are not ours to change.
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        file.chmod(found.st_mode & 0o555)


def _clear_broken(places: Places, path: Path) -> None:
    """Removes what an earlier try has left."""
    for left in (path, *places.releases.glob(f"{_BUILDING}*")):
        if left.exists():
            remove_release(left)


def _unpack(places: Places, commit: str, path: Path) -> None:
    from phiomia.upgrade.unpack import unpack  # who only asks what is built does without archives

    places.releases.mkdir(parents=True, exist_ok=True)
    building = places.releases / f"{_BUILDING}{path.name}"
    building.mkdir()
    unpack(export_commit(places.checkout, commit), building)
    # Its libraries are installed at the final place, because they write that down.
    building.rename(path)


def _choose_loading(path: Path) -> str:
    return _PRELOAD if (path / "src/phiomia/preload.py").exists() else _LOAD


def _choose_python(path: Path) -> str:
    """Our own interpreter if the release can live with it; else uv chooses."""
    import tomllib

    wanted = tomllib.loads((path / "pyproject.toml").read_text("utf-8")).get("project", {}).get("requires-python", "")
    own = getattr(sys, "_base_executable", sys.executable)
    return own if meets(platform.python_version(), wanted or ">=3.11") else ""


def _install(places: Places, path: Path, python: str, offline: bool) -> None:
    from phiomia.upgrade.install_wheels import has_wheels, install_wheels

    uv = find_uv()
    if offline and has_wheels(places.wheels, path):
        install_wheels(places.wheels, path, python or sys.executable, uv)
        return
    if uv is None:
        _install_with_pip(path, python or sys.executable, offline)
        return
    command = [uv, "sync", "--frozen", "--no-dev", "--no-install-project", "--quiet", "--no-progress"]
    command += ["--python", python] if python else []
    offered = [["--offline"]] if offline else [[], ["--offline"]]
    environment = {**environment_of_builds(), "UV_PROJECT_ENVIRONMENT": str(path / "venv")}
    for place, options in enumerate(offered):
        try:
            run_building([*command, *options], path, "install the libraries", environment)
            return
        except BuildError:
            # Without a network, what an earlier build has left may be enough.
            if place == len(offered) - 1:
                raise


def _install_with_pip(path: Path, python: str, offline: bool) -> None:
    from phiomia.upgrade.requirements import export_requirements

    requirements = path / "requirements.txt"
    requirements.write_text(export_requirements((path / "uv.lock").read_text("utf-8")), "utf-8")
    run_building([python, "-m", "venv", "venv"], path, "make the environment (is python3-venv installed?)")
    pip = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    options = ["--no-deps", *(["--no-index"] if offline else []), "--requirement", str(requirements)]
    run_building([*pip, *options], path, "install the libraries")


def find_uv() -> str | None:
    """The program uv, where it usually is."""
    folders = [os.environ.get("PATH", os.defpath), *map(os.path.expanduser, _UV_PLACES)]
    return shutil.which("uv", path=os.pathsep.join(folders))


def _add_own(path: Path) -> None:
    """Lets the environment find our code, without a build of it that nothing has locked."""
    packages = next(_site_packages(path), None)
    if packages is None:
        raise BuildError(f"{path / 'venv'} has no site-packages.")
    (packages / "phiomia.pth").write_text(f"{path / 'src'}\n", "utf-8")
    command = path / "venv" / "bin" / "phiomia"
    command.write_text(_COMMAND, "ascii")
    command.chmod(0o755)


def _site_packages(path: Path) -> Iterator[Path]:
    return (path / "venv" / "lib").glob("python*/site-packages")


def _mark(path: Path, version: str, commit: str) -> None:
    told = {
        "version": version,
        "commit": commit,
        "built_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
    }
    temporary = path / f".{MARK}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path / MARK)
