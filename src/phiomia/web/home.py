"""The front door."""

from phiomia.domain.moderation.texts import TextKind, has_text, load_text
from phiomia.domain.timelines.public import load_public
from phiomia.platform.paging import Page
from phiomia.web.shown import read_posts, words_for
from phiomia.web.visit import Visit

_POSTS = 10


async def show_home(visit: Visit) -> None:
    """What this server is, the ways in, and what its members have just said to everybody."""
    async with visit.context.db.read() as session:
        rows = await load_public(session, None, Page(limit=_POSTS), local=True)
        posts = await read_posts(visit.context.fragments, session, rows)
    open_to_all = visit.context.config.registrations.mode != "closed"
    visit.show("home", open_to_all=open_to_all, posts=posts, **words_for(visit))


async def show_about(visit: Visit) -> None:
    """More about it: whom to write to, and the rules."""
    async with visit.context.db.read() as session:
        longer = await load_text(session, TextKind.DESCRIPTION)
        has_terms = await has_text(session, TextKind.TERMS)
    visit.show("about", longer="" if longer is None else longer.content, has_terms=has_terms)
