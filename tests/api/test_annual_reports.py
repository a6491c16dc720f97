"""Annual reports: there are none, and that is what apps are told."""

from world import World, story


@story("annual_reports")
async def test_there_are_none(world: World) -> None:
    alice = await world.account("alice")
    none: dict[str, list[object]] = {"annual_reports": [], "accounts": [], "statuses": []}
    assert await world.client.check("GET /api/v1/annual_reports", alice) == none
    state = await world.client.get("/api/v1/annual_reports/2025/state", alice)
    assert (state.status, state.json) == (200, {"state": "ineligible"})
    begun = await world.client.post("/api/v1/annual_reports/2025/generate", alice)
    assert (begun.status, begun.json) == (200, {})
    assert (await world.client.get("/api/v1/annual_reports")).status == 401
