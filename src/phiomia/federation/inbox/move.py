"""Move: an account lives elsewhere from now on."""

from phiomia.domain.accounts.move import mark_moved, names_as_former, note_move
from phiomia.domain.accounts.remote import load_actor
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.accounts import MoveFollowers
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Notes the move and lets followers here come along, if the new account knows of the old one."""
    actor, target = activity.actor, id_of(activity.raw.get("target"))
    if id_of(activity.object) != actor.uri:
        return ignored("only what the old account says of itself counts")
    if not target or target == actor.uri:
        return rejected("no target")
    async with context.db.read() as session:
        target_id = await ours.find_account(session, context.links, target)
    if target_id is None:
        target_id = (await context.resolver.account(target, fresh=True)).id
    async with context.db.read() as session:
        found = await load_actor(session, target_id)
        if found is not None and (found.suspended or found.moved_to_id is not None):
            return rejected("the new account is suspended, or has moved itself")
        if not await names_as_former(session, target_id, actor.uri):
            return rejected("the new account does not name the old one")

    async def move(session: WriteSession) -> Outcome:
        # Who moves every hour drags followers about.
        if not await note_move(session, actor.id):
            return rejected("the account has moved some days ago")
        await mark_moved(session, actor.id, target_id)
        # Also when the move was known: the profile may have told it first.
        await defer(session, MoveFollowers(actor.id, target_id), unique=f"{MoveFollowers.TYPE}:{actor.id}")
        return PROCESSED

    return await context.db.write(move)
