"""Servers that a member blocks: https://docs.joinmastodon.org/methods/domain_blocks/"""

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.errors import Invalid
from phiomia.domain.moderation.domain_blocks import clean_domain
from phiomia.domain.relationships.domain_block import (
    block_domain_for,
    list_blocked_domains,
    measure_cut,
    unblock_domain_for,
)
from phiomia.platform import limits


class Domain(Struct, kw_only=True):
    """Which server."""

    domain: str


@endpoint(
    "GET",
    "/api/v1/domain_blocks",
    scopes=("read:blocks", "follow"),
    returns="array<string>",
    paginated="link-header",
)
async def domain_blocks(call: Call, params: Paging) -> object:
    """The servers that one blocks."""
    page = params.page(limits.PAGE_DOMAINS)
    async with call.api.db.read() as session:
        entries = await list_blocked_domains(session, call.actor, page)
    if entries:
        link(call, entries[0].id, entries[-1].id, full=len(entries) >= page.limit)
    return [entry.domain for entry in entries]


@endpoint("POST", "/api/v1/domain_blocks", scopes=("write:blocks", "follow"), returns="empty")
async def block(call: Call, params: Domain) -> object:
    """Blocks a server: nothing from there is shown, and follows end."""
    domain = _read(call, params.domain)
    await call.api.db.write(lambda session: block_domain_for(session, call.actor, domain))
    return {}


@endpoint("DELETE", "/api/v1/domain_blocks", scopes=("write:blocks", "follow"), returns="empty")
async def unblock(call: Call, params: Domain) -> object:
    """Takes that back. Follows don't come back by themselves."""
    domain = _read(call, params.domain)
    await call.api.db.write(lambda session: unblock_domain_for(session, call.actor, domain))
    return {}


@endpoint(
    "GET",
    "/api/v1/domain_blocks/preview",
    scopes=("write:blocks", "follow"),
    returns="entity:DomainBlockPreview",
)
async def preview(call: Call, params: Domain) -> object:
    """How many follows a block would end."""
    domain = _read(call, params.domain)
    async with call.api.db.read() as session:
        cut = await measure_cut(session, call.actor, domain)
    return {"following_count": cut.following, "followers_count": cut.followers}


def _read(call: Call, text: str) -> str:
    try:
        domain = clean_domain(text)
    except Invalid:
        domain = ""
    if not domain or domain in (call.api.config.domain.lower(), call.api.config.web_domain.lower()):
        raise Invalid(
            "Validation failed: Domain is not a valid domain name", {"domain": [("ERR_INVALID", "is not valid")]}
        )
    return domain
