"""Runs the tests of the release before on the schema of this one, and tests of this one before anything is removed.

The release before is found by the commit that added its manifest, so no tag is needed. Its own tests make its
databases as always, but what prepares them is first that release and then this one's `expand`, as in an upgrade.
What its tests got wrong in its own tree stands in own_mistakes.toml.

    python tests/upgrade/previous.py [--sample 100] [--release 0.1.0]      # 0: all of them
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from phiomia import __version__
from phiomia.upgrade.build import find_uv
from phiomia.upgrade.release_rules import Cut, find_cut, find_previous

ROOT = Path(__file__).resolve().parents[2]
OWN_MISTAKES = Path(__file__).with_name("own_mistakes.toml")
TESTS = ("tests/api", "tests/domain")
SAMPLE = 100
# More than these fail for one reason; running each again would only take long.
_MANY = 40

# Loading these plugins takes longer than running a few tests, and none of them says whether one fails.
_WITHOUT = ("-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:schemathesis", "-p", "no:cacheprovider")

# In the copy of a release whose tests run, this takes the place of what prepares databases.
_PREPARE = '''

_upgrade_of_this_release = upgrade


async def upgrade(database_url, *, report=None, place=None):
    """First as the older release does it, then what the newer one adds."""
    import os
    import subprocess

    applied = []
    for python, source, verb in {makers!r}:
        run = f"import asyncio, sys; from phiomia.upgrade import schema; asyncio.run(schema.{{verb}}(sys.argv[1]))"
        command = [python, "-P", "-c", run, database_url]
        done = subprocess.run(command, env=dict(os.environ, PYTHONPATH=source), capture_output=True, text=True)
        if done.returncode:
            raise SchemaError(f"{{source}}: {{done.stderr}}")
    return applied
'''
# Tests from all over, in equal distances, so that few of them see much; those that fail are written down.
_SAMPLER = """
def pytest_collection_modifyitems(config, items):
    wanted, skipped = {wanted}, {skipped}
    kept = [
        item
        for item in items
        if not (item.get_closest_marker("node") or item.get_closest_marker("browser"))
        and item.nodeid.partition("[")[0] not in skipped
    ]
    if 0 < wanted < len(kept):
        kept = [kept[place * len(kept) // wanted] for place in range(wanted)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _note(report):
    if report.failed:
        with open({failures!r}, "a") as file:
            file.write(report.nodeid.partition("[")[0] + chr(10))


pytest_runtest_logreport = pytest_collectreport = _note
"""


class Tree:
    """A release to run tests of: its files, and the interpreter with its libraries."""

    def __init__(self, root: Path, python: Path | str = sys.executable) -> None:
        self.root = root
        self.python = str(python)

    @property
    def source(self) -> str:
        """What `import phiomia` finds."""
        return str(self.root / "src")


def export(commit: str, to: Path, root: Path = ROOT) -> Tree:
    """The files of a commit with an environment of its own; that of these tests where the lock is the same."""
    packed = subprocess.run(["git", "-C", root, "archive", "--format=tar", commit], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(to, filter="data")
    lock = root / "uv.lock"
    is_alike = lock.exists() and lock.read_bytes() == (to / "uv.lock").read_bytes()
    tree = Tree(to) if is_alike else Tree(to, build_environment(to))
    # Copies are made of it, and each would be compiled anew.
    subprocess.run([tree.python, "-m", "compileall", "-q", "-j", "2", tree.source], cwd=to, check=True)
    return tree


def build_environment(folder: Path) -> Path:
    """The interpreter of an environment with the locked libraries, those for tests among them."""
    uv = find_uv()
    assert uv is not None, "uv is not installed"
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / "venv")}
    for name in ("VIRTUAL_ENV", "PYTHONPATH"):
        environment.pop(name, None)
    for offline in (["--offline"], []):
        command = [uv, "sync", "--frozen", "--no-install-project", "--quiet", "--python", sys.executable, *offline]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin" / "python"


class Outcome(NamedTuple):
    """What came of a run of tests: what pytest says of it, which functions failed, and what it printed."""

    status: int
    failed: tuple[str, ...]
    said: str


class Bench:
    """A copy of a release in which its tests run, on databases that it makes and then perhaps a newer one adds to."""

    def __init__(self, tests: Tree, makers: Sequence[tuple[Tree, str]], folder: Path) -> None:
        self.root, self.folder = folder / "under-test", folder
        shutil.copytree(tests.root, self.root, symlinks=True, ignore=shutil.ignore_patterns("venv"))
        named = [(one.python, one.source, verb) for one, verb in makers]
        schema = self.root / "src/phiomia/upgrade/schema.py"
        schema.write_text(schema.read_text("utf-8") + _PREPARE.format(makers=named), "utf-8")
        self._python = _make_interpreter(tests.python, self.root / "src", folder / "venv")

    def run(self, which: Sequence[str] = TESTS, *, sample: int = 0, skipped: Sequence[str] = ()) -> Outcome:
        """Runs its tests, or so many of them, which then say less of why they fail."""
        with tempfile.TemporaryDirectory(dir=self.folder) as own:
            failures = Path(own, "failures")
            sampler = _SAMPLER.format(wanted=sample, skipped=tuple(skipped), failures=str(failures))
            Path(own, "sampled.py").write_text(sampler, "utf-8")
            options: tuple[str, ...] = ("-q", "-p", "sampled", *_WITHOUT)
            # Reading all assertions takes longer than running a few tests.
            options += ("--assert=plain",) if sample else ()
            there = [name for name in which if (self.root / name.partition("::")[0]).exists()]
            done = subprocess.run(
                [self._python, "-m", "pytest", *options, f"--basetemp={own}/tmp", *there],
                cwd=self.root,
                env={**os.environ, "PYTHONPATH": f"{self.root / 'src'}{os.pathsep}{own}"},
                capture_output=True,
                text=True,
            )
            failed = dict.fromkeys(failures.read_text().splitlines()) if failures.exists() else ()
        return Outcome(done.returncode, tuple(failed), f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}".strip())


def _make_interpreter(python: str, source: Path, folder: Path) -> Path:
    """One that imports a release from there and its libraries from elsewhere, also where no variable says so."""
    ask = "import sys, sysconfig; print(sysconfig.get_paths()['purelib'], sys._base_executable, sep=chr(10))"
    told = subprocess.run([python, "-P", "-c", ask], capture_output=True, text=True, check=True).stdout.splitlines()
    libraries, base = told[0], os.path.realpath(told[1])
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(base).parent}\n")
    (packages / "release.pth").write_text(f"{source}\n{libraries}\n")
    return folder / "bin" / "python"


class Check:
    """A release's tests on the schema of another, compared with those on its own where they fail."""

    def __init__(self, name: str, tests: Tree, older: Tree, newer: Tree, folder: Path) -> None:
        self.name, self.tests, self.folder = name, tests, folder
        both = folder / "both"
        both.mkdir(parents=True)
        self._both = Bench(tests, [(older, "upgrade"), (newer, "apply_expand")], both)

    @cached_property
    def _own(self) -> Bench:
        # A copy of its own, which nobody needs as long as nothing fails.
        own = self.folder / "own"
        own.mkdir()
        return Bench(self.tests, [(self.tests, "upgrade")], own)

    def run(self, *, sample: int = SAMPLE, which: Sequence[str] = TESTS, mistakes: Sequence[str] = ()) -> list[str]:
        """What is wrong. With no sample the mistakes are looked at as well."""
        found = self._both.run(which, sample=sample, skipped=mistakes)
        print(f"{self.name}: {found.said.rpartition(chr(10))[2]}", file=sys.stderr)
        if found.status != 0 and (found.status != 1 or len(found.failed) > _MANY):
            return [f"{self.name}:\n{found.said}"]
        wrong = self._judge(found) if found.failed else []
        stale = set(mistakes) - set(self._own.run(mistakes).failed) if mistakes and not sample else set()
        return [*wrong, *(f"{one} does not fail in {self.name}: take it out of {OWN_MISTAKES.name}" for one in stale)]

    def _judge(self, found: Outcome) -> list[str]:
        theirs = self._own.run(found.failed).failed
        wrong = [
            f"{one} fails in {self.name}, but on its own schema too: what does it get wrong? See {OWN_MISTAKES.name}"
            for one in theirs
        ]
        left = [one for one in found.failed if one not in theirs]
        again = self._both.run(left) if left else None
        if again is not None and again.failed:
            wrong.append(f"{self.name}: {', '.join(again.failed)}\n{again.said}")
        for one in left:
            if again is not None and one not in again.failed:
                print(f"{one} passed the second time", file=sys.stderr)
        return wrong


def read_mistakes(version: str) -> list[str]:
    """The tests of a release that fail in itself."""
    listed = tomllib.loads(OWN_MISTAKES.read_text("utf-8"))["test"]
    return [one["name"] for one in listed if version in one["releases"]]


def check_previous(found: Cut, folder: Path, sample: int = SAMPLE, root: Path = ROOT) -> list[str]:
    """Both directions for the release before; gives what went wrong."""
    (folder / "before").mkdir()
    before, now = export(found.commit, folder / "before", root), Tree(root)
    older = Check(f"{found.version} on the schema of this release", before, before, now, folder / "older")
    wrong = older.run(sample=sample, mistakes=read_mistakes(found.version))
    (folder / "now").mkdir()
    here = _copy_of_this(folder / "now", root)
    return wrong + Check("this release before contract", here, before, now, folder / "newer").run(sample=sample)


def _copy_of_this(to: Path, root: Path) -> Tree:
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
    for path in (root / "src").rglob("*.pyc"):
        # With the times of the sources, so that nothing need be compiled again.
        if (copied := to / path.relative_to(root)).parent.parent.is_dir():
            copied.parent.mkdir(exist_ok=True)
            shutil.copy2(path, copied)
    return Tree(to)


def main() -> int:
    """Does it on the command line; gives the exit status."""
    parser = argparse.ArgumentParser(description="Tests of the release before on the schema of this one.")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many tests; 0: all")
    parser.add_argument("--release", help="instead of the release before")
    options = parser.parse_args()
    found = find_cut(ROOT, options.release) if options.release else find_previous(ROOT, __version__)
    if found is None:
        print(f"There is no such release here: {options.release or f'before {__version__}'}.")
        return bool(options.release)
    with tempfile.TemporaryDirectory(prefix="phiomia-previous-") as folder:
        wrong = check_previous(found, Path(folder), options.sample)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
