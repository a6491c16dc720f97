"""Hashtags that a member shows on the profile, with how often they have used them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, delete, func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.statuses.events import StatusCreated, StatusDeleted, StatusEdited
from phiomia.domain.statuses.models import status_tags, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.events import TagFeatured
from phiomia.domain.tags.follow import make_tag
from phiomia.domain.tags.models import featured_tags, tags
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import TagView
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_SUGGESTED = 10
_LOOKED_THROUGH = 1_000


class FeaturedTagView(NamedTuple):
    """A hashtag on a profile. `name` is as the member wrote it, `key` what it is found by.

    `username` is whose profile it is, empty for those of other servers.
    """

    id: int
    tag_id: int
    name: str
    key: str
    statuses_count: int
    last_status_at: int | None
    username: str


_VIEW = (
    select(
        featured_tags.c.id,
        featured_tags.c.tag_id,
        featured_tags.c.name,
        tags.c.name,
        featured_tags.c.statuses_count,
        featured_tags.c.last_status_at,
        case((accounts.c.domain == "", accounts.c.username), else_=""),
    )
    .join(tags, tags.c.id == featured_tags.c.tag_id)
    .join(accounts, accounts.c.id == featured_tags.c.account_id)
)
_MINE = featured_tags.c.account_id == P("account")
_OF = Query(_VIEW.where(_MINE).order_by(featured_tags.c.statuses_count.desc(), featured_tags.c.id))
_ONE = Query(_VIEW.where(_MINE, featured_tags.c.id == P("id")))
_BY_TAG = Query(_VIEW.where(_MINE, featured_tags.c.tag_id == P("tag")))
FEATURED: Final = select(featured_tags.c.tag_id).where(
    featured_tags.c.account_id == P("viewer"), any_of(featured_tags.c.tag_id, listed("tags"))
)
"""Which of `tags` are on the viewer's profile, for a statement of `Together`."""
_AMONG = Query(FEATURED)
_COUNT = Query(select(func.count()).select_from(featured_tags).where(_MINE))
_INSERT = insert_into(
    featured_tags, "id", "account_id", "tag_id", "name", "statuses_count", "last_status_at", "created_at"
)
_DELETE = Query(delete(featured_tags).where(_MINE, featured_tags.c.id == P("id")))
_is_counted: ColumnElement[bool] = and_(
    statuses.c.account_id == P("account"),
    statuses.c.visibility <= Visibility.UNLISTED,
    statuses.c.reblog_of_id.is_(None),
)
_USES = Query(
    select(func.count(), func.max(statuses.c.created_at))
    .select_from(status_tags.join(statuses, statuses.c.id == status_tags.c.status_id))
    .where(status_tags.c.tag_id == P("tag"), _is_counted)
)
_SET_USES = Query(
    update(featured_tags)
    .where(featured_tags.c.id == P("of_id"))
    .values(statuses_count=P("uses"), last_status_at=P("last_at"))
)
_ADD_USE = Query(
    update(featured_tags)
    .where(
        _MINE,
        featured_tags.c.tag_id.in_(select(tags.c.id).where(any_of(tags.c.name, listed("keys", str)))),
    )
    .values(
        statuses_count=featured_tags.c.statuses_count + 1,
        last_status_at=case((featured_tags.c.last_status_at > P("at"), featured_tags.c.last_status_at), else_=P("at")),
    )
)
_recent = select(statuses.c.id).where(_is_counted).order_by(statuses.c.id.desc()).limit(_LOOKED_THROUGH).subquery()
_SUGGESTIONS = Query(
    select(tags.c.id, tags.c.name, tags.c.display_name, tags.c.last_used_at)
    .select_from(
        _recent.join(status_tags, status_tags.c.status_id == _recent.c.id).join(tags, tags.c.id == status_tags.c.tag_id)
    )
    .where(~select(featured_tags.c.id).where(_MINE, featured_tags.c.tag_id == tags.c.id).exists())
    .group_by(tags.c.id, tags.c.name, tags.c.display_name, tags.c.last_used_at)
    .order_by(func.count().desc(), func.max(_recent.c.id).desc())
    .limit(_SUGGESTED)
)


async def list_featured_tags(session: ReadSession, account_id: int) -> list[FeaturedTagView]:
    """The hashtags on a profile, the most used first."""
    return await session.views(FeaturedTagView, _OF, account=account_id)


