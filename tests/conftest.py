"""Fixtures for every test: databases of both kinds, ports, and what to do when a tool is not installed.

A test that takes `database_url` or `migrated_database_url` runs twice, on SQLite and on PostgreSQL, and has that
database to itself.
"""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from missing import miss
from order import SHARING, ByUnit, count_processes, estimate
from postgresql import URL_VARIABLE, NotInstalled, Server, find_free_port, run_cluster
from scratch import find_scratch
from server import phiomia, servers  # noqa: F401 (fixtures)
from tables import begin, close_log, make_tables

TESTS = Path(__file__).parent
NODE_MODULES = TESTS / "node" / "node_modules"
# Where pytest makes its folders, and thus those of `tmp_path`.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", find_scratch())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what asks for PostgreSQL without being parametrised over it; puts first what takes long."""
    for item in items:
        fixtures, file = getattr(item, "fixturenames", ()), item.path.relative_to(TESTS).as_posix()
        if "postgresql_url" in fixtures:
            item.add_marker(pytest.mark.postgresql)
        for shared, files in SHARING.items():
            if shared in fixtures and file not in files:
                raise pytest.UsageError(f"{file} asks for {shared}: it has to stand among SHARING in tests/order.py")
    items.sort(key=lambda item: estimate(item.path.relative_to(TESTS).as_posix()), reverse=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes do the tests with `-n auto`."""
    return count_processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    """Who does which tests, when several processes do."""
    return ByUnit(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Lets nobody look for what could be thrown away meanwhile: all that is loaded stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Takes what is loaded by now out of the collector's sight: it stays, and each look at it takes 0.2 seconds."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips, or in CI fails, what needs a tool that is not installed."""
    if item.get_closest_marker("browser") and find_chromium() is None:
        miss("Chromium is not installed")
    if item.get_closest_marker("node") and not (shutil.which("node") and NODE_MODULES.exists()):
        miss("node or tests/node/node_modules is missing")


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; belongs to tests marked `browser`."""
    path = find_chromium()
    assert path is not None, "mark the test with pytest.mark.browser"
    return path


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    return find_free_port()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def dialect(request: pytest.FixtureRequest) -> str:
    """Which of the two databases this run of the test is on."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def database_url(databases: Databases, dialect: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on SQLite and on PostgreSQL in turn."""
    with ExitStack() as cleanup:
        yield databases.create(dialect, tmp_path, cleanup)


@pytest.fixture
def migrated_database_url(databases: Databases, dialect: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that has Phiomia's tables and no rows, on SQLite and on PostgreSQL in turn."""
    with ExitStack() as cleanup:
        yield databases.create(dialect, tmp_path, cleanup, prepare=make_tables)


@pytest.fixture
def postgresql_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for tests of what only PostgreSQL can do."""
    with ExitStack() as cleanup:
        yield databases.create("postgresql", tmp_path, cleanup)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes databases, from templates where they need tables."""
    with ExitStack() as cleanup:
        yield Databases(tmp_path_factory.mktemp("templates"), cleanup)


Prepare = Callable[[str], None]


class Databases:
    """Fresh databases for one test each; what `prepare` does to one is done once a session and then copied."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self._folder = folder
        self._cleanup = cleanup
        self._server: Server | None = None
        self._templates: dict[tuple[str, Prepare], str] = {}

    def create(self, dialect: str, folder: Path, cleanup: ExitStack, prepare: Prepare | None = None) -> str:
        """The URL of a new database, which `cleanup` will remove."""
        make = self._create_sqlite if dialect == "sqlite" else self._create_postgresql
        if prepare is None:
            return make(folder, cleanup, None)
        if (dialect, prepare) not in self._templates:
            self._templates[dialect, prepare] = self._create_template(dialect, make, prepare)
        return make(folder, cleanup, self._templates[dialect, prepare])

    def as_started(self, dialect: str, folder: Path, cleanup: ExitStack) -> str:
        """The same for one that a server finds from its second start on."""
        return self.create(dialect, folder, cleanup, prepare=begin)

    def _create_template(self, dialect: str, make: Callable[..., str], prepare: Prepare) -> str:
        url = make(self._folder, self._cleanup, None)
        prepare(url)
        if dialect == "sqlite":
            close_log(Path(url.removeprefix("sqlite:///")))
        return url

    def _create_sqlite(self, folder: Path, _cleanup: ExitStack, template: str | None) -> str:
        path = folder / f"{uuid.uuid4().hex}.sqlite3"
        if template is not None:
            shutil.copyfile(template.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"

    def _create_postgresql(self, _folder: Path, cleanup: ExitStack, template: str | None) -> str:
        server = self._postgresql()
        name = f"test_{uuid.uuid4().hex}"
        url = server.create(name, template.rpartition("/")[2] if template is not None else "template0")
        cleanup.callback(server.drop, name)
        return url

    def _postgresql(self) -> Server:
        if self._server is None:
            try:
                url = os.environ.get(URL_VARIABLE) or self._cleanup.enter_context(run_cluster())
            except NotInstalled as problem:
                miss(str(problem))
            self._server = Server(url)
            self._cleanup.callback(self._server.close)
        return self._server
