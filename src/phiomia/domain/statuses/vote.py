"""Voting in a poll."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select, update

from phiomia.domain.errors import Invalid, NotAllowed, NotFound
from phiomia.domain.relationships.conditions import exists_pair
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.events import PollVoted
from phiomia.domain.statuses.models import poll_options, poll_votes, polls, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import record


class _Ballot(NamedTuple):
    status_id: int
    author_id: int
    multiple: bool
    expires_at: int | None
    options: int
    author_blocked: bool


_options = select(func.count()).where(poll_options.c.poll_id == polls.c.id).scalar_subquery()
# Of two votes at the same moment, the second waits to see the first.
_BALLOT = Query(
    select(
        statuses.c.id,
        polls.c.account_id,
        polls.c.multiple,
        polls.c.expires_at,
        _options,
        exists_pair(blocks, P("actor"), polls.c.account_id),
    )
    .select_from(polls.join(statuses, statuses.c.id == polls.c.status_id))
    .where(polls.c.id == P("poll"), visible_to(statuses, P("actor")))
    .with_for_update(of=polls, key_share=True)
)
_CHOSEN = Query(
    select(poll_votes.c.choice).where(poll_votes.c.poll_id == P("poll"), poll_votes.c.account_id == P("actor"))
)
_INSERT = insert_into(poll_votes, "poll_id", "account_id", "choice")
_COUNT_VOTES = Query(
    update(poll_options)
    .where(poll_options.c.poll_id == P("poll"), any_of(poll_options.c.position, listed("choices")))
    .values(votes_count=poll_options.c.votes_count + 1)
)
_COUNT_VOTER = Query(update(polls).where(polls.c.id == P("poll")).values(voters_count=polls.c.voters_count + 1))
# The poll is shown as a part of its status.
_RENEW = Query(update(statuses).where(statuses.c.id == P("id")))


async def vote(session: WriteSession, actor_id: int, poll_id: int, choices: Sequence[int]) -> None:
    """Chooses answers by their places. In a poll with several choices one may add further ones later.

    Raises NotFound, NotAllowed (the actor blocks the author), Invalid.
    """
    row = await session.one(_BALLOT, poll=poll_id, actor=actor_id)
    if row is None:
        raise NotFound
    ballot = _Ballot(*row)
    chosen = await session.column(_CHOSEN, poll=poll_id, actor=actor_id)
    wanted = sorted(set(choices))
    _check(ballot, actor_id, wanted, chosen)
    await session.execute_many(
        _INSERT, [{"poll_id": poll_id, "account_id": actor_id, "choice": choice} for choice in wanted]
    )
    await session.execute(_COUNT_VOTES, poll=poll_id, choices=wanted)
    if not chosen:
        await session.execute(_COUNT_VOTER, poll=poll_id)
    await session.execute(_RENEW, id=ballot.status_id)
    await record(session, PollVoted(poll_id, ballot.status_id, actor_id, wanted))


def _check(ballot: _Ballot, actor_id: int, wanted: Sequence[int], chosen: Sequence[int]) -> None:
    if ballot.author_id == actor_id:
        raise Invalid("Validation failed: One can't vote in one's own poll")
    if ballot.author_blocked:
        raise NotAllowed
    if ballot.expires_at is not None and ballot.expires_at <= now_ms():
        raise Invalid("Validation failed: The poll has already ended")
    if not wanted:
        raise Invalid("Validation failed: Choices can't be blank")
    if wanted[0] < 0 or wanted[-1] >= ballot.options:
        raise Invalid("Validation failed: The poll has no such choice")
    if len(wanted) > 1 and not ballot.multiple:
        raise Invalid("Validation failed: The poll takes one choice only")
    if (chosen and not ballot.multiple) or not set(chosen).isdisjoint(wanted):
        raise Invalid("Validation failed: You have already voted in this poll")
