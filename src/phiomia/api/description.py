"""The API's description in OpenAPI 3.1, at /api/openapi.json."""

import asyncio

import msgspec

from phiomia.api.endpoint import Call, endpoint

_KEPT = "openapi"


@endpoint("GET", "/api/openapi.json", access="public", returns="object")
async def describe_api(call: Call, params: None) -> bytes:
    """Every endpoint of this server in OpenAPI 3.1."""
    known = call.api.answers.get(_KEPT)
    if known is None:
        known = call.api.answers[_KEPT] = await asyncio.to_thread(_build, call.api.config.base_url)
    call.header("Cache-Control", "public, max-age=3600")
    return bytes(known)


def _build(base_url: str) -> bytes:
    from phiomia.api.openapi import build_document  # seldom asked for

    return msgspec.json.encode(build_document(base_url))
