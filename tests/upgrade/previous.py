"""Runs the tests of the release before on the schema of this one, and tests of this one before anything is removed.

The release before is found by the commit that added its manifest, so no tag is needed. Its own tests make its
databases as always, but what prepares them is first that release and then this one's `expand`, as in an upgrade.

    python tests/upgrade/previous.py [--sample 150]      # 0: all of them
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from phiomia import __version__
from phiomia.upgrade.build import find_uv
from phiomia.upgrade.release_rules import Cut, find_previous

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/api", "tests/domain")
SAMPLE = 60

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
# Tests from all over, in equal distances, so that few of them see much.
_SAMPLER = """
def pytest_collection_modifyitems(config, items):
    wanted = {wanted}
    kept = [item for item in items if not (item.get_closest_marker("node") or item.get_closest_marker("browser"))]
    if 0 < wanted < len(kept):
        kept = [kept[place * len(kept) // wanted] for place in range(wanted)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
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
    if lock.exists() and lock.read_bytes() == (to / "uv.lock").read_bytes():
        return Tree(to)
    return Tree(to, build_environment(to))


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


def run_tests(
    tests: Tree, older: Tree, newer: Tree, folder: Path, *, sample: int = SAMPLE, which: tuple[str, ...] = TESTS
) -> subprocess.CompletedProcess[str]:
    """Runs a release's tests on databases that the older one made and the newer one added to."""
    ours = folder / "under-test"
    shutil.copytree(tests.root, ours, symlinks=True, ignore=shutil.ignore_patterns("venv", "__pycache__"))
    makers = [(older.python, older.source, "upgrade"), (newer.python, newer.source, "apply_expand")]
    schema = ours / "src/phiomia/upgrade/schema.py"
    schema.write_text(schema.read_text("utf-8") + _PREPARE.format(makers=makers), "utf-8")
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "sampled.py").write_text(_SAMPLER.format(wanted=sample), "utf-8")
    command = [tests.python, "-m", "pytest", "-q", "-p", "sampled", "-p", "no:schemathesis", "-p", "no:cacheprovider"]
    there = [name for name in which if (ours / name.partition("::")[0]).exists()]
    return subprocess.run(
        [*command, f"--basetemp={folder / 'tmp'}", *there],
        cwd=ours,
        env={**os.environ, "PYTHONPATH": f"{ours / 'src'}{os.pathsep}{plugins}"},
        capture_output=True,
        text=True,
    )


def check_previous(found: Cut, folder: Path, sample: int = SAMPLE, root: Path = ROOT) -> list[str]:
    """Both directions for the release before; gives what went wrong."""
    (folder / "before").mkdir()
    before, now = export(found.commit, folder / "before", root), Tree(root)
    wrong = []
    for name, tests in (
        (f"{found.version} on the schema of this release", before),
        ("this release before contract", now),
    ):
        if tests is now:
            (folder / "now").mkdir()
            tests = _copy_of_this(folder / "now", root)
        own = folder / name.partition(" ")[0]
        own.mkdir()
        done = run_tests(tests, before, now, own, sample=sample)
        print(f"{name}: {done.stdout.strip().rpartition(chr(10))[2]}", file=sys.stderr)
        if done.returncode:
            wrong.append(f"{name}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
    return wrong


def _copy_of_this(to: Path, root: Path) -> Tree:
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, to / name)
    return Tree(to)


def main() -> int:
    """Does it on the command line; gives the exit status."""
    parser = argparse.ArgumentParser(description="Tests of the release before on the schema of this one.")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many tests; 0: all")
    found = find_previous(ROOT, __version__)
    options = parser.parse_args()
    if found is None:
        print(f"There is no release before {__version__} here.")
        return 0
    with tempfile.TemporaryDirectory(prefix="phiomia-previous-") as folder:
        wrong = check_previous(found, Path(folder), options.sample)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
