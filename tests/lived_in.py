"""A member of a running server to whom everything has happened, and what the parameters in paths stand for then.

world = make_rich(phiomia)
for path in world.paths("/api/v1/statuses/:id"): ...
"""

from __future__ import annotations

import base64
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyvips
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server import PATIENCE, Member, RunningServer

LATER = "2999-01-01T00:00:00.000Z"
TERMS = "2020-01-01"

# What parameters stand for, where the word before them does not say so.
_NAMED = {
    "/api/v1/filters": "keywords",
    "/api/v2/filters/statuses": "filter_statuses",
    "/api/v2/notifications": "groups",
    "/api/phiomia/v1/statuses": "own_statuses",
    "/api/v1/timelines/tag": "tags",
    "/api/v1/timelines/list": "lists",
}


@dataclass
class Rich:
    """Alice, to whom it has happened, two of those who did it, and the ids of all that is there."""

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
            "/.well-known/proxy": {"uri": "https://example.org/1"},
            "/api/oembed": {"url": self.known["urls"][0]},
            "/api/v1/accounts": people,
            "/api/v1/accounts/familiar_followers": people,
            "/api/v1/accounts/lookup": {"acct": self.bob.username},
            "/api/v1/accounts/relationships": people,
            "/api/v1/accounts/search": {"q": self.bob.username},
            "/api/v1/domain_blocks/preview": {"domain": "example.org"},
            "/api/v1/markers": {"timeline[]": ["home", "notifications"]},
            "/api/v1/peers/search": {"q": "exam"},
            "/api/v1/statuses": {"id[]": self.known["statuses"]},
            "/api/v1/timelines/link": {"url": f"https://example.org/{self.mark}"},
            "/api/v2/search": {"q": self.mark},
        }

    def paths(self, template: str) -> Iterator[str]:
        """The path with each thing that its parameter may stand for."""
        if ":" not in template:
            yield template
            return
        before = template.partition("/:")[0]
        name = _NAMED.get(before, before.rpartition("/")[2])
        assert name in self.known, f"say in {__name__} what the parameter of {template} stands for"
        for value in self.known[name]:
            yield re.sub(r":\w+", value, template)


def make_rich(server: RunningServer) -> Rich:
    """A little of everything."""
    world = Rich(server, server.sign_up("alice"), server.sign_up("bob"), server.sign_up("carol"))
    _know_people(world)
    _talk(world)
    _keep_things(world)
    _recommend(world)
    _filter(world)
    _run_the_server(world)
    return world


def _know_people(world: Rich) -> None:
    alice, bob, carol, server = world.alice, world.bob, world.carol, world.server
    for member, other in ((alice, bob), (bob, alice), (carol, alice)):
        world.call("POST", f"/api/v1/accounts/{other.id}/follow", member)
    form = {"locked": "true", "note": "#locked", "discoverable": "true"}
    world.call("PATCH", "/api/v1/accounts/update_credentials", alice, data=form)
    world.call("PATCH", "/api/v1/accounts/update_credentials", bob, data={"discoverable": "true"})
    world.call("POST", f"/api/v1/accounts/{alice.id}/follow", server.sign_up("dora"))
    world.call("POST", f"/api/v1/accounts/{server.sign_up('eve').id}/block", alice)
    world.call("POST", f"/api/v1/accounts/{server.sign_up('fred').id}/mute", alice, data={"duration": "3600"})
    world.call("POST", f"/api/v1/accounts/{bob.id}/endorse", alice)
    world.known["accounts"] = [alice.id, bob.id]
    world.known["annual_reports"] = ["2025"]


