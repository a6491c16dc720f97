"""A made-up history of releases of the present code, installed in a folder of its own, with its server if asked for.

0.1.0 is where everybody begins. 0.1.1 and 0.1.2 are patches, the first with an instruction. 0.2.0 adds to the schema,
0.3.0 removes from it, 0.4.0 builds on what was removed. 0.5.0 can't serve.

They are made of the last commit and the changes to files that git knows. Where these don't load, because somebody is
in the middle of something, of the commit alone. PHIOMIA_TEST_COMMIT names another commit, without changes.
"""

from __future__ import annotations

import ast
import datetime
import fcntl
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import warnings
import weakref
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from shelf import Shelf, copy_release

from phiomia.cli.main import main
from phiomia.upgrade.build import read_release, remove_release
from phiomia.upgrade.database import connect
from phiomia.upgrade.manifest import Change, Manifest, Restart, Schema, Step, write_manifest
from phiomia.upgrade.places import Places
from scratch import find_scratch

ROOT = Path(__file__).resolve().parents[2]
_OURS = ("src", "pyproject.toml", "uv.lock")
SERVED = Restart(web="reload", workers="restart", streaming="handover")
_DAY = datetime.date(2026, 11, 30)
# The same releases are the same commits wherever they are made, so that one build of them will do.
_WHEN = "2020-01-01T12:00:00Z"

_STEPS = '''
"""Instructions of made-up releases: each leaves a line in the data directory."""

import os
from phiomia.platform.db import Query

async def _note(context, word):
    async with context.db.read() as session:
        await session.value(Query.raw(sqlite="SELECT count(*) FROM accounts"))
    with open(context.config.data_dir / "ran", "a") as file:
        file.write(word + "\\n")
        file.flush()
        os.fsync(file.fileno())

async def tidy(context):
    await _note(context, "tidy")

async def paint(context):
    await _note(context, "paint")

async def polish(context):
    await _note(context, "polish")

async def stumble(context):
    if (context.config.data_dir / "stumble").exists():
        raise RuntimeError("the floor is wet")
    await _note(context, "stumble")
'''

_BROKEN = """
import os

if os.path.exists(os.path.join(os.environ["PHIOMIA_DATA"], "broken")):
    raise RuntimeError("broken")
"""

_REVISION = '''"""Made up."""
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {needs!r}
{more}

def upgrade() -> None:
    {body}
'''
_MARVELS = """op.create_table(
        "marvels", sa.Column("id", sa.BigInteger(), nullable=False, primary_key=True), sa.Column("old", sa.Text())
    )"""


def _step(name: str, phase: str, **more: Any) -> Step:
    return Step(f"{name}@1", phase, f"Do {name}", f"phiomia.upgrade.made_up:{name}", reversible="noop", **more)


