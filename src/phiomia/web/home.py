"""The front door."""

from phiomia import __version__
from phiomia.domain.accounts.contact import find_contact
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.moderation.texts import TextKind, has_text, load_text
from phiomia.domain.timelines.public import load_public
from phiomia.platform.db import ReadSession
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
        contact = await _find_contact(visit, session)
    visit.show(
        "about",
        longer="" if longer is None else longer.content,
        has_terms=has_terms,
        contact=contact,
        version=__version__,
    )


async def _find_contact(visit: Visit, session: ReadSession) -> str:
    """The user name of whom one may write to; empty when there is nobody."""
    found = await find_contact(session, visit.context.config.instance.contact_account)
    account = await load_account(session, found) if found else None
    return account.username if account else ""
