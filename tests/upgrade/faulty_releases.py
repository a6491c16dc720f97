"""A made-up release whose faults somebody chooses: in the file `faults` of the data directory, also while it runs.

`errors_of`: of so many requests to the API one is answered with 500; `slow_s`: each takes so much longer; `dies_after`:
a web process ends at the request of that number; `jobs`: every job fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from release_world import _MARVELS, SERVED, Installation, Repository
from shelf import Shelf
from test_apply import InstalledServer

from phiomia.upgrade.manifest import Schema

BEFORE, PATCH, FAULTY = "0.1.0", "0.1.1", "0.2.0"

_FAULTS = """
import json as _json

from phiomia.platform import asgi as _asgi
from phiomia.platform.jobs import handlers as _handlers

_path = os.path.join(os.environ["PHIOMIA_DATA"], "faults")
_answer = _asgi.QuickApp.__call__
_runner = _handlers.Runner.__init__
_asked = 0


def _faults():
    try:
        with open(_path) as file:
            return _json.load(file)
    except FileNotFoundError:
        return {}


async def _faulty(self, scope, receive, send):
    global _asked
    faults = _faults() if scope["path"].startswith("/api/") else {}
    _asked += bool(faults)
    if _asked >= faults.get("dies_after", float("inf")):
        os._exit(9)
    await asyncio.sleep(faults.get("slow_s", 0))
    if "errors_of" in faults and _asked % faults["errors_of"] == 0:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await _answer(self, scope, receive, send)


def _broken_runner(self, handler):
    _runner(self, handler)
    run = self.run

    async def run_or_fail(context, job):
        if "jobs" in _faults():
            raise RuntimeError("made up")
        await run(context, job)

    self.run = run_or_fail


_asgi.QuickApp.__call__ = _faulty
_handlers.Runner.__init__ = _broken_runner
"""


class FaultyRepository(Repository):
    """A release, a patch of it, and one with more schema and faults."""

    def _make_releases(self, heads: tuple[str, ...]) -> None:
        self._release(BEFORE)
        self._append("src/phiomia/app.py", _FAULTS)
        self._release(PATCH, restart=SERVED)
        self._revision("expand", "e9001", heads, _MARVELS)
        self._release(FAULTY, restart=SERVED, schema=Schema(expand_head="e9001", expands=("e9001",)))


class FaultyInstallation(Installation):
    """Where they are installed."""

    def choose(self, **faults: float) -> None:
        """Lets releases after the first have these faults from now on."""
        path = self.data / "faults"
        path.with_suffix(".next").write_text(json.dumps(faults))
        path.with_suffix(".next").replace(path)


@pytest.fixture(scope="module")
def faulty_built(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> FaultyInstallation:
    """A place where they are."""
    repository = FaultyRepository.take(shelf, tmp_path_factory.mktemp("faulty"))
    return FaultyInstallation(repository, tmp_path_factory.mktemp("installed-faulty"), shelf)


@pytest.fixture
def faulty(faulty_built: FaultyInstallation) -> Iterator[FaultyInstallation]:
    """The first one, installed, without a past."""
    faulty_built.begin_again()
    yield faulty_built
    faulty_built.leave()


def serve(installation: Installation, folder: Path, **settings: str) -> InstalledServer:
    """A server of it that is ready to be started."""
    server = InstalledServer(folder).settled_in(installation)
    installation.extra |= {
        # What the first process would find out is the subject of other tests.
        "PHIOMIA_PROCESSES_CANARY_SECONDS": "0",
        # Long enough for a machine that has much else to do: what is no good goes as soon as that is known.
        "PHIOMIA_UPGRADE_OBSERVE_S": "600",
        **settings,
    }
    return server


def can_post(server: InstalledServer, headers: dict[str, str], times: int) -> bool:
    """Whether so many posts in a row go well."""
    url = f"{server.url}/api/v1/statuses"
    return all(
        requests.post(url, data={"status": f"n {number}"}, headers=headers, timeout=60).status_code == 200
        for number in range(times)
    )
