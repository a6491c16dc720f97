"""Apps are told of every endpoint that has something better, with the day that the facts name."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.routes import load_endpoints
from world import World, story

FACTS = json.loads((Path(__file__).parents[1] / "facts" / "endpoints.json").read_text())


def _shape(path: str) -> str:
    return re.sub(r":\w+", ":", path)


def _told() -> dict[tuple[str, str], str]:
    load_endpoints()
    return {(one.method, _shape(one.path)): one.deprecation for one in ENDPOINTS}


def test_the_days_are_those_of_the_facts() -> None:
    told, compared = _told(), set()
    for fact in FACTS:
        if fact["removed"]:
            continue
        day = fact.get("deprecation_header")
        wanted = f"@{int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())}" if day else ""
        for method in (fact["method"], *fact.get("also", ())):
            key = (method, _shape(fact["path"]))
            if key in told or day:
                assert told.get(key) == wanted, key
                compared.add(key)
    assert not {key for key, day in told.items() if day} - compared
    assert len([key for key in compared if told[key]]) >= 20


@story("filters_v1", "trends", "suggestions")
async def test_the_header_comes_with_errors_too(world: World) -> None:
    alice = await world.account("alice")
    for path, who, status in (
        ("/api/v1/filters", alice, 200),
        ("/api/v1/filters/1", alice, 404),
        ("/api/v1/filters", None, 401),
    ):
        answer = await world.client.get(path, who)
        assert (answer.status, answer.headers["deprecation"]) == (status, "@1668384000")
    assert (await world.client.get("/api/v1/suggestions", alice)).headers["deprecation"] == "@1621123200"
    assert "deprecation" not in (await world.client.get("/api/v2/suggestions", alice)).headers
