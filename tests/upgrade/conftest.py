"""What the tests of whole upgrades share: made-up releases, built once for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from release_world import Installation, Repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The made-up releases."""
    return Repository(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def built(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A place where releases are built once; each test begins anew in it."""
    return Installation(repository, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def installation(built: Installation) -> Iterator[Installation]:
    """0.1.0, installed, without a past."""
    built.begin_again()
    yield built
    built.extra = {}
    built.database_url = ""
