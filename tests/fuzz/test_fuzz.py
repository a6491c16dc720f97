"""Requests that the description allows, and such that it does not, against a real server: it never falls over.

One server on SQLite, one signed-in account; schemathesis makes the requests, endpoint after endpoint. Ids that it
makes up lead nowhere, so that often those of something real take their place.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
import uvicorn
import uvloop
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode

from phiomia.app import build_web, open_parts
from phiomia.platform.settings import Config, RateLimits
from phiomia.serving import prepare
from world import make_account

pytestmark = pytest.mark.timeout(600)

EXAMPLES = 10
SECONDS = 10.0
# They end the token that everything else needs, or wait for a worker that is not there.
LEFT_OUT = {"POST /oauth/revoke", "POST /api/v1/media"}
# A path parameter may make the path another one, and a method may be none of its methods.
ANY = {"404", "405"}

FEW = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Running:
    """A server on a port of its own, and a token for it."""

    url: str
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The web role in a thread."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    config = _config(tmp_path_factory.mktemp("fuzz"), url)
    prepare(config)
    started: threading.Event = threading.Event()
    running: dict[str, Any] = {}

    async def serve() -> None:
        async with open_parts(config, "web") as parts:
            running["token"] = (await make_account(parts.db, "fuzz")).token
            options = uvicorn.Config(build_web(parts), lifespan="off", log_config=None, access_log=False)
            running["server"] = uvicorn.Server(options)
            started.set()
            await running["server"].serve([sock])

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert started.wait(30)
    yield Running(url, running["token"])
    running["server"].should_exit = True
    thread.join(30)


def _config(folder: Path, url: str) -> Config:
    return Config(data=str(folder), public_url=url, rate_limits=RateLimits(enabled=False))


def test_nothing_makes_the_server_fail(server: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")
    headers = {"Authorization": f"Bearer {server.token}"}
    real = _make_something(server.url, headers)
    client = _make_client()
    failures = []
    found: Any
    for found in schema.get_all_operations():
        operation = found.ok()
        if f"{operation.method.upper()} {operation.path}" in LEFT_OUT:
            continue
        try:
            _try(operation, client, headers, real)
        except AssertionError as failure:
            failures.append(f"{operation.label}: {failure}")
    assert failures == [], "\n\n".join(failures)


def _make_client() -> requests.Session:
    """Keeps its connection and nothing else: one made anew for each request is a fifth of all this takes."""
    client = requests.Session()
    client.trust_env = False
    client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


def _make_something(url: str, headers: dict[str, str]) -> list[str]:
    """The ids of an account and of a status."""
    form = {"status": "Something to work on", "poll[options][]": ["one", "two"], "poll[expires_in]": "3600"}
    answer = requests.post(f"{url}/api/v1/statuses", headers=headers, data=form, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    status = answer.json()
    return [status["account"]["id"], status["id"], status["poll"]["id"]]


def _try(operation: Any, client: requests.Session, headers: dict[str, str], real: list[str]) -> None:
    promised = {*operation.definition.raw["responses"], *ANY}
    cases = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @FEW
    @hypothesis.given(case=st.one_of(cases[0], cases[0], cases[1]), id_=st.sampled_from(["", *real]))
    def ask(case: Any, id_: str) -> None:
        for name in case.path_parameters or ():
            if id_ and name.endswith("id"):
                case.path_parameters[name] = id_
        answer = case.call(session=client, headers=headers, timeout=SECONDS)
        assert answer.status_code < 500, _tell(case, answer)
        assert str(answer.status_code) in promised, f"not in the description: {_tell(case, answer)}"

    ask()


def _tell(case: Any, answer: Any) -> str:
    return f"{answer.status_code} {answer.content[:200]!r}\n{case.as_curl_command()}"
