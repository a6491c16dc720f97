"""A fragment that is kept is never stale: after any change a warm memory shows what a cold one does."""

from __future__ import annotations

import json
import random
from typing import Any

from phiomia.entities.fragments import Fragments
from world import Account, World, story

MARKS = ("favourite", "unfavourite", "reblog", "unreblog", "bookmark", "mute", "pin")
MODULES = ("accounts", "accounts_update", "statuses", "polls", "timelines")


async def _change(world: World, dice: random.Random, people: list[Account], ids: list[str]) -> str:
    who, status_id = dice.choice(people), dice.choice(ids)
    post = world.client.post
    base = f"/api/v1/statuses/{status_id}"
    kind = dice.choice(
        [
            "favourite",
            "unfavourite",
            "reblog",
            "unreblog",
            "bookmark",
            "mute",
            "pin",
            "reply",
            "edit",
            "vote",
            "name",
            "follow",
            "new",
        ]
    )
    if kind in ("favourite", "unfavourite", "reblog", "unreblog", "bookmark", "mute", "pin"):
        await post(f"{base}/{kind}", who)
    elif kind == "reply":
        await post("/api/v1/statuses", who, form={"status": "yes", "in_reply_to_id": status_id})
    elif kind == "edit":
        await world.client.put(base, who, form={"status": f"edited {dice.random()} #tag{dice.randrange(5)}"})
    elif kind == "vote":
        shown = await world.client.get(base, who)
        if shown.status == 200 and shown.json["poll"]:
            await post(f"/api/v1/polls/{shown.json['poll']['id']}/votes", who, json={"choices": [dice.randrange(2)]})
    elif kind == "name":
        await world.client.request(
            "PATCH", "/api/v1/accounts/update_credentials", who, json={"display_name": f"name {dice.random()}"}
        )
    elif kind == "follow":
        await post(f"/api/v1/accounts/{dice.choice(people).id}/follow", who)
    else:
        poll = {"options": ["a", "b"], "expires_in": 3600} if dice.random() < 0.5 else None
        body: dict[str, Any] = {"status": f"new {dice.random()}"} | ({"poll": poll} if poll else {})
        ids.append((await post("/api/v1/statuses", who, json=body)).json["id"])
    return kind


@story(*MODULES, effects=True)
async def test_warm_equals_cold(world: World) -> None:
    dice = random.Random(20)
    people = [await world.account(name) for name in ("alice", "bob", "carol")]
    ids = [(await world.client.post("/api/v1/statuses", who, form={"status": "first"})).json["id"] for who in people]
    warm = world.api.fragments
    for _ in range(60):
        kind = await _change(world, dice, people, ids)
        viewer = dice.choice([*people, None])
        seen = await world.client.get("/api/v1/timelines/public", viewer, limit=40)
        world.api.fragments = Fragments(warm.links)
        fresh = await world.client.get("/api/v1/timelines/public", viewer, limit=40)
        world.api.fragments = warm
        assert json.loads(seen.body) == json.loads(fresh.body), kind
