"""Somebody elsewhere hears what a member did to them: follows and blocks, and the answers to theirs."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from phiomia.federation.documents import activities
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, find_two
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


class Act(StrEnum):
    """What a member does to somebody elsewhere."""

    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    ACCEPT = "accept"
    REJECT = "reject"
    BLOCK = "block"
    UNBLOCK = "unblock"


class SendAct(Job, frozen=True):
    """Tell somebody elsewhere what a member did to them. `number` and `uri` name the follow or block."""

    TYPE = "outbox.send_act"

    act: str
    account_id: int
    target_id: int
    number: int
    uri: str = ""


async def send_act(context: Context, job: SendAct) -> None:
    """Handler of SendAct."""
    parting = job.act in (Act.UNFOLLOW, Act.REJECT)
    two = await find_two(context.outbox, job.account_id, job.target_id, parting=parting)
    if two is not None:
        document = _ACTS[Act(job.act)](two.actor, two.target, job)
        await send(context.outbox, Post(document, job.account_id), [two.inbox])


def _follow(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.follow(actor, job.number, target, job.uri)


def _unfollow(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.undo(_follow(actor, target, job))


def _accept(actor: str, target: str, job: SendAct) -> activities.Document:
    # Who asks again has not heard the first answer: it needs an id that was not seen there.
    return activities.accept(actor, activities.followed_by(job.uri, target, actor), new_id())


def _reject(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.reject(actor, activities.followed_by(job.uri, target, actor), new_id())


def _block(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.block(actor, job.number, target)


def _unblock(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.undo(_block(actor, target, job))


_ACTS: Mapping[Act, Callable[[str, str, SendAct], activities.Document]] = {
    Act.FOLLOW: _follow,
    Act.UNFOLLOW: _unfollow,
    Act.ACCEPT: _accept,
    Act.REJECT: _reject,
    Act.BLOCK: _block,
    Act.UNBLOCK: _unblock,
}

HANDLERS = (Handler(SendAct, send_act),)
