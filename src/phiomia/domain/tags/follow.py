"""Following hashtags: their public statuses come home."""

from sqlalchemy import delete

from phiomia.domain.tags.events import TagFollowed, TagUnfollowed
from phiomia.domain.tags.models import tag_follows, tags
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.tags.queries import TagView, find_tag
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

# Being followed is no use of a hashtag: when it was last used stays open.
_MAKE = Query(
    lambda insert: (
        insert(tags)
        .values(id=P("id"), name=P("name", str), display_name=P("display_name", str), created_at=P("at"))
        .on_conflict_do_nothing()
    )
)
_FOLLOW = Query(
    lambda insert: (
        insert(tag_follows)
        .values(account_id=P("account"), tag_id=P("tag"), created_at=P("at"))
        .on_conflict_do_nothing()
    )
)
_UNFOLLOW = Query(delete(tag_follows).where(tag_follows.c.account_id == P("account"), tag_follows.c.tag_id == P("tag")))


async def follow_tag(session: WriteSession, account_id: int, name: str) -> None:
    """Follows a hashtag, also one that nobody has used yet. Nothing happens if it is followed already."""
    view = await make_tag(session, name)
    if await session.execute(_FOLLOW, account=account_id, tag=view.id, at=now_ms()):
        await record(session, TagFollowed(account_id=account_id, tag_id=view.id))


async def unfollow_tag(session: WriteSession, account_id: int, name: str) -> None:
    """Ends it; nothing happens if the hashtag is not followed."""
    view = await find_tag(session, normalise_tag(name))
    if view is not None and await session.execute(_UNFOLLOW, account=account_id, tag=view.id):
        await record(session, TagUnfollowed(account_id=account_id, tag_id=view.id))


async def make_tag(session: WriteSession, name: str) -> TagView:
    """The hashtag of a name, made if nobody has used it yet."""
    key = normalise_tag(name)
    view = await find_tag(session, key)
    if view is None:
        await session.execute(_MAKE, id=new_id(), name=key, display_name=name, at=now_ms())
        view = await find_tag(session, key)
    assert view is not None
    return view