def _talk(world: Rich) -> None:
    alice, bob = world.alice, world.bob
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
    quoted = world.post(alice, "quotable", quote_approval_policy="public")
    quote = world.post(bob, "quoting", quoted_status_id=quoted)
    world.call("POST", "/api/v1/markers", alice, json={"home": {"last_read_id": rich}})
    told = world.call("GET", "/api/v1/notifications", alice)
    assert {one["type"] for one in told} == {"mention", "favourite", "reblog", "follow", "follow_request", "quote"}
    world.known |= {
        "statuses": [rich, asked["id"], reply, boost["id"], quoted, quote],
        "own_statuses": [reply, quoted],
        "polls": [asked["poll"]["id"]],
        "media": [world.upload(alice)],
        "notifications": [one["id"] for one in told],
        "groups": [one["group_key"] for one in told],
        "tags": [world.mark],
        "async_refreshes": [f"{rich}-0"],
        "urls": [world.call("GET", f"/api/v1/statuses/{quoted}", alice)["url"]],
    }


def _keep_things(world: Rich) -> None:
    alice, bob = world.alice, world.bob
    world.call("POST", f"/api/v1/tags/{world.mark}/follow", alice)
    world.call("POST", "/api/v1/featured_tags", alice, json={"name": world.mark})
    world.call("POST", "/api/v1/domain_blocks", alice, json={"domain": "blocked.example"})
    listed = world.call("POST", "/api/v1/lists", alice, json={"title": "Some"})["id"]
    world.call("POST", f"/api/v1/lists/{listed}/accounts", alice, json={"account_ids": [bob.id]})
    waiting = world.call(
        "POST",
        "/api/v1/statuses",
        alice,
        json={"status": "later", "scheduled_at": LATER, "media_ids": [world.upload(alice)]},
    )
    world.known |= {"lists": [listed], "scheduled_statuses": [waiting["id"]]}
    world.call("POST", "/api/v1/push/subscription", alice, json={"subscription": make_subscription()})


def make_subscription() -> dict[str, Any]:
    """A browser's subscription with new keys."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    keys = {"p256dh": _encode(raw), "auth": _encode(secrets.token_bytes(16))}
    return {"endpoint": "https://push.example/1", "keys": keys, "standard": True}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _recommend(world: Rich) -> None:
    given = {"name": "Good ones", "description": "All of them", "account_ids": [world.bob.id], "discoverable": True}
    made = world.call("POST", "/api/v1/collections", world.alice, json=given)["collection"]
    world.known["collections"] = [made["id"]]


def _filter(world: Rich) -> None:
    alice = world.alice
    unwanted = {"title": "x", "context": ["home"], "keywords_attributes": [{"keyword": "all"}]}
    made = world.call("POST", "/api/v2/filters", alice, json=unwanted)
    path = f"/api/v2/filters/{made['id']}/statuses"
    entry = world.call("POST", path, alice, json={"status_id": world.known["statuses"][0]})
    world.call("PATCH", "/api/v2/notifications/policy", alice, json={"for_not_following": "filter"})
    world.post(world.server.sign_up("gina"), f"@{alice.username} do you know me?")
    asking = world.call("GET", "/api/v1/notifications/requests", alice)
    assert len(asking) == 1
    world.known |= {
        "filters": [made["id"]],
        "keywords": [made["keywords"][0]["id"]],
        "filter_statuses": [entry["id"]],
        "requests": [asking[0]["id"]],
    }


def _run_the_server(world: Rich) -> None:
    server = world.server
    server.command("announcements", "add", f"#{world.mark} https://example.org and @{world.alice.username}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text("Be kind.\n\nThat is all.")
        server.command("texts", "set", "description", str(text))
        server.command("texts", "set", "terms", str(text), "--effective", TERMS)
    code = re.search(r"/invite/(\w+)", said := server.command("invites", "add"))
    assert code, said
    announced = world.call("GET", "/api/v1/announcements", world.alice)[-1]["id"]
    world.call("PUT", f"/api/v1/announcements/{announced}/reactions/🎉", world.alice)
    world.known |= {"terms_of_service": [TERMS], "invite": [code[1]], "announcements": [announced]}
