"""What the jobs that tell other servers something have in common: their context, and reading what they need."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.statuses.recipients import find_last_inbox, find_own_inbox
from phiomia.federation.outbox.deliver import Outbox
from phiomia.platform.db import ReadSession

_SCAN_SECONDS: Final = 60.0
T = TypeVar("T")


class Context(Protocol):
    """What the handlers need of the worker's context."""

    @property
    def outbox(self) -> Outbox:
        """The way out."""
        ...


class Two(NamedTuple):
    """The ids of a member and of somebody elsewhere, the member's name, and where the other is told alone."""

    actor: str
    target: str
    inbox: str
    username: str


async def find_two(outbox: Outbox, account_id: int, target_id: int, *, parting: bool = False) -> Two | None:
    """A member and somebody elsewhere; None if one is gone or the other lives here.

    `parting`: the other may be suspended here.
    """
    find = find_last_inbox if parting else find_own_inbox
    async with outbox.db.read() as session:
        people = await load_accounts(session, [account_id, target_id])
        inbox = await find(session, target_id)
    if inbox is None or len(people) < 2:
        return None
    member = people[account_id]
    return Two(outbox.links.actor(member), outbox.links.actor(people[target_id]), inbox, member.username)


async def scan(outbox: Outbox, load: Callable[[ReadSession], Awaitable[T]]) -> T:
    """What `load` reads, which may be the inboxes of many thousand followers."""
    return await outbox.db.scan(load, _SCAN_SECONDS)
