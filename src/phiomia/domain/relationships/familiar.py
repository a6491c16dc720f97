"""Whom one knows among those who follow somebody."""

from collections.abc import Sequence

from sqlalchemy import false, func, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.models import follows
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_MOST = 2_000

_mine, _theirs = follows.alias("mine"), follows.alias("theirs")
_owner, _known = accounts.alias("owner"), accounts.alias("known")
_FAMILIAR = Query(
    select(_theirs.c.target_id, _theirs.c.account_id)
    .select_from(
        _theirs.join(_mine, _mine.c.target_id == _theirs.c.account_id)
        .join(_owner, _owner.c.id == _theirs.c.target_id)
        .join(_known, _known.c.id == _theirs.c.account_id)
    )
    .where(
        _mine.c.account_id == P("viewer"),
        any_of(_theirs.c.target_id, listed("ids")),
        func.coalesce(_owner.c.hide_collections, false()).is_(false()),
        func.coalesce(_known.c.hide_collections, false()).is_(false()),
        _known.c.state != AccountState.SUSPENDED,
    )
    .order_by(_theirs.c.id.desc())
    .limit(_MOST)
)


async def list_familiar_followers(session: ReadSession, viewer_id: int, ids: Sequence[int]) -> dict[int, list[int]]:
    """For each account those of its followers whom the viewer follows; nobody who keeps that to themselves."""
    found: dict[int, list[int]] = {id_: [] for id_ in ids}
    for target_id, account_id in await session.all(_FAMILIAR, viewer=viewer_id, ids=list(ids)):
        found[target_id].append(account_id)
    return found
