"""The page of a collection: accounts that a member recommends, for everybody."""

from phiomia.domain.collections.queries import load_collection
from phiomia.domain.collections.views import CollectionView
from phiomia.domain.errors import NotFound
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.platform.db import ReadSession
from phiomia.web.shown import Person, find_shown_account, read_id, read_people, read_person, summarise, words_for
from phiomia.web.visit import Visit, announce


async def show_collection(visit: Visit) -> None:
    """What it is about, and who is in it."""
    fragments = visit.context.fragments
    async with visit.context.db.read() as session:
        view = await _find(visit, session)
        owner = await read_person(fragments, session, await find_shown_account(session, view.username))
        people = await read_people(fragments, session, [item.account_id for item in view.items])
    announce(visit, f"{visit.context.config.base_url}/users/{view.username}/collections/{view.id}")
    visit.show_public(
        "collection",
        collection=view,
        owner=owner,
        people=people,
        tag=normalise_tag(view.tag_name) if view.tag_name else "",
        summary=_summarise(view, owner),
        **words_for(visit),
    )


async def go_to_collection(visit: Visit) -> None:
    """From the collection's id in the network to its page."""
    async with visit.context.db.read() as session:
        view = await _find(visit, session)
    if view.username.lower() != visit.path["username"].lower():
        raise NotFound
    visit.go(f"/collections/{view.id}")


async def _find(visit: Visit, session: ReadSession) -> CollectionView:
    collection_id = read_id(visit.path["collection_id"])
    if collection_id is None:
        raise NotFound
    view = await load_collection(session, 0, collection_id)
    if view.domain:  # that of another server is shown there
        raise NotFound
    return view


def _summarise(view: CollectionView, owner: Person) -> str:
    text = "" if view.sensitive else summarise(view.description)
    return text or f"Accounts that {owner.name} recommends"
