"""With which statuses an endpoint can refuse, as its description tells it.

Most of it follows from how the endpoint is declared; the tables name what only its handler knows.
"""

from collections.abc import Iterator
from typing import Final

from phiomia.api.endpoint import Endpoint

WORDS: Final = {
    "400": "The request can't be read.",
    "401": "The access token, or the client, is missing or not valid.",
    "403": "The token, or its owner, may not do this.",
    "404": "There is no such thing, or it is not for the viewer's eyes.",
    "408": "The body took too long to arrive.",
    "409": "Somebody else was faster; ask again.",
    "413": "The body is too large.",
    "415": "The body is of a type that can't be read.",
    "422": "The parameters are not acceptable.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "The server can't do it right now; `Retry-After` says when to come back.",
}
# What a parameter names may be missing, or what was never set up.
_BESIDES: Final[dict[str, tuple[str, ...]]] = {
    "GET /api/oembed": ("404",),
    "GET /api/v1/accounts/lookup": ("404",),
    "GET /api/v1/instance/terms_of_service": ("404",),
    "GET /api/v1/push/subscription": ("404",),
    "GET /api/v1/timelines/link": ("404",),
    "GET /api/v2/search": ("400",),
    "GET /invite/:invite_code": ("401",),
    "PATCH /api/v1/push/subscription": ("404",),
    "POST /api/phiomia/v1/upgrade_probe": ("404",),
    "POST /api/v1/collections": ("404",),
    "POST /api/v1/markers": ("409",),
    "POST /api/v1/reports": ("404",),
    "POST /api/v1/statuses": ("404",),
    "POST /api/v1_alpha/collections": ("404",),
    "POST /oauth/introspect": ("401",),
    "POST /oauth/revoke": ("403",),
    "POST /oauth/token": ("401",),
    "PUT /api/v1/push/subscription": ("404",),
}
# Their parameter is no id: whatever it is, there is an answer, if an empty one.
_ALWAYS_THERE: Final = frozenset(
    {
        "GET /api/v1/annual_reports/:year/state",
        "GET /api/v1/timelines/tag/:hashtag",
        "GET /api/v2/notifications/:group_key/accounts",
        "POST /api/v1/annual_reports/:year/generate",
        "POST /api/v2/notifications/:group_key/dismiss",
    }
)
# These know their answer without the database.
_BY_HEART: Final = frozenset(
    {
        "GET /.well-known/change-password",
        "GET /.well-known/oauth-authorization-server",
        "GET /.well-known/proxy",
        "GET /api/openapi.json",
        "GET /api/v1/instance/languages",
        "GET /api/v1/instance/translation_languages",
        "POST /api/v1/accounts/:id/email_subscriptions",
    }
)


def list_refusals(one: Endpoint) -> list[str]:
    """The statuses of an endpoint's refusals, each of which some request gets."""
    return sorted({*_by_declaration(one), *_BESIDES.get(_name(one), ())})


def _by_declaration(one: Endpoint) -> Iterator[str]:
    yield "429"
    if _name(one) not in _BY_HEART:
        yield "503"
    if one.params or one.upload_bytes:
        yield "400"
        if one.method not in ("GET", "DELETE"):
            yield from ("408", "413", "415")
    if one.access != "public":
        yield "401"
    if one.access == "user" or (one.access != "public" and one.scopes):
        yield "403"
    if one.params or one.access == "user":
        yield "422"
    if ":" in one.path and _name(one) not in _ALWAYS_THERE:
        yield "404"


def _name(one: Endpoint) -> str:
    return f"{one.method} {one.path}"
