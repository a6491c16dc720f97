"""Quotes of statuses: https://docs.joinmastodon.org/methods/statuses/#quotes"""

from typing import Literal

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.change_quote_policy import change_quote_policy
from phiomia.domain.statuses.queries import load_row, rows_of
from phiomia.domain.statuses.quote_policy import CHOICES
from phiomia.domain.statuses.quoted import list_quoting
from phiomia.domain.statuses.revoke_quote import revoke_quote
from phiomia.domain.users.preferences import load_preferences
from phiomia.platform import limits


class PolicyParams(msgspec.Struct):
    """Who may quote the status; what the member usually chooses if it is not said."""

    quote_approval_policy: Literal["public", "followers", "nobody"] | None = None


@endpoint(
    "GET",
    "/api/v1/statuses/:id/quotes",
    scopes=("read:statuses",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def quotes(call: Call, params: Paging) -> bytes:
    """Posts that quote the status with its author's consent."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        row = await load_row(session, call.id, call.actor)
        rows = await list_quoting(session, row.original_id or row.id, call.actor, page)
        shown = await call.api.fragments.page(session, rows, call.actor)
    if rows:
        link(call, rows[0].cursor, rows[-1].cursor, full=len(rows) >= page.limit)
    return shown


@endpoint(
    "POST",
    "/api/v1/statuses/:id/quotes/:quoting_status_id/revoke",
    scopes=("write:statuses",),
    returns="entity:Status",
)
async def revoke(call: Call, params: None) -> bytes:
    """Takes the consent to a quote of one's own post back; the answer is the quoting post."""
    quoted_id, quoting_id = call.id, call.path_id("quoting_status_id")
    await call.api.db.write(lambda session: revoke_quote(session, call.actor, quoted_id, quoting_id))
    return await _show(call, quoting_id)


@endpoint("PUT", "/api/v1/statuses/:id/interaction_policy", scopes=("write:statuses",), returns="entity:Status")
@endpoint("PATCH", "/api/v1/statuses/:id/interaction_policy", scopes=("write:statuses",), returns="entity:Status")
async def interaction_policy(call: Call, params: PolicyParams) -> bytes:
    """Changes who may quote one's own post."""
    status_id, chosen = call.id, params.quote_approval_policy
    if chosen is None:
        async with call.api.db.read() as session:
            word = (await load_preferences(session, call.actor)).quote_policy
    else:
        word = chosen
    await call.api.db.write(lambda session: change_quote_policy(session, call.actor, status_id, CHOICES[word]))
    return await _show(call, status_id)


async def _show(call: Call, status_id: int) -> bytes:
    async with call.api.db.read() as session:
        rows = await rows_of(session, [status_id], call.actor)
        if status_id not in rows:
            raise NotFound
        return await call.api.fragments.one(session, rows[status_id], call.actor)
