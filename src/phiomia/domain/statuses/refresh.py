"""What another server says of its own statuses later: the numbers, without an edit."""

from sqlalchemy import func, select, update

from phiomia.domain.statuses.draft import PollDraft
from phiomia.domain.statuses.models import poll_options, polls, statuses
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession

_COUNTS = Query(
    update(statuses)
    .where(statuses.c.id == P("id"), statuses.c.local.is_(False))
    .values(
        favourites_count=func.coalesce(P("favourites"), statuses.c.favourites_count),
        reblogs_count=func.coalesce(P("boosts"), statuses.c.reblogs_count),
    )
)
_POLICY = Query(
    update(statuses)
    .where(statuses.c.id == P("id"), statuses.c.local.is_(False), statuses.c.quote_policy != P("policy"))
    .values(quote_policy=P("policy"))
)
_POLL = Query(select(polls.c.id).where(polls.c.status_id == P("id")))
_TITLES = Query(
    select(poll_options.c.title).where(poll_options.c.poll_id == P("poll")).order_by(poll_options.c.position)
)
_VOTES = Query(
    update(poll_options)
    .where(poll_options.c.poll_id == P("poll"), poll_options.c.position == P("place"))
    .values(votes_count=P("votes"))
)
_CHANGE = Query(
    update(polls)
    .where(polls.c.id == P("poll"))
    .values(voters_count=P("voters"), expires_at=P("until"), fetched_at=P("now"))
)


async def refresh_counts(session: WriteSession, status_id: int, favourites: int | None, boosts: int | None) -> None:
    """Takes over the numbers of a status that lives elsewhere; None leaves one as it is."""
    await session.execute(_COUNTS, id=status_id, favourites=favourites, boosts=boosts)


async def refresh_quote_policy(session: WriteSession, status_id: int, policy: int) -> None:
    """Takes over who may quote a status that lives elsewhere."""
    await session.execute(_POLICY, id=status_id, policy=policy)


async def refresh_poll(session: WriteSession, status_id: int, draft: PollDraft) -> bool:
    """Takes over what a poll's server has counted; False if it has other answers than the ones that are known."""
    poll_id = await session.value(_POLL, id=status_id)
    if poll_id is None or await session.column(_TITLES, poll=poll_id) != draft.options:
        return False
    await session.execute_many(
        _VOTES, [{"poll": poll_id, "place": place, "votes": votes} for place, votes in enumerate(draft.votes)]
    )
    await session.execute(_CHANGE, poll=poll_id, voters=draft.voters_count, until=draft.expires_at, now=now_ms())
    return True
