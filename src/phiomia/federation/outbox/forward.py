"""Passes replies on: who follows a member elsewhere would not see what strangers answer. The body stays as it came."""

from collections.abc import Mapping
from typing import Any, Final

from phiomia.domain.statuses.answered import find_answered_member
from phiomia.domain.statuses.recipients import list_follower_inboxes
from phiomia.federation.outbox.deliver import host_of
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, scan
from phiomia.federation.parse.values import id_of
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import Job, defer

PASSED_ON: Final = frozenset({"Create", "Update", "Delete"})


class ForwardReply(Job, frozen=True):
    """Pass on what was received to the followers of a member who was answered."""

    TYPE = "outbox.forward_reply"

    account_id: int
    body: str
    without_host: str


async def find_interested(db: Database, raw: Mapping[str, Any]) -> int | None:
    """The member whose followers should see what has become of a reply, if it can be passed on.

    For that it must carry a signature of its own: receivers have no other reason to believe us.
    """
    if "signature" not in raw and "proof" not in raw:
        return None
    async with db.read() as session:
        return await find_answered_member(session, id_of(raw.get("object")))


async def forward_later(session: WriteSession, account_id: int, body: str, sender: str) -> None:
    """Lets the worker pass it on, to everybody but the server that has sent it."""
    await defer(session, ForwardReply(account_id, body, host_of(sender)))


async def forward_reply(context: Context, job: ForwardReply) -> None:
    """Handler of ForwardReply."""
    outbox = context.outbox
    inboxes = await scan(outbox, lambda session: list_follower_inboxes(session, job.account_id))
    post = Post(job.body.encode(), job.account_id, without_host=job.without_host)
    await send(outbox, post, inboxes)
