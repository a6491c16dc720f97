"""What the server says of itself: nothing is empty that apps show, and what it names is there."""

import struct
from pathlib import Path
from typing import Literal

import pytest

import phiomia.web
from phiomia.domain.accounts.statistics import Statistics
from phiomia.domain.moderation.account_state import suspend_account
from phiomia.entities.instance import render_instance
from phiomia.platform.clock import DAY, MINUTE, now_ms
from phiomia.platform.settings import Config, Registrations
from world import BASE, World, story

GET = "GET /api/v2/instance"
_STATIC = Path(phiomia.web.__file__).parent / "static"


@story("instance")
async def test_icons_are_there_in_the_sizes_that_are_said(world: World) -> None:
    icons = (await world.client.check(GET))["icon"]
    assert {"192x192", "512x512"} <= {one["size"] for one in icons}
    for icon in icons:
        head = (_STATIC / icon["src"].removeprefix(f"{BASE}/static/")).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert icon["size"] == "x".join(map(str, struct.unpack(">II", head[16:])))


@pytest.mark.parametrize(("mode", "said"), [("closed", "Come back in spring."), ("open", None)])
def test_says_why_only_where_nobody_can_join(mode: Literal["closed", "open"], said: str | None) -> None:
    config = Config(registrations=Registrations(mode=mode, message="Come back in spring."))
    told = render_instance(config, Statistics(0, 0, 0, 0), None, "", has_terms=False)["registrations"]
    assert (told["enabled"], told["message"]) == (mode == "open", said)


@story("instance", "statuses")
async def test_who_only_reads_is_active_too(world: World) -> None:
    alice, reader, _ = [await world.account(name) for name in ("alice", "reader", "asleep")]
    gone = await world.account("gone")
    await world.write(lambda session: suspend_account(session, gone.id))
    await world.client.check("POST /api/v1/statuses", alice, json={"status": "Hello"})
    # A minute ago, or longer than a month.
    used = "UPDATE access_tokens SET last_used_at = :at WHERE user_id = :user"
    await world.execute(used, at=now_ms() - MINUTE, user=reader.user_id)
    await world.execute(used, at=now_ms() - MINUTE, user=alice.user_id)
    await world.execute(
        "UPDATE access_tokens SET last_used_at = :at WHERE last_used_at IS NULL", at=now_ms() - 40 * DAY
    )
    assert (await world.client.check(GET))["usage"]["users"]["active_month"] == 2
    assert (await world.client.check("GET /api/v1/instance"))["stats"]["user_count"] == 3
