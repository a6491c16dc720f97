"""Reading media attachments."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.media.models import media
from phiomia.domain.media.views import MediaView
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_VIEW = select(*[media.c[name] for name in MediaView.__struct_fields__])
_BY_IDS = Query(_VIEW.where(any_of(media.c.id, listed("ids"))))
_OWN = Query(_VIEW.where(media.c.id == P("id"), media.c.account_id == P("account")))


async def load_media(session: ReadSession, ids: Sequence[int]) -> dict[int, MediaView]:
    """Attachments by id."""
    return {view.id: view for view in await session.views(MediaView, _BY_IDS, ids=list(ids))}


async def load_own_media(session: ReadSession, account_id: int, media_id: int) -> MediaView:
    """An attachment of the account itself. Raises NotFound."""
    found = await session.views(MediaView, _OWN, id=media_id, account=account_id)
    if not found:
        raise NotFound
    return found[0]
