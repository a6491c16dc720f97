"""People who may not act yet, or no longer."""

import pytest

from world import World, story

HOME = "GET /api/v1/timelines/home"


@pytest.mark.parametrize("column", ["confirmed_at", "approved_at"])
def test_who_waits_may_act_from_the_moment_the_wait_ends(migrated_database_url: str, column: str) -> None:
    @story("timelines")
    async def play(world: World) -> None:
        alice = await world.account("alice")
        await world.execute(f"UPDATE users SET {column} = NULL")
        assert (await world.client.get(HOME.removeprefix("GET "), alice)).status == 403
        # The process that asks was told of nothing: another one wrote this.
        await world.execute(f"UPDATE users SET {column} = 1")
        assert await world.client.check(HOME, alice) == []

    play(migrated_database_url)
