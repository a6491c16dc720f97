"""What the tests of whole upgrades share: made-up releases, built once for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from release_world import Installation, Repository
from shelf import Shelf, open_shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """What the processes of this run of tests need make only once."""
    return open_shelf(tmp_path_factory)


@pytest.fixture(scope="session")
def repository(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The made-up releases."""
    return Repository.take(shelf, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def built(repository: Repository, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A place where all releases are; each test begins anew in it."""
    return Installation(repository, tmp_path_factory.mktemp("installed"), shelf)


@pytest.fixture
def installation(built: Installation) -> Iterator[Installation]:
    """0.1.0, installed, without a past."""
    built.begin_again()
    yield built
    built.leave()
