"""What people of the demonstration have beside their posts, and what those who run the server announce."""

from phiomia.demo.script import Announced, Belongings, Collected, Filtered, Later
from phiomia.domain.collections.edit import CollectionDraft, create_collection
from phiomia.domain.filters.filters import FilterChange, create_filter
from phiomia.domain.filters.keywords import KeywordChange
from phiomia.domain.filters.kinds import Context
from phiomia.domain.moderation.announcements import NewAnnouncement, announce, react
from phiomia.domain.statuses.schedule import schedule_status
from phiomia.domain.statuses.scheduled import ScheduledParams
from phiomia.platform.clock import DAY
from phiomia.platform.db import WriteSession


async def hand_out(session: WriteSession, accounts: dict[str, int], all_of_it: Belongings, base: str, now: int) -> None:
    """Makes collections, filters, posts for later and announcements; `accounts` are the people by name."""
    for collection in all_of_it.collections:
        await _collect(session, accounts, collection)
    for filter_ in all_of_it.filters:
        await _filter(session, accounts, filter_)
    for post in all_of_it.later:
        await _keep_for_later(session, accounts, post, now)
    for announcement in all_of_it.announcements:
        await _announce(session, accounts, announcement, base)


async def _collect(session: WriteSession, accounts: dict[str, int], wanted: Collected) -> None:
    draft = CollectionDraft(
        name=wanted.name, description=wanted.description, tag_name=wanted.tag, language="en", discoverable=True
    )
    await create_collection(session, accounts[wanted.by], draft, [accounts[name] for name in wanted.people])


async def _filter(session: WriteSession, accounts: dict[str, int], wanted: Filtered) -> None:
    keywords = [KeywordChange(None, keyword, True) for keyword in wanted.keywords]
    change = FilterChange(title=wanted.title, contexts=Context.of(wanted.contexts), keywords=keywords)
    await create_filter(session, accounts[wanted.by], change)


async def _keep_for_later(session: WriteSession, accounts: dict[str, int], wanted: Later, now: int) -> None:
    params = ScheduledParams(text=wanted.text, visibility="public", language="en", quote_approval_policy="public")
    await schedule_status(session, accounts[wanted.by], now + wanted.days * DAY, params)


async def _announce(session: WriteSession, accounts: dict[str, int], wanted: Announced, base: str) -> None:
    announcement_id = await announce(session, NewAnnouncement(wanted.text), base)
    for emoji, names in wanted.reactions.items():
        for name in names:
            await react(session, accounts[name], announcement_id, emoji)