async def find_featured_tags(session: ReadSession, account_id: int, tag_ids: Sequence[int]) -> set[int]:
    """Which of the hashtags are on the account's profile."""
    return set(await session.column(_AMONG, viewer=account_id, tags=list(tag_ids))) if tag_ids else set()


async def suggest_tags(session: ReadSession, account_id: int) -> list[TagView]:
    """What the account has often used of late and does not show on its profile yet."""
    return await session.views(TagView, _SUGGESTIONS, account=account_id)


async def feature_tag(session: WriteSession, account_id: int, name: str) -> FeaturedTagView:
    """Shows a hashtag on the profile; one that is there stays as it is. Raises Invalid."""
    name = name.strip().removeprefix("#")
    if not is_valid_tag(name):
        raise Invalid("Validation failed: Tag is invalid", {"name": [("ERR_INVALID", "is invalid")]})
    tag = await make_tag(session, name)
    known = await session.views(FeaturedTagView, _BY_TAG, account=account_id, tag=tag.id)
    if known:
        return known[0]
    if await session.value(_COUNT, account=account_id) >= limits.FEATURED_TAGS:
        raise Invalid("Validation failed: You have already featured the maximum number of hashtags")
    uses, last_at = await _count_uses(session, account_id, tag.id)
    await session.execute(
        _INSERT,
        id=new_id(),
        account_id=account_id,
        tag_id=tag.id,
        name=name,
        statuses_count=uses,
        last_status_at=last_at,
        created_at=now_ms(),
    )
    await record(session, TagFeatured(account_id=account_id, key=tag.name, name=name))
    (made,) = await session.views(FeaturedTagView, _BY_TAG, account=account_id, tag=tag.id)
    return made


async def replace_featured_tags(session: WriteSession, account_id: int, names: Sequence[str]) -> None:
    """Lets these be the hashtags on the profile of an account of another server; what is none is left out."""
    wanted = {normalise_tag(name): name for name in names if is_valid_tag(name)}
    there = await list_featured_tags(session, account_id)
    for view in there:
        if view.key not in wanted:
            await _take_off(session, account_id, view)
    shown = {view.key for view in there}
    for key, name in wanted.items():
        if key not in shown:
            await feature_tag(session, account_id, name)


async def unfeature_tag(session: WriteSession, account_id: int, featured_id: int) -> None:
    """Takes a hashtag off the profile. Raises NotFound."""
    found = await session.views(FeaturedTagView, _ONE, account=account_id, id=featured_id)
    if not found:
        raise NotFound
    await _take_off(session, account_id, found[0])


async def unfeature_tag_named(session: WriteSession, account_id: int, tag_id: int) -> None:
    """The same by the hashtag itself; nothing happens if it is not there."""
    found = await session.views(FeaturedTagView, _BY_TAG, account=account_id, tag=tag_id)
    if found:
        await _take_off(session, account_id, found[0])


async def count_new_use(session: WriteSession, event: StatusCreated) -> None:
    """A new status counts for what its author features."""
    if event.tags and event.visibility <= Visibility.UNLISTED:
        await session.execute(_ADD_USE, account=event.account_id, keys=event.tags, at=now_ms())


async def recount_uses(session: WriteSession, event: StatusEdited | StatusDeleted) -> None:
    """What was edited may have other hashtags, what was deleted has none any more."""
    if isinstance(event, StatusDeleted) and not event.tags:
        return
    for view in await list_featured_tags(session, event.account_id):
        if isinstance(event, StatusDeleted) and view.key not in event.tags:
            continue
        uses, last_at = await _count_uses(session, event.account_id, view.tag_id)
        if (uses, last_at) != (view.statuses_count, view.last_status_at):
            await session.execute(_SET_USES, of_id=view.id, uses=uses, last_at=last_at)


async def _take_off(session: WriteSession, account_id: int, view: FeaturedTagView) -> None:
    await session.execute(_DELETE, account=account_id, id=view.id)
    await record(session, TagFeatured(account_id=account_id, key=view.key, name=view.name, gone=True))


async def _count_uses(session: ReadSession, account_id: int, tag_id: int) -> tuple[int, int | None]:
    row = await session.one(_USES, account=account_id, tag=tag_id)
    return (row[0], row[1]) if row else (0, None)
