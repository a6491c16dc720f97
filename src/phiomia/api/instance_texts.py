"""More about the server: texts, activity, peers. https://docs.joinmastodon.org/methods/instance/"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import falcon
from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.accounts.peers import find_peers, list_peers
from phiomia.domain.moderation.activity import load_activity
from phiomia.domain.moderation.texts import NO_POLICY, TermsView, TextKind, find_beginning, load_terms, load_text
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession

_SECONDS = 5.0
_KEEP_ACTIVITY_SECONDS = 3_600.0
_KEEP_PEERS_SECONDS = 300.0
_MOST_PEERS_FOUND = 10


class PeerSearch(Struct, kw_only=True):
    """How the name of a server begins."""

    q: str = ""


@endpoint("GET", "/api/v1/instance/privacy_policy", access="public", returns="entity:PrivacyPolicy")
async def privacy_policy(call: Call, params: None) -> object:
    """What becomes of what one gives to the server."""
    async with call.api.db.read() as session:
        text = await load_text(session, TextKind.PRIVACY)
        if text is None:
            return {"updated_at": iso(await find_beginning(session)), "content": NO_POLICY}
    return {"updated_at": iso(text.updated_at), "content": text.content}


@endpoint("GET", "/api/v1/instance/terms_of_service", access="public", returns="entity:TermsOfService")
async def terms_of_service(call: Call, params: None) -> object:
    """What one agrees to by being here."""
    async with call.api.db.read() as session:
        return _render_terms(await load_terms(session))


@endpoint("GET", "/api/v1/instance/terms_of_service/:date", access="public", returns="entity:TermsOfService")
async def terms_of_service_of(call: Call, params: None) -> object:
    """The version that holds, or held, from a date on."""
    async with call.api.db.read() as session:
        return _render_terms(await load_terms(session, call.path["date"]))


@endpoint("GET", "/api/v1/instance/extended_description", access="public", returns="entity:ExtendedDescription")
async def extended_description(call: Call, params: None) -> object:
    """A longer text about the server."""
    async with call.api.db.read() as session:
        text = await load_text(session, TextKind.DESCRIPTION)
    if text is None:
        return {"updated_at": None, "content": ""}
    return {"updated_at": iso(text.updated_at), "content": text.content}


@endpoint("GET", "/api/v1/instance/activity", access="public", returns="array<entity:InstanceActivity>")
async def activity(call: Call, params: None) -> object:
    """How much has happened in each of the last twelve weeks."""
    weeks = await _keep(call, "activity", _KEEP_ACTIVITY_SECONDS, load_activity)
    return [
        {
            "week": str(one.week // 1000),
            "statuses": str(one.statuses),
            "logins": str(one.logins),
            "registrations": str(one.registrations),
        }
        for one in weeks
    ]


@endpoint("GET", "/api/v1/instance/peers", access="public", returns="array<string>")
async def peers(call: Call, params: None) -> object:
    """The servers that are known here."""
    return await _keep(call, "peers", _KEEP_PEERS_SECONDS, list_peers)


@endpoint("GET", "/api/v1/peers/search", access="public", returns="array<string>")
async def search_peers(call: Call, params: PeerSearch) -> object:
    """Known servers by the beginning of their names."""
    prefix = params.q.strip().lower()[:253]
    if not prefix:
        return []
    return await call.api.db.scan(lambda session: find_peers(session, prefix, _MOST_PEERS_FOUND), _SECONDS)


@endpoint("GET", "/api/v1/donation_campaigns", returns="any")
async def donation_campaigns(call: Call, params: None) -> None:
    """Campaigns for donations: this server has none."""
    call.resp.status = falcon.HTTP_204


def _render_terms(view: TermsView) -> dict[str, Any]:
    return {
        "effective_date": view.text.effective_date,
        "effective": view.effective,
        "content": view.text.content,
        "succeeded_by": view.succeeded_by,
    }


async def _keep(call: Call, name: str, seconds: float, ask: Callable[[ReadSession], Awaitable[Any]]) -> Any:
    """What looking through tables has found, kept for a while."""
    kept = call.api.answers.get(name)
    if kept is None or kept[0] < time.monotonic():
        kept = call.api.answers[name] = (time.monotonic() + seconds, await call.api.db.scan(ask, _SECONDS))
    return kept[1]
