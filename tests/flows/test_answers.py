"""Every GET endpoint there is, asked over HTTP by somebody and by nobody: each answer is what the facts promise."""

from __future__ import annotations

import requests

from contract import assert_entity, assert_returns
from lived_in import Rich, make_rich
from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.routes import load_endpoints
from server import PATIENCE, Member, RunningServer

# Of ours alone, so that no facts tell what they answer.
OURS = {"/api/openapi.json", "/api/phiomia/v1/statuses/:id/deliveries", "/oauth/token/info"}
EMPTY = {"/.well-known/change-password": 302, "/.well-known/proxy": 302, "/api/v1/donation_campaigns": 204}
# What only its author may ask for, so that it is refused for other statuses.
AUTHORS = {"/api/v1/statuses/:id/source", "/api/v1/statuses/:id/quotes"}
# There is nothing before some page of another server was fetched; the tests of cards have such pages.
FETCHED = {"/api/v1/timelines/link"}


def test_every_answer(phiomia: RunningServer) -> None:
    load_endpoints()
    world = make_rich(phiomia)
    faults = []
    asked = [one for one in ENDPOINTS if one.method == "GET" and one.handler.__module__.startswith("phiomia.")]
    assert len(asked) > 90
    for one in asked:
        for path in world.paths(one.path):
            for member in (world.alice, None):
                try:
                    check(world, one, path, member)
                except AssertionError as fault:
                    faults.append(f"GET {path} by {'alice' if member else 'nobody'}: {fault}")
    assert not faults, "\n\n".join(faults)


def check(world: Rich, one: Endpoint, path: str, member: Member | None) -> None:
    """Asks once and judges the answer."""
    answer = requests.get(
        f"{world.server.url}{path}",
        params=world.queries.get(one.path),
        headers=member.headers if member else {},
        timeout=PATIENCE,
        allow_redirects=False,
    )
    said = f"{answer.status_code} {answer.text[:300]}"
    allowed = one.access in ("public", "optional") or member is not None
    if allowed and one.path in EMPTY:
        assert answer.status_code == EMPTY[one.path] and not answer.content, said
        return
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers["Content-Type"]
    if not allowed:
        assert answer.status_code == 401, said
        assert_entity("Error", answer.json())
    elif (one.path in AUTHORS and answer.status_code == 403) or (one.path in FETCHED and answer.status_code == 404):
        assert_entity("Error", answer.json())
    else:
        assert answer.status_code == 200, said
        if one.path not in OURS:
            assert_returns(f"GET {one.path}", answer.json())


def test_what_is_not_there(phiomia: RunningServer) -> None:
    alice = phiomia.sign_up("alice")
    for path in ("/api/v1/nothing", "/api/v1/statuses/1", "/api/v1/accounts/1", "/api/v1/statuses/x", "/api/v9/x"):
        for headers in (alice.headers, {}):
            answer = requests.get(f"{phiomia.url}{path}", headers=headers, timeout=PATIENCE)
            assert answer.status_code == 404, f"{path}: {answer.status_code}"
            assert_entity("Error", answer.json())
