"""Who of many viewers may be shown a status in a public stream, and whose list it is."""

from collections.abc import Sequence

from sqlalchemy import or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked, not_muted, not_of_blocked_domain
from phiomia.domain.relationships.models import lists
from phiomia.domain.statuses.models import status_mentions, statuses
from phiomia.domain.statuses.policy import visible_with_original
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_status = statuses.alias("s")
_viewer = accounts.alias("v")
_mention = status_mentions.alias("m")
_unwanted_mention = (
    select(_mention.c.account_id)
    .where(
        _mention.c.status_id == _status.c.id,
        or_(
            ~not_blocked(_mention.c.account_id, _viewer.c.id),
            ~not_muted(_mention.c.account_id, _viewer.c.id),
        ),
        _mention.c.account_id != _viewer.c.id,
    )
    .exists()
)
_MAY_BE_SHOWN = Query(
    select(_viewer.c.id)
    .select_from(_viewer.join(_status, _status.c.id == P("status")))
    .where(
        any_of(_viewer.c.id, listed("viewers")),
        _viewer.c.state < AccountState.SUSPENDED,
        not_blocked(_status.c.account_id, _viewer.c.id),
        not_muted(_status.c.account_id, _viewer.c.id),
        not_of_blocked_domain(_status.c.account_id, _viewer.c.id),
        ~_unwanted_mention,
    )
)
_MAY_SEE = Query(
    select(_viewer.c.id)
    .select_from(_viewer.join(_status, _status.c.id == P("status")))
    .where(any_of(_viewer.c.id, listed("viewers")), visible_with_original(_status, _viewer.c.id))
)
_OWNER = Query(select(lists.c.account_id).where(lists.c.id == P("id")))


async def find_public_audience(session: ReadSession, status_id: int, viewers: Sequence[int]) -> set[int]:
    """Those who neither block, mute nor are blocked by anybody in the status."""
    return set(await session.column(_MAY_BE_SHOWN, status=status_id, viewers=list(viewers), now=now_ms()))


async def find_audience(session: ReadSession, status_id: int, viewers: Sequence[int]) -> set[int]:
    """Those of the viewers who may see the status."""
    return set(await session.column(_MAY_SEE, status=status_id, viewers=list(viewers)))


async def owns_list(session: ReadSession, account_id: int, list_id: int) -> bool:
    """Whether the list exists and is the account's."""
    return bool(await session.value(_OWNER, id=list_id) == account_id)
