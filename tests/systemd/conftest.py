"""What the tests with a real systemd share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# The made-up releases are those of the other tests of upgrades.
sys.path[:0] = [str(HERE), str(HERE.parent / "upgrade")]

from lab import why_not  # noqa: E402
from lab_server import LabServer  # noqa: E402
from release_world import Repository  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """0.1.0 of made-up releases, installed by `phiomia install` and started, in a laboratory."""
    if reason := why_not():
        pytest.skip(reason)
    server = LabServer(Repository(tmp_path_factory.mktemp("releases")))
    try:
        server.install("0.1.0")
        yield server
    finally:
        server.lab.close()
