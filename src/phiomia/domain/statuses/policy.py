"""Who may see a status, answer it, boost it: conditions in SQL, so that nothing has to be loaded to be judged.

A status may be seen by its author; unless author and viewer block each other, also by: everybody (public,
unlisted), followers and those mentioned (private), those mentioned (direct). A boost is seen where the
boosted status is. Suspended authors are seen by nobody.
"""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, literal_column, or_, select
from sqlalchemy.sql.selectable import FromClause

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.models import blocks, follows
from phiomia.domain.statuses.models import status_mentions, statuses
from phiomia.domain.statuses.visibility import Visibility


def visible_to(
    status: FromClause, viewer: ColumnElement[Any], author: ColumnElement[Any] | None = None
) -> ColumnElement[bool]:
    """Whether the viewer may see a status, as a condition on a FROM of statuses; the viewer 0 is nobody.

    Where all are of one author, that can be said: what holds of the author is then asked once, not of each status.
    """
    author = status.c.account_id if author is None else author
    not_suspended = _exists(accounts, accounts.c.id == author, accounts.c.state < AccountState.SUSPENDED)
    blocked = _exists(blocks, blocks.c.account_id == author, blocks.c.target_id == viewer)
    following = _exists(follows, follows.c.account_id == viewer, follows.c.target_id == author)
    mentioned = _exists(
        status_mentions, status_mentions.c.status_id == status.c.id, status_mentions.c.account_id == viewer
    )
    return and_(
        not_suspended,
        or_(
            author == viewer,
            and_(
                ~blocked,
                or_(
                    status.c.visibility <= Visibility.UNLISTED,
                    and_(status.c.visibility == Visibility.PRIVATE, following),
                    mentioned,
                ),
            ),
        ),
    )


def _exists(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # Status and viewer may be columns of a statement two levels above, which is not found without being told.
    return select(literal_column("1")).select_from(table).where(*conditions).correlate_except(table).exists()


def visible_with_original(status: FromClause, viewer: ColumnElement[Any]) -> ColumnElement[bool]:
    """`visible_to`, and if it is a boost what it shares is visible too."""
    original = statuses.alias("shared")
    shared = select(original.c.id).where(original.c.id == status.c.reblog_of_id, visible_to(original, viewer))
    return and_(
        visible_to(status, viewer),
        or_(status.c.reblog_of_id.is_(None), shared.correlate_except(original).exists()),
    )


def visible_to_anybody(status: FromClause) -> ColumnElement[bool]:
    """What `visible_to` comes to for nobody, with fewer questions."""
    author_stays = (
        select(accounts.c.id)
        .where(accounts.c.id == status.c.account_id, accounts.c.state < AccountState.SUSPENDED)
        .correlate_except(accounts)
        .exists()
    )
    return and_(status.c.visibility <= Visibility.UNLISTED, author_stays)


def can_boost(visibility: int, author_id: int, actor_id: int) -> bool:
    """Whether the actor, who may see it, may boost it: public ones, and one's own unless direct."""
    if visibility in (Visibility.PUBLIC, Visibility.UNLISTED):
        return True
    return visibility == Visibility.PRIVATE and author_id == actor_id
