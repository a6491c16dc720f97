"""The instance: https://docs.joinmastodon.org/methods/instance/"""

import base64
import time
from typing import Any

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.accounts.contact import find_contact
from phiomia.domain.accounts.statistics import count_all
from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.moderation.activity import count_active
from phiomia.domain.moderation.texts import TextKind, has_text
from phiomia.entities.instance import render_instance, render_instance_v1
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.languages import LANGUAGES
from phiomia.platform.webpush import public_point

_KEEP_SECONDS = 60.0


@endpoint("GET", "/api/v2/instance", access="public", returns="entity:Instance")
async def instance(call: Call, params: None) -> bytes:
    """What the server is, can and allows."""
    return (await _documents(call))[0]


@endpoint("GET", "/api/v1/instance", access="public", returns="entity:V1::Instance", deprecated="2022-11-14")
async def instance_v1(call: Call, params: None) -> bytes:
    """The same for older apps."""
    return (await _documents(call))[1]


@endpoint("GET", "/api/v1/instance/rules", access="public", returns="array<entity:Rule>")
async def rules(call: Call, params: None) -> object:
    """The server's rules."""
    document: dict[str, Any] = msgspec.json.decode((await _documents(call))[0])
    return document["rules"]


@endpoint("GET", "/api/v1/instance/languages", access="public", returns="array<entity:Language>")
async def languages(call: Call, params: None) -> object:
    """Languages in which one may post."""
    return [{"code": code, "name": names[0]} for code, names in LANGUAGES.items()]


async def _documents(call: Call) -> tuple[bytes, bytes]:
    kept = call.api.answers.get("instance")
    if kept is not None and kept[0] > time.monotonic():
        documents: tuple[bytes, bytes] = kept[1]
        return documents
    api = call.api
    async with api.db.read() as session:
        numbers = await count_all(session, await count_active(session, now_ms() - 30 * DAY))
        contact_id = await find_contact(session, api.config.instance.contact_account)
        found = await api.fragments.accounts(session, [contact_id]) if contact_id else {}
        has_terms = await has_text(session, TextKind.TERMS)
    contact = msgspec.json.decode(found[contact_id]) if contact_id in found else None
    vapid = await vapid_public_key(call)
    documents = (
        msgspec.json.encode(render_instance(api.config, numbers, contact, vapid, has_terms=has_terms)),
        msgspec.json.encode(render_instance_v1(api.config, numbers, contact)),
    )
    api.answers["instance"] = (time.monotonic() + _KEEP_SECONDS, documents)
    return documents


async def vapid_public_key(call: Call) -> str:
    """The key with which apps subscribe to Web Push; made at the first start."""
    return base64.urlsafe_b64encode(public_point(await load_vapid_key(call.api.db))).decode()