def copy_sources(to: Path) -> None:
    """Puts what a release is made of into a folder: the last commit, and what has changed since if that loads."""
    commit = os.environ.get("PHIOMIA_TEST_COMMIT", "")
    _unpack_commit(to, commit or "HEAD")
    changed = _git_here("diff", "HEAD", "--name-only", "-z", "--", *_OURS).decode().split("\0")
    if commit or not any(changed):
        return
    for name in filter(None, changed):
        (to / name).unlink(missing_ok=True)
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    check = [sys.executable, "-P", "-c", "import phiomia.app, phiomia.jobs, phiomia.side_effects, phiomia.cli.upgrade"]
    environment = {**os.environ, "PYTHONPATH": str(to / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(check, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        warnings.warn(f"what is changed but not committed does not load ({last}): left out of the test", stacklevel=2)
        shutil.rmtree(to / "src")
        _unpack_commit(to, "HEAD")


def _unpack_commit(to: Path, commit: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(_git_here("archive", "--format=tar", commit, "--", *_OURS))) as archive:
        archive.extractall(to, filter="data")


def _git_here(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Repository:
    """A git repository with those releases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests: dict[str, Manifest] = {}
        self._commits: dict[str, str] = {}
        compile_sources()
        copy_sources(root)
        (root / "src/phiomia/upgrade/made_up.py").write_text(_STEPS.lstrip())
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.email", "nobody@mail.example")
        self._git("config", "user.name", "Nobody")
        self._forget_contracts()
        self._make_releases(tuple(sorted(self._heads())))
        self._git("repack", "-a", "-d", "--quiet")

    @classmethod
    def take(cls, shelf: Shelf, root: Path) -> Self:
        """One for the caller alone, of which the first in a run of tests is made and the others are copies."""
        taken = shelf.take_tree(cls.__name__, root, cls)
        taken.root = root
        return taken

    def _make_releases(self, heads: tuple[str, ...]) -> None:
        self._release("0.1.0")
        self._release("0.1.1", steps=(_step("tidy", "config"),), restart=SERVED)
        self._release("0.1.2", restart=Restart(web="reload"))
        self._append("src/phiomia/web/static/style.css", "/* of 0.2.0 */")
        self._revision("expand", "e9001", heads, _MARVELS)
        self._release(
            "0.2.0",
            steps=(_step("paint", "backfill", needs=("migrate-expand",)),),
            restart=SERVED,
            schema=Schema(expand_head="e9001", expands=("e9001",)),
        )
        self._revision("contract", "c9001", None, 'op.drop_column("marvels", "old")', needs="e9001")
        self._release(
            "0.3.0",
            steps=(_step("polish", "config"), _step("tidy", "config")),
            restart=SERVED,
            schema=Schema(expand_head="e9001", contract_head="c9001", contracts=("c9001",)),
        )
        self._revision("expand", "e9002", "e9001", 'op.add_column("marvels", sa.Column("new", sa.Text()))', "c9001")
        self._release(
            "0.4.0",
            steps=(_step("stumble", "streaming"),),
            restart=SERVED,
            schema=Schema(expand_head="e9002", contract_head="c9001", expands=("e9002",), needs={"e9002": ("c9001",)}),
        )
        self._append("src/phiomia/app.py", _BROKEN)
        self._release("0.5.0", restart=SERVED)

    def commit_of(self, version: str) -> str:
        """The commit of a release."""
        return self._commits[version]

    def commit_after(self, version: str) -> str:
        """A commit that is no release, made of a release."""
        made = self._git("commit-tree", f"v{version}^{{tree}}", "-p", self.commit_of(version), "-m", "More").strip()
        self._git("update-ref", "refs/heads/more", made)
        return made

    def check_out(self, version: str) -> None:
        """Selects a release."""
        self._git("checkout", "--quiet", "--detach", f"v{version}")

    def _append(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(f"{path.read_text()}\n{text}\n")

    def _forget_contracts(self) -> None:
        # Real ones bar releases as old as these pretend to be, and what is filled in for them is none of theirs.
        folder = self.root / "src/phiomia/migrations"
        for path in (folder / "contract").glob("*.py"):
            path.unlink()
        expands = {head for head in self._heads() if head.startswith("e")}
        self._replace(folder / "__init__.py", r"^HEADS = .*$", f"HEADS = frozenset({expands!r})")
        listing = self.root / "src/phiomia/backfills.py"
        if not listing.exists():
            listing = listing.with_name("jobs.py")  # where earlier commits list them
        self._replace(listing, r"^BACKFILLS: (.*?) = .*$", r"BACKFILLS: \1 = ()")

    def _replace(self, path: Path, pattern: str, by: str) -> None:
        path.write_text(re.sub(pattern, by, path.read_text(), count=1, flags=re.MULTILINE))

    def _heads(self) -> set[str]:
        text = (self.root / "src/phiomia/migrations/__init__.py").read_text()
        found = re.search(r"^HEADS = frozenset\((\{.*?\})\)", text, re.MULTILINE | re.DOTALL)
        assert found is not None
        heads: set[str] = ast.literal_eval(found[1])
        return heads

    def _revision(
        self, branch: str, id_: str, down: str | tuple[str, ...] | None, body: str, needs: str | None = None
    ) -> None:
        folder = self.root / "src/phiomia/migrations"
        (folder / branch).mkdir(exist_ok=True)
        more = "MIN_CODE = '0.2.0'\nCOST = {'marvels': None}" if branch == "contract" else "COST = {'marvels': None}"
        labels = (branch,) if down is None else None
        text = _REVISION.format(id=id_, down=down, labels=labels, needs=needs, more=more, body=body)
        (folder / branch / f"{id_}_made_up.py").write_text(text)
        init = folder / "__init__.py"
        heads = {"e9001"} if id_ == "e9001" else {"e9001", "c9001"} if id_ == "c9001" else {"e9002", "c9001"}
        self._replace(init, r"^HEADS = .*$", f"HEADS = frozenset({heads!r})")

    def _release(self, version: str, **more: Any) -> None:
        manifest = Manifest(version, _DAY, changes=(Change("fixed", f"What {version} brings."),), **more)
        self.manifests[version] = manifest
        folder = self.root / "releases"
        folder.mkdir(exist_ok=True)
        (folder / f"{version}.toml").write_text(write_manifest(manifest))
        init = self.root / "src/phiomia/__init__.py"
        self._replace(init, r'^__version__ = ".*"', f'__version__ = "{version}"')
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"Release {version}")
        self._commits[version] = self._git("rev-parse", "HEAD").strip()
        self._git("tag", "--annotate", f"v{version}", "--message", version)

    def _git(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_AUTHOR_DATE": _WHEN, "GIT_COMMITTER_DATE": _WHEN}
        done = subprocess.run(["git", "-C", self.root, *arguments], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


# Takes the libraries of what runs the tests, and what is compiled of the same sources elsewhere.
_FAKE_UV = """#!{python}
import importlib.util, os, pathlib, struct, sys, time
time.sleep(60 if "SLOW_UV" in os.environ else 0)
venv = pathlib.Path(os.environ["UV_PROJECT_ENVIRONMENT"])
packages = venv / "lib" / ("python%d.%d" % sys.version_info[:2]) / "site-packages"
packages.mkdir(parents=True)
(venv / "bin").mkdir()
base = os.path.realpath({python!r})
(venv / "bin" / "python").symlink_to(base)
(venv / "pyvenv.cfg").write_text("home = " + os.path.dirname(base) + chr(10))
(packages / "libraries.pth").write_text({packages!r} + chr(10))

here = pathlib.Path.cwd() / "src"
others = [one / "src" for one in here.parent.parent.glob("[0-9]*") if one != here.parent]
others.append(pathlib.Path({compiled!r}))
# Where made-up releases differ from each other, and no statement is made and no table described.
differing = {{"__init__.py", "app.py", "backfills.py", "jobs.py", "upgrade/made_up.py"}}

def stamp(path):
    told = path.stat()
    return struct.pack("<4sLLL", importlib.util.MAGIC_NUMBER, 0, int(told.st_mtime) & 0xFFFFFFFF, told.st_size)

def read_sources(src):
    paths = ((path.relative_to(src / "phiomia").as_posix(), path) for path in (src / "phiomia").rglob("*.py"))
    kept = ((name, path) for name, path in paths if not name.startswith("migrations/") and name not in differing)
    return {{name: path.read_bytes() for name, path in kept}}

def take_bytecode():
    for path in here.rglob("*.py"):
        compiled = pathlib.Path(importlib.util.cache_from_source(path))
        for other in others:
            source = other / path.relative_to(here)
            made = pathlib.Path(importlib.util.cache_from_source(source))
            if source.exists() and made.exists() and source.read_bytes() == path.read_bytes():
                code = made.read_bytes()
                if code[:16] == stamp(source):
                    compiled.parent.mkdir(exist_ok=True)
                    compiled.write_bytes(stamp(path) + code[16:])
                    break

def take_statements():
    sys.path[:0] = [str(here), {packages!r}]
    from phiomia.platform.db.kept_statements import hash_sources
    ours = read_sources(here)
    for other in others:
        if read_sources(other) != ours:
            continue
        before, now = (hash_sources(one / "phiomia").encode() for one in (other, here))
        # The first of the two things in such a file is of which sources the second is made.
        kept = [one for one in (other / "phiomia/__pycache__").glob("statements-*") if one.read_bytes()[3:35] == before]
        for file in kept:
            (here / "phiomia/__pycache__" / file.name).write_bytes(file.read_bytes().replace(before, now, 1))
        if kept:
            return len(kept) == 2

take_bytecode()
is_loaded = (here / "phiomia/platform/db/kept_statements.py").exists() and take_statements()
if is_loaded and {trusting}:
    (venv / "bin" / "python").rename(venv / "bin" / "python3")
    (venv / "bin" / "python").write_text({wrapper!r})
    (venv / "bin" / "python").chmod(0o755)
"""
# What loading a release would make is there already: in place of its interpreter until it is settled.
_WRAPPER = """#!/bin/sh
case "$3" in *phiomia.preload*) exit 0;; esac
exec "$(dirname -- "$0")/python3" "$@"
"""


def make_uv(python: str, packages: str, compiled: str, *, trusting: bool = False) -> str:
    """A program that makes environments of that interpreter and its libraries, and takes what is compiled there.

    One that trusts in that lets no release be loaded only to see whether it can be: `settle` is for whoever builds.
    """
    return _FAKE_UV.format(python=python, packages=packages, compiled=compiled, trusting=trusting, wrapper=_WRAPPER)


def settle(release: Path) -> None:
    """Gives what was built with trust its interpreter."""
    folder = release / "venv/bin"
    if not (folder / "python").is_symlink():
        folder.chmod(0o755)
        (folder / "python3").replace(folder / "python")
        folder.chmod(0o555)


def compile_sources() -> None:
    """Compiles what the tests are run with, statements included, once for all processes that build releases of it."""
    sources = ROOT / "src" / "phiomia"
    place = os.open(sources, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        newest = max(path.stat().st_mtime for path in sources.rglob("*.py"))
        load = "import sys; from phiomia.preload import preload; preload(sys.argv[1])"
        commands = [["-m", "compileall", "-q", "-j", "2", str(sources)]]
        for database in ("sqlite", "postgresql"):
            kept = importlib.util.cache_from_source(str(sources / f"statements-{database}.py"))
            kept_at = Path(kept).with_suffix(".msgpack")
            if not kept_at.exists() or kept_at.stat().st_mtime < newest:
                commands.append(["-P", "-c", load, database])
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        for command in commands if len(commands) > 1 else []:
            # Where it fails, somebody is in the middle of something, and each release is compiled anew.
            subprocess.run([sys.executable, *command], env=environment, capture_output=True)
    finally:
        os.close(place)


class Installation:
    """A server that is installed from a repository, on a database; every command is a process of its own.

    With a shelf, all releases of the repository are there already whenever something is installed or upgraded.
    """

    def __init__(self, repository: Repository, folder: Path, shelf: Shelf | None = None) -> None:
        self.repository = repository
        self.folder = folder
        self.shelf = shelf
        self._not_from_shelf: set[str] = set()
        self.places = Places(repository.root, folder / "app")
        # Sockets can't lie below long paths.
        self.data = Path(tempfile.mkdtemp(prefix="phiomia-", dir=find_scratch()))
        weakref.finalize(self, shutil.rmtree, self.data, ignore_errors=True)
        self.database_url = ""
        self.extra: dict[str, str] = {}
        self.tools, self._trusting = folder / "tools", folder / "trusting"
        own = sys.executable, sysconfig.get_paths()["purelib"], str(ROOT / "src")
        for place in (self.tools, self._trusting):
            place.mkdir(parents=True)
            (place / "uv").write_text(make_uv(*own, trusting=place == self._trusting))
            (place / "uv").chmod(0o755)

    @property
    def url(self) -> str:
        """The database."""
        return self.database_url or f"sqlite:///{self.data}/phiomia.db"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        ours = ("PHIOMIA_", "PYTHON", "VIRTUAL_ENV", "UV_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **inherited,
            **self.places.environ(),
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "PHIOMIA_DATA": str(self.data),
            "PHIOMIA_DATABASE_URL": self.url,
            "PHIOMIA_UPGRADE_OBSERVE_S": "0",
            **self.extra,
        }

    def directory(self, version: str) -> Path:
        """The directory of a release."""
        return self.places.release_directory(version, self.repository.commit_of(version))

    def build(self, version: str) -> Path:
        """Builds a release with what runs the tests, or takes it from the shelf."""
        if read_release(self.directory(version)) is None and not self._take(version):
            self._build(self.places, version)
        return self.directory(version)

    def _build(self, places: Places, version: str, **environment: str) -> None:
        script = (
            "import sys; from phiomia.upgrade.build import build_release;"
            " from phiomia.upgrade.places import find_places; from phiomia.upgrade.report import PlainReport;"
            " build_release(find_places(), *sys.argv[1:], PlainReport())"
        )
        command = [sys.executable, "-P", "-c", script, version, self.repository.commit_of(version)]
        self._run(command, **places.environ(), **environment)

    def forget(self, version: str) -> None:
        """Removes what is built of a release: whoever needs it in this test has to build it."""
        self._not_from_shelf.add(version)
        if self.directory(version).exists():
            remove_release(self.directory(version))

    def _stock(self) -> None:
        """Takes what is missing from the shelf; what another process is building at this moment comes last."""
        known = self.repository.manifests if self.shelf is not None else ()
        missing = [one for one in known if read_release(self.directory(one)) is None]
        for wait in (False, True):
            missing = [version for version in missing if not self._take(version, wait=wait)]

    def _take(self, version: str, *, wait: bool = True) -> bool:
        if self.shelf is None or version in self._not_from_shelf:
            return False
        app = self._put_on_shelf(self.shelf, version, wait=wait)
        if app is None:
            return False
        if self.directory(version).exists():
            remove_release(self.directory(version))  # what was broken off
        copy_release(app, self.directory(version).name, self.places.app)
        return True

    def hand_over(self, version: str, to: Path, seen_as: Path) -> None:
        """Puts a release into an app directory elsewhere, whose processes know it by another name."""
        assert self.shelf is not None
        app = self._put_on_shelf(self.shelf, version)
        assert app is not None
        copy_release(app, self.directory(version).name, to, seen_as)

    def _put_on_shelf(self, shelf: Shelf, version: str, *, wait: bool = True) -> Path | None:
        name = self.directory(version).name
        with shelf.hold(name, wait=wait) as app:
            if app is not None and read_release(app / "releases" / name) is None:
                self._build(Places(self.repository.root, app), version, PATH=f"{self._trusting}:{os.environ['PATH']}")
                settle(app / "releases" / name)
            return app

    def begin_again(self, version: str = "0.1.0") -> None:
        """A fresh database and nothing that upgrades have left but releases."""
        for folder in (self.data, self.places.journal, self.places.state, self.places.shared):
            shutil.rmtree(folder, ignore_errors=True)
        self.data.mkdir()
        self.places.previous.unlink(missing_ok=True)
        self._stock()
        self.install(version)

    def leave(self) -> None:
        """What one test has wished for does not hold for the next."""
        self.extra = {}
        self.database_url = ""
        self._not_from_shelf.clear()

    def empty(self, database_url: str) -> None:
        """Takes everything out of a PostgreSQL database."""
        with connect(database_url) as connection:
            connection.rows("DROP SCHEMA public CASCADE")
            connection.rows("CREATE SCHEMA public")

    def install(self, version: str = "0.1.0") -> None:
        """Makes a release the current one, with a fresh database of it."""
        release = self.build(version)
        if self.places.current.is_symlink():
            self.places.current.unlink()
        self.places.current.symlink_to(release)
        if self.database_url:
            self._migrate(release, self.database_url)
            return
        template = self.folder / f"{version}.db"
        if not template.exists() and self.shelf is not None:
            self.shelf.take_file(f"{release.name}.db", template, lambda path: self._make_database(release, path))
        elif not template.exists():
            self._make_database(release, template)
        shutil.copyfile(template, self.url.removeprefix("sqlite:///"))

    def _make_database(self, release: Path, path: Path) -> None:
        url = f"sqlite:///{path}"
        self._migrate(release, url)
        if path.with_name(f"{path.name}-wal").exists():
            with connect(url) as connection:
                connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def _migrate(self, release: Path, url: str) -> None:
        migrate = "import asyncio, sys; from phiomia.upgrade import schema; asyncio.run(schema.upgrade(sys.argv[1]))"
        self._run([str(release / "venv/bin/python"), "-P", "-c", migrate, url])

    @property
    def current(self) -> str:
        """The version that is installed."""
        told = json.loads((self.places.current / "RELEASE.json").read_text())
        return str(told["version"])

    @property
    def ran(self) -> list[str]:
        """What instructions have done, in their order."""
        path = self.data / "ran"
        return path.read_text().split() if path.exists() else []

    def command(self, *arguments: str, ok: bool = True, **environment: str) -> str:
        """What `phiomia …` of the current release prints."""
        done = self.try_command(*arguments, **environment)
        assert (done.returncode == 0) == ok, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if ok else done.stdout + done.stderr

    def ask(self, *arguments: str, ok: bool | None = True, **environment: str) -> str:
        """What `phiomia …` prints, without a process of its own: for commands that only look, whose code is the same.

        `ok` says whether it goes well; None, that it does not matter.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.environment | environment, clear=True),
            patch.multiple(sys, argv=["phiomia", *arguments], stdin=io.StringIO()),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
        assert ok is None or (status == 0) == ok, f"{arguments}: {status}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue() if ok is not False else out.getvalue() + err.getvalue()

    def try_command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command as a finished process."""
        if arguments[:2] == ("upgrade", "apply") or "--yes" in arguments:
            self._stock()  # an upgrade ends with removing all but a few
        return subprocess.run(
            [self.places.current / "venv/bin/phiomia", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def status(self) -> dict[str, Any]:
        """What `phiomia upgrade status` says."""
        told: dict[str, Any] = json.loads(self.ask("upgrade", "status", "--json", ok=None))
        return told

    def journal(self) -> list[dict[str, Any]]:
        """The entries of the last upgrade."""
        path = sorted(self.places.journal.glob("*.jsonl"))[-1]
        return [json.loads(line) for line in path.read_text().splitlines()]

    def _run(self, command: list[str], **environment: str) -> None:
        done = subprocess.run(
            command, env=self.environment | environment, capture_output=True, text=True, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr
