"""Posts in other pages: https://docs.joinmastodon.org/methods/oembed/"""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.queries import load_status
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.links import Links
from phiomia.entities.oembed import render_oembed

_PAGE = re.compile(r"/(?:@([A-Za-z0-9_.-]{1,64})|users/([A-Za-z0-9_.-]{1,64})/statuses)/([0-9]{1,18})/?")


class EmbedParams(msgspec.Struct):
    """Which post, and how wide and high it may be."""

    url: str = ""
    maxwidth: int = 400
    maxheight: int | None = None


@endpoint("GET", "/api/oembed", access="public", returns="entity:OEmbed")
async def oembed(call: Call, params: EmbedParams) -> dict[str, Any]:
    """A public post of this server, ready to be put into another page."""
    name, status_id = _read_address(call.api.fragments.links, params.url)
    async with call.api.db.read() as session:
        row = await load_status(session, status_id, None)
        author = await load_account(session, row.account_id)
    if not row.local or row.visibility > Visibility.UNLISTED or author.username.lower() != name.lower():
        raise NotFound
    config = call.api.config
    return render_oembed(
        row, author, call.api.fragments.links, config.instance.title, params.maxwidth, params.maxheight
    )


def _read_address(links: Links, url: str) -> tuple[str, int]:
    try:
        parts, own = urlsplit(url), urlsplit(links.base)
    except ValueError:
        raise NotFound from None
    match = _PAGE.fullmatch(parts.path)
    if match is None or parts.netloc.lower() != own.netloc.lower():
        raise NotFound
    return match[1] or match[2], int(match[3])
