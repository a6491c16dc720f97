"""Writes down what became of deliveries, of as many as have ended at about the same time."""

from collections.abc import Sequence
from typing import NamedTuple

from phiomia.domain.peers.reach import Reach, let_rest, note_gone, note_reachable, note_unreachable
from phiomia.domain.peers.receipts import DeliveryState, Note, note_receipts
from phiomia.domain.statuses.recipients import is_shared_inbox
from phiomia.federation.outbox.availability import Host, Verdict
from phiomia.platform.db import WriteSession


class Outcome(NamedTuple):
    """What became of one try. `status_id`: whose receipts are kept; `reach`: what was known of the host before."""

    reach: Reach
    inbox: str
    status_id: int | None
    state: DeliveryState
    verdict: Verdict

    @property
    def teaches(self) -> bool:
        """Whether it says something of the host: it mostly was well and still is."""
        return self.verdict.host is not Host.WELL or not self.reach.is_well


async def write_outcomes(session: WriteSession, outcomes: Sequence[Outcome], now: int) -> dict[Outcome, int]:
    """Until when the host of each rests, 0 if it does not."""
    # Two workers that write of the same rows do so in the same order, or each would wait for the other.
    ordered = sorted(outcomes, key=lambda outcome: (outcome.reach.host, outcome.inbox, outcome.status_id or 0))
    await note_receipts(
        session,
        [
            Note(outcome.status_id, outcome.inbox, outcome.state, outcome.verdict.error)
            for outcome in ordered
            if outcome.status_id is not None
        ],
    )
    return {outcome: await _learn(session, outcome, now) if outcome.teaches else 0 for outcome in ordered}


async def _learn(session: WriteSession, outcome: Outcome, now: int) -> int:
    """Keeps what an answer says of the host; gives until when it rests, 0 if it does not."""
    verdict, host = outcome.verdict, outcome.reach.host
    match verdict.host:
        case Host.UNREACHABLE:
            return await note_unreachable(session, outcome.reach, now)
        case Host.BUSY:
            await let_rest(session, host, now + verdict.rest_ms)
            return now + verdict.rest_ms
        case Host.GONE if await is_shared_inbox(session, outcome.inbox):
            await note_gone(session, host, now)
        case Host.GONE | Host.WELL:
            await note_reachable(session, host, now)
    return 0
