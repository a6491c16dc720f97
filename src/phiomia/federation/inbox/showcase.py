"""What people elsewhere show on their profiles: read when the profile is, for what was told before we knew them."""

from collections.abc import Mapping, Sequence
from typing import Any

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.statuses.featured_tags import replace_featured_tags
from phiomia.domain.statuses.pin import replace_pins
from phiomia.federation.inbox.context import InboxContext, Unresolved
from phiomia.federation.inbox.create import store_status
from phiomia.federation.inbox.recommend import take_collection
from phiomia.federation.parse.note import is_post
from phiomia.federation.parse.tags import hashtag_in
from phiomia.federation.parse.values import first, id_of, same_host, values
from phiomia.platform.limits import COLLECTIONS, FEATURED_TAGS, PINNED_STATUSES
from phiomia.platform.log import get_logger

log = get_logger("showcase")


async def read_showcase(context: InboxContext, actor: Actor) -> None:
    """Takes over what the actor pins, shows and recommends; a list that can't be had stays as it was."""
    featured = await read_list(context, actor, actor.featured_url)
    if featured is not None:
        await _take_pins(context, actor, featured)
    tags = await read_list(context, actor, actor.featured_tags_url)
    if tags is not None:
        names = [name for one in tags if (name := hashtag_in(one))][:FEATURED_TAGS]
        await context.db.write(lambda session: replace_featured_tags(session, actor.id, names))
    await _take_collections(context, actor)


async def read_list(context: InboxContext, actor: Actor, url: str) -> Sequence[Any] | None:
    """The items of a list of the actor's, or of its first page; None if it can't be had."""
    if not url or not same_host(url, actor.uri):
        return None
    try:
        document = await context.resolver.collection_page(url)
        page = first(document.get("first"))
        if isinstance(page, str) and same_host(page, url):
            page = await context.resolver.collection_page(page)
    except Unresolved as error:
        log.debug("a list can't be had", actor=actor.uri, reason=error.reason)
        return None
    found = _items(document)
    return found or _items(page) if isinstance(page, Mapping) else found


def _items(document: Mapping[str, Any]) -> list[Any]:
    return list(values(document.get("orderedItems") or document.get("items")))


async def _take_pins(context: InboxContext, actor: Actor, items: Sequence[Any]) -> None:
    wanted = [one for one in items if not hashtag_in(one)][:PINNED_STATUSES]
    found = [status_id for one in wanted if (status_id := await _obtain(context, actor, one)) is not None]
    await context.db.write(lambda session: replace_pins(session, actor.id, found))


async def _take_collections(context: InboxContext, actor: Actor) -> None:
    listed = await read_list(context, actor, actor.collections_url)
    for one in (listed or [])[:COLLECTIONS]:
        try:
            document = await context.resolver.trusted_object(one, actor)
            await take_collection(context, document, actor)
        except Unresolved as error:
            log.debug("a collection can't be had", collection=id_of(one), reason=error.reason)


async def _obtain(context: InboxContext, actor: Actor, item: Any) -> int | None:
    """The status that is pinned, stored now if it is not known; None if it can't be had."""
    uri = id_of(item)
    if not same_host(uri, actor.uri):
        return None
    try:
        if not is_post(item):
            return await context.resolver.status(uri, 1)
        document = await context.resolver.trusted_object(item, actor)
        return await store_status(context, document, actor, 1)
    except Unresolved as error:
        log.debug("a pinned status can't be had", status=uri, reason=error.reason)
        return None
