"""What this server has none of is an empty answer, under the rules of the full one."""

from phiomia.api import none_here
from phiomia.api.endpoint import ENDPOINTS
from world import World, make_token, story

EMPTY = [one for one in ENDPOINTS if one.handler.__module__ == none_here.__name__]


@story("none_here")
async def test_apps_start_without_errors(world: World) -> None:
    alice = await world.account("alice")
    other = await make_token(world.db, alice, "write")
    assert EMPTY
    for one in EMPTY:
        answer = await world.client.check(f"{one.method} {one.path}", alice)
        assert answer in ([], {"updated_at": None, "content": ""})
        anonymous = await world.client.get(one.path)
        assert anonymous.status == (200 if one.access == "public" else 401)
        if one.scopes:
            assert (await world.client.get(one.path, other)).status == 403


@story("none_here", "statuses")
async def test_a_status_can_not_be_scheduled(world: World) -> None:
    # Else the empty list would not be the truth.
    alice = await world.account("alice")
    form = {"status": "later", "scheduled_at": "2999-01-01T00:00:00Z"}
    assert (await world.client.post("/api/v1/statuses", alice, form=form)).status == 422
