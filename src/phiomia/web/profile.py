"""The page of an account, for everybody."""

from phiomia.domain.timelines.account import load_account_statuses
from phiomia.platform.limits import PAGE_STATUSES
from phiomia.platform.paging import Page
from phiomia.web.shown import find_shown_account, read_id, read_person, read_posts, summarise, words_for
from phiomia.web.visit import Visit, announce

_POSTS = PAGE_STATUSES[0]


async def show_profile(visit: Visit) -> None:
    """Who they are, and what they have written for everybody: the newest first, pinned ones before."""
    fragments = visit.context.fragments
    below = read_id(visit.query.get("max_id", ""))
    async with visit.context.db.read() as session:
        view = await find_shown_account(session, visit.path["username"])
        person = await read_person(fragments, session, view)
        # One more than is shown tells whether there are older ones.
        rows = await load_account_statuses(session, None, view.id, Page(max_id=below, limit=_POSTS + 1))
        pins = [] if below else await load_account_statuses(session, None, view.id, Page(), pinned=True)
        pinned = await read_posts(fragments, session, pins)
        posts = await read_posts(fragments, session, rows[:_POSTS])
    announce(visit, person.uri)
    visit.show_public(
        "profile",
        person=person,
        pinned=pinned,
        posts=posts,
        older=rows[_POSTS - 1].cursor if len(rows) > _POSTS else None,
        newest=below is None,
        summary=summarise(person.note) or f"{person.name} on {visit.context.config.instance.title}",
        **words_for(visit),
    )


async def go_to_profile(visit: Visit) -> None:
    """From the account's id in the network to its page."""
    async with visit.context.db.read() as session:
        view = await find_shown_account(session, visit.path["username"])
    visit.go(f"/@{view.username}")
