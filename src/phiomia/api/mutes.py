"""Muted accounts: https://docs.joinmastodon.org/methods/mutes/"""

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.relationships.queries import list_mutes
from phiomia.platform import limits
from phiomia.platform.clock import iso


@endpoint(
    "GET",
    "/api/v1/mutes",
    scopes=("read:mutes", "follow"),
    returns="array<entity:MutedAccount>",
    paginated="link-header",
)
async def mutes(call: Call, params: Paging) -> bytes:
    """Whom the account mutes, and until when."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        entries = await list_mutes(session, call.actor, page)
        found = await call.api.fragments.accounts(session, [entry.account_id for entry in entries])
    if entries:
        link(call, entries[0].id, entries[-1].id, full=len(entries) >= page.limit)
    shown = []
    for entry in entries:
        if entry.account_id in found:
            until = msgspec.json.encode(None if entry.expires_at is None else iso(entry.expires_at))
            shown.append(found[entry.account_id][:-1] + b',"mute_expires_at":' + until + b"}")
    return b"[" + b",".join(shown) + b"]"
