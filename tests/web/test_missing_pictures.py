"""Pictures of those who have none: at the addresses by which apps see that there is none."""

from __future__ import annotations

from phiomia.entities.links import Links
from web.browser import BASE, Site, scene


@scene()
async def test_pictures_of_those_who_have_none(site: Site) -> None:
    links, seen = Links(BASE, "phiomia.example", lambda key: key), []
    for address in (links.no_avatar, links.no_header):
        assert address.endswith("/original/missing.png"), "this is what apps look for"
        for method in ("GET", "HEAD"):
            answer = await site.conductor.simulate_request(method, address.removeprefix(BASE))
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
            assert answer.headers["cache-control"] == "public, max-age=86400"
            seen.append(answer.content)
    assert seen[0] != seen[2] and seen[0].startswith(b"\x89PNG") and seen[2].startswith(b"\x89PNG")
