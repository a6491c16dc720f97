"""Every GET endpoint there is, asked over HTTP by somebody and by nobody: each answer is what the facts promise."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyvips
import requests

from contract import assert_entity, assert_returns
from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.routes import load_endpoints
from server import PATIENCE, Member, RunningServer

# Of ours alone, so that no facts tell what it answers.
OURS = {"/api/openapi.json"}


@dataclass
class World:
    """A member to whom everything has happened, and what the parameters in paths may stand for."""

    server: RunningServer
    alice: Member
    bob: Member
    carol: Member
    mark: str = field(default_factory=lambda: f"mark{secrets.token_hex(3)}")  # digits alone make no hashtag
    known: dict[str, list[str]] = field(default_factory=dict)

    def call(self, method: str, path: str, member: Member, **more: Any) -> Any:
        """What the server answers to something that must succeed."""
        answer = requests.request(method, f"{self.server.url}{path}", headers=member.headers, timeout=PATIENCE, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, member: Member, text: str, **more: Any) -> str:
        """The id of a new status."""
        made: str = self.call("POST", "/api/v1/statuses", member, json={"status": text, **more})["id"]
        return made

    def upload(self, member: Member) -> str:
        """The id of an uploaded picture."""
        picture = pyvips.Image.black(40, 30, bands=3).write_to_buffer(".png")
        files = {"file": ("black.png", picture, "image/png")}
        made: str = self.call("POST", "/api/v2/media", member, files=files, data={"description": "black"})["id"]
        return made

    @property
    def queries(self) -> dict[str, dict[str, Any]]:
        """What an endpoint must be asked besides its path."""
        people = {"id[]": [self.alice.id, self.bob.id]}
        return {
            "/api/v1/accounts": people,
            "/api/v1/accounts/lookup": {"acct": self.bob.username},
            "/api/v1/accounts/relationships": people,
            "/api/v1/accounts/search": {"q": self.bob.username},
            "/api/v1/markers": {"timeline[]": ["home", "notifications"]},
            "/api/v1/statuses": {"id[]": self.known["statuses"]},
            "/api/v2/search": {"q": self.mark},
        }

    def paths(self, template: str) -> Iterator[str]:
        """The path with each thing that its parameter may stand for."""
        kind = re.fullmatch(r"/api/v\d/(?:timelines/)?(\w+)/.*", template)
        if ":" not in template:
            yield template
            return
        named = {
            ":list_id": "lists",
            ":group_key": "groups",
            "v1/filters/": "filter_keywords",
            "filters/keywords/": "filter_keywords",
            "filters/statuses/": "filter_statuses",
        }
        own = next((name for parameter, name in named.items() if parameter in template), "")
        name = own or (kind[1] if kind else "")
        assert name in self.known, f"say in this test what the parameter of {template} stands for"
        for value in self.known[name]:
            yield re.sub(r":\w+", value, template)


def make_world(server: RunningServer) -> World:
    """A little of everything."""
    world = World(server, *(server.sign_up(name) for name in ("alice", "bob", "carol")))
    alice, bob, carol = world.alice, world.bob, world.carol
    for member, other in ((alice, bob), (bob, alice), (carol, alice)):
        world.call("POST", f"/api/v1/accounts/{other.id}/follow", member)
    world.call("PATCH", "/api/v1/accounts/update_credentials", alice, data={"locked": "true", "note": "#locked"})
    world.call("POST", f"/api/v1/accounts/{alice.id}/follow", server.sign_up("dora"))
    world.call("POST", f"/api/v1/accounts/{server.sign_up('eve').id}/block", alice)
    world.call("POST", f"/api/v1/accounts/{server.sign_up('fred').id}/mute", alice, data={"duration": "3600"})

    rich = world.post(
        bob,
        f"@{alice.username} #{world.mark} https://example.org/{world.mark}",
        media_ids=[world.upload(bob)],
        spoiler_text="all of it",
        language="en",
    )
    asked = world.call(
        "POST",
        "/api/v1/statuses",
        bob,
        json={"status": "Which?", "poll": {"options": ["this", "that"], "expires_in": 3600}},
    )
    world.call("POST", f"/api/v1/polls/{asked['poll']['id']}/votes", alice, json={"choices": [0]})
    reply = world.post(alice, f"@{bob.username} indeed", in_reply_to_id=rich)
    world.call("PUT", f"/api/v1/statuses/{rich}", bob, json={"status": f"@{alice.username} edited #{world.mark}"})
    for act in ("favourite", "bookmark", "reblog"):
        world.call("POST", f"/api/v1/statuses/{rich}/{act}", alice)
    world.call("POST", f"/api/v1/statuses/{asked['id']}/mute", alice)
    boost = world.call("POST", f"/api/v1/statuses/{reply}/reblog", bob)
    world.call("POST", f"/api/v1/statuses/{reply}/favourite", bob)
    world.call("POST", f"/api/v1/statuses/{reply}/pin", alice)
    world.post(bob, f"@{alice.username} in confidence", visibility="direct")
    world.call("POST", "/api/v1/markers", alice, json={"home": {"last_read_id": rich}})
    told = world.call("GET", "/api/v1/notifications", alice)
    assert {one["type"] for one in told} == {"mention", "favourite", "reblog", "follow", "follow_request"}

    world.known = {
        "accounts": [alice.id, bob.id],
        "statuses": [rich, asked["id"], reply, boost["id"]],
        "polls": [asked["poll"]["id"]],
        "media": [world.upload(alice)],
        "notifications": [one["id"] for one in told],
        "groups": [one["group_key"] for one in told],
        "tag": [world.mark],
        "tags": [world.mark],
        "lists": [],
    }
    unwanted = {"title": "x", "context": ["home"], "keywords_attributes": [{"keyword": "all"}]}
    made = world.call("POST", "/api/v2/filters", alice, json=unwanted)
    entry = world.call("POST", f"/api/v2/filters/{made['id']}/statuses", alice, json={"status_id": rich})
    world.known |= {
        "filters": [made["id"]],
        "filter_keywords": [made["keywords"][0]["id"]],
        "filter_statuses": [entry["id"]],
    }
    load_endpoints()
    if any(one.path == "/api/v1/lists" and one.method == "POST" for one in ENDPOINTS):
        made = world.call("POST", "/api/v1/lists", alice, json={"title": "Some"})["id"]
        world.call("POST", f"/api/v1/lists/{made}/accounts", alice, json={"account_ids": [bob.id]})
        world.known["lists"] = [made]
    return world


def test_every_answer(phiomia: RunningServer) -> None:
    world = make_world(phiomia)
    faults = []
    asked = [one for one in ENDPOINTS if one.method == "GET"]
    assert len(asked) > 40
    for one in asked:
        for path in world.paths(one.path):
            for member in (world.alice, None):
                try:
                    check(world, one, path, member)
                except AssertionError as fault:
                    faults.append(f"GET {path} by {'alice' if member else 'nobody'}: {fault}")
    assert not faults, "\n\n".join(faults)


def check(world: World, one: Endpoint, path: str, member: Member | None) -> None:
    """Asks once and judges the answer."""
    answer = requests.get(
        f"{world.server.url}{path}",
        params=world.queries.get(one.path),
        headers=member.headers if member else {},
        timeout=PATIENCE,
    )
    allowed = one.access in ("public", "optional") or member is not None
    own = one.path.endswith("/source") and answer.status_code == 403  # the text of others
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers["Content-Type"]
    if own or not allowed:
        assert answer.status_code == 403 if own else 401, f"{answer.status_code} {answer.text[:300]}"
        assert_entity("Error", answer.json())
        return
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
    if one.path not in OURS:
        assert_returns(f"GET {one.path}", answer.json())


def test_what_is_not_there(phiomia: RunningServer) -> None:
    alice = phiomia.sign_up("alice")
    for path in ("/api/v1/nothing", "/api/v1/statuses/1", "/api/v1/accounts/1", "/api/v1/statuses/x", "/api/v9/x"):
        for headers in (alice.headers, {}):
            answer = requests.get(f"{phiomia.url}{path}", headers=headers, timeout=PATIENCE)
            assert answer.status_code == 404, f"{path}: {answer.status_code}"
            assert_entity("Error", answer.json())
