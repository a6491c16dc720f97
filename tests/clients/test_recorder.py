"""The recorder notices what it is there to notice."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
import requests

from clients.recorder import run_recorder
from postgresql import find_free_port
from server import PATIENCE, RunningServer


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_refusals_are_faults_unless_foreseen(phiomia: RunningServer) -> None:
    with run_recorder(find_free_port(), phiomia.bind) as recorder:

        def ask(path: str) -> None:
            requests.get(f"{recorder.url}{path}", timeout=PATIENCE).raise_for_status()

        with recorder.refusing(401):
            ask("/api/v1/timelines/home")
        ask("/api/v2/instance")
        assert recorder.faults(0) == []
        with pytest.raises(requests.HTTPError):
            ask("/api/v1/accounts/1")
        assert recorder.faults(0) == ["404 GET /api/v1/accounts/1"]
        assert recorder.faults(3) == []
        with pytest.raises(AssertionError), recorder.refusing(403):
            ask("/api/v1/timelines/home")
        with pytest.raises(pytest.fail.Exception), recorder.refusing(404):
            ask("/api/v2/instance")


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_streams_are_refused_with_the_status_of_the_server(phiomia: RunningServer) -> None:
    with run_recorder(find_free_port(), phiomia.bind) as recorder:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            asyncio.run(_listen(f"{recorder.url}/api/v1/streaming?stream=user&access_token=nobody"))
        assert refused.value.status == 401
        assert recorder.faults(0) == ["401 GET /api/v1/streaming"]
        recorder.excuse_streams(1)
        assert recorder.faults(0) == ["401 GET /api/v1/streaming"]
        recorder.excuse_streams(0)
        assert recorder.faults(0) == []


def test_silence_is_a_fault() -> None:
    port = find_free_port()
    with run_recorder(find_free_port(), f"127.0.0.1:{port}") as recorder:
        assert requests.get(f"{recorder.url}/health", timeout=PATIENCE).status_code == 500
        assert recorder.faults(0) == ["0 GET /health"]


async def _listen(address: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(address):
        pass
