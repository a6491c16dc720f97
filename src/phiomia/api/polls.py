"""Polls: https://docs.joinmastodon.org/methods/polls/"""

from typing import Any

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.queries import find_status_of_poll, load_row, load_votes
from phiomia.domain.statuses.stale_poll import find_stale_poll
from phiomia.domain.statuses.vote import vote
from phiomia.domain.statuses.whole import load_statuses
from phiomia.entities.poll import render_poll, with_votes
from phiomia.platform.clock import now_ms


class VoteParams(msgspec.Struct):
    """The places of the chosen answers."""

    choices: list[int] = []


@endpoint("GET", "/api/v1/polls/:id", access="optional", scopes=("read:statuses",), returns="entity:Poll")
async def poll(call: Call, params: None) -> dict[str, Any]:
    """One poll; those of other servers are asked for again when a member looks."""
    if call.viewer is not None:
        async with call.api.db.read() as session:
            await load_row(session, await find_status_of_poll(session, call.id) or 0, call.viewer)
            stale = await find_stale_poll(session, call.id)
        if stale:
            await call.api.lookup.refresh(stale)
    return await _show(call, call.id)


@endpoint("POST", "/api/v1/polls/:id/votes", scopes=("write:statuses",), returns="entity:Poll")
async def do_vote(call: Call, params: VoteParams) -> dict[str, Any]:
    """Chooses answers."""
    poll_id = call.id
    await call.api.db.write(lambda session: vote(session, call.actor, poll_id, params.choices))
    return await _show(call, poll_id)


async def _show(call: Call, poll_id: int) -> dict[str, Any]:
    async with call.api.db.read() as session:
        row = await load_row(session, await find_status_of_poll(session, poll_id) or 0, call.viewer)
        status = (await load_statuses(session, [row.id])).get(row.id)
        if status is None or status.poll is None:
            raise NotFound  # edited away or deleted in this very moment
        view = status.poll
        entity = render_poll(view, now_ms(), call.api.fragments.links)
        if call.viewer is None:
            return entity
        votes = await load_votes(session, [poll_id], call.viewer)
        return with_votes(entity, view, call.viewer, votes.get(poll_id, []))
