"""What the server says of itself: nothing is empty that apps show, and what it names is there."""

import struct
from pathlib import Path
from typing import Literal

import pytest

import phiomia.web
from phiomia.domain.accounts.statistics import Statistics
from phiomia.entities.instance import render_instance
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
