"""Whom to follow: https://docs.joinmastodon.org/methods/suggestions/ and /methods/directory/"""

from typing import Literal

import msgspec
from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import link_offsets
from phiomia.domain.relationships.suggest import (
    DirectoryPart,
    Source,
    Suggestion,
    dismiss_suggestion,
    list_directory,
    suggest_accounts,
)
from phiomia.platform import limits

_SECONDS = 2.0
_LARGEST_OFFSET = 10_000
# What older apps call the reasons.
_OLD_NAMES = {Source.FRIENDS: "past_interactions", Source.MOST_FOLLOWED: "global"}


class SuggestionParams(Struct, kw_only=True):
    """Which part of the list."""

    limit: int | None = None
    offset: int | None = None

    def part(self, sizes: tuple[int, int]) -> tuple[int, int]:
        """(limit, offset) within bounds."""
        usual, most = sizes
        limit = usual if self.limit is None else max(1, min(self.limit, most))
        return limit, min(max(self.offset or 0, 0), _LARGEST_OFFSET)


class DirectoryParams(SuggestionParams, kw_only=True):
    """Which accounts, in which order."""

    order: Literal["active", "new"] = "active"
    local: bool = False


@endpoint(
    "GET",
    "/api/v2/suggestions",
    scopes=("read:accounts",),
    returns="array<entity:Suggestion>",
    paginated="offset",
)
async def suggestions(call: Call, params: SuggestionParams) -> object:
    """Accounts to follow, with the reasons."""
    limit, offset = params.part(limits.PAGE_ACCOUNTS)
    found = await _find(call, limit, offset)
    shown = await _show(call, [one.account_id for one in found])
    link_offsets(call, limit, offset, full=len(found) >= limit)
    return [
        {
            "source": _OLD_NAMES[one.sources[0]],
            "sources": [source.value for source in one.sources],
            "account": msgspec.Raw(shown[one.account_id]),
        }
        for one in found
        if one.account_id in shown
    ]


@endpoint(
    "GET",
    "/api/v1/suggestions",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    deprecated="2021-05-16",
)
async def suggestions_v1(call: Call, params: SuggestionParams) -> object:
    """Accounts to follow, for older apps."""
    limit, _ = params.part(limits.PAGE_ACCOUNTS)
    ids = [one.account_id for one in await _find(call, limit, 0)]
    return await _list(call, ids)


@endpoint("DELETE", "/api/v1/suggestions/:account_id", scopes=("write:accounts",), returns="empty")
async def dismiss(call: Call, params: None) -> object:
    """Never suggests an account again."""
    target_id = call.path_id("account_id")
    await call.api.db.write(lambda session: dismiss_suggestion(session, call.actor, target_id))
    return {}


@endpoint("GET", "/api/v1/directory", access="optional", returns="array<entity:Account>", paginated="offset")
async def directory(call: Call, params: DirectoryParams) -> object:
    """Accounts that want to be found."""
    limit, offset = params.part(limits.PAGE_ACCOUNTS)
    part = DirectoryPart(limit, offset, params.order == "new", params.local)
    ids = await call.api.db.scan(lambda session: list_directory(session, call.viewer or 0, part), _SECONDS)
    link_offsets(call, limit, offset, full=len(ids) >= limit)
    return await _list(call, ids)


async def _find(call: Call, limit: int, offset: int) -> list[Suggestion]:
    return await call.api.db.scan(lambda session: suggest_accounts(session, call.actor, limit, offset), _SECONDS)


async def _list(call: Call, ids: list[int]) -> bytes:
    shown = await _show(call, ids)
    return b"[" + b",".join(shown[id_] for id_ in ids if id_ in shown) + b"]"


async def _show(call: Call, ids: list[int]) -> dict[int, bytes]:
    async with call.api.db.read() as session:
        return await call.api.fragments.accounts(session, ids)
