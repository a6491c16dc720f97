"""Accounts of other servers that go away or go elsewhere: what takes longer than one activity."""

from typing import Any

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.moderation.erase import erase_some, hide_account
from phiomia.domain.relationships.move import BATCH, move_followers
from phiomia.federation.inbox.context import InboxContext
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import Job, defer


class EraseAccount(Job, frozen=True):
    """Erase an account of another server, and all it left here."""

    TYPE = "federation.erase_account"
    QUEUE = "scheduled"

    account_id: int


class MoveFollowers(Job, frozen=True):
    """Let members follow an account where it lives now."""

    TYPE = "federation.move_followers"
    QUEUE = "pull"

    account_id: int
    target_id: int


async def forget_account(context: InboxContext, actor: Actor) -> None:
    """Hides an account at once, and erases it bit by bit."""

    async def forget(session: WriteSession) -> None:
        await hide_account(session, actor.id)
        await defer(session, EraseAccount(actor.id), unique=f"{EraseAccount.TYPE}:{actor.id}")

    await context.db.write(forget)


async def run_erase_account(context: Any, job: EraseAccount) -> None:
    """Handler of EraseAccount."""
    db: Database = context.db
    while await db.write(lambda session: erase_some(session, job.account_id)):
        pass


async def run_move_followers(context: Any, job: MoveFollowers) -> None:
    """Handler of MoveFollowers."""
    db: Database = context.db
    while await db.write(lambda session: move_followers(session, job.account_id, job.target_id)) == BATCH:
        pass
