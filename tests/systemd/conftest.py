"""What the tests with a real systemd share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# The made-up releases are those of the other tests of upgrades.
sys.path[:0] = [str(HERE), str(HERE.parent / "upgrade")]

from lab import why_not  # noqa: E402
from lab_server import LabServer  # noqa: E402
from release_world import Installation, Repository  # noqa: E402
from shelf import Shelf, open_shelf  # noqa: E402

from postgresql import NotInstalled, find_programs  # noqa: E402


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """What the processes of this run of tests need make only once."""
    return open_shelf(tmp_path_factory)


@pytest.fixture(scope="session")
def releases(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The made-up releases."""
    return Repository.take(shelf, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def builder(releases: Repository, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What builds them for laboratories."""
    return Installation(releases, tmp_path_factory.mktemp("builder"), shelf)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, releases: Repository, builder: Installation) -> Iterator[LabServer]:
    """0.1.0 of made-up releases, installed by `phiomia install` and started, in a laboratory.

    On PostgreSQL where a module says POSTGRESQL. What it calls STOCKED is built already; all else is built as it would
    be elsewhere where it says BUILDS. What people saw is kept in pytest's cache, in figures/.
    """
    postgresql = getattr(request.module, "POSTGRESQL", False)
    if reason := why_not() or (_why_no_postgresql() if postgresql else ""):
        pytest.skip(reason)
    server = LabServer(releases, postgresql=postgresql)
    try:
        server.install("0.1.0", trusting=not getattr(request.module, "BUILDS", False))
        server.stock(builder, getattr(request.module, "STOCKED", ()))
        yield server
    finally:
        server.lab.close()
        if request.config.cache is not None and server.figures:
            path = request.config.cache.mkdir("figures") / f"{request.module.__name__}.json"
            path.write_text(json.dumps(server.figures, indent=2))


def _why_no_postgresql() -> str:
    try:
        find_programs()
    except NotInstalled as error:
        return str(error)
    return ""
