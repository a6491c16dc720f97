"""Asks for accounts of other servers again, for how many follow them, and for what they show on their profiles."""

from phiomia.domain.accounts.remote import Actor, load_actor
from phiomia.domain.accounts.remote_marks import put_counts
from phiomia.federation.inbox.accounts import forget_account
from phiomia.federation.inbox.context import Gone, Unresolved
from phiomia.federation.inbox.intake import Intake, IntakeContext
from phiomia.federation.inbox.showcase import read_showcase
from phiomia.federation.jobs import RefreshAccount
from phiomia.federation.parse.values import same_host, total_of
from phiomia.platform.jobs.handlers import Discard, Retry


async def refresh_account(context: IntakeContext, job: RefreshAccount) -> None:
    """Handler of RefreshAccount."""
    exchange = context.exchange
    async with exchange.db.read() as session:
        actor = await load_actor(session, job.account_id)
    if actor is None:
        raise Discard("the account is not here any more")
    if job.counts_only:
        await _count(exchange, actor)
        await read_showcase(exchange.inbox, actor)
    else:
        # What hangs on the profile follows by a job of its own.
        await _ask_again(exchange, actor)


async def _ask_again(exchange: Intake, actor: Actor) -> None:
    try:
        await exchange.resolver.account(actor.uri, fresh=True)
    except Gone as error:
        if error.for_good:
            await forget_account(exchange.inbox, actor)
        raise Discard(error.reason) from error
    except Unresolved as error:
        raise (Retry(error.reason) if error.retry else Discard(error.reason)) from error


async def _count(exchange: Intake, actor: Actor) -> None:
    followers = await _total(exchange, actor, actor.followers_url)
    following = await _total(exchange, actor, actor.following_url)
    statuses = await _total(exchange, actor, actor.outbox_url)
    if (followers, following, statuses) != (None, None, None):
        await exchange.db.write(lambda session: put_counts(session, actor.id, followers, following, statuses))


async def _total(exchange: Intake, actor: Actor, url: str) -> int | None:
    if not url or not same_host(url, actor.uri):
        return None
    try:
        return total_of(await exchange.resolver.collection_page(url))
    except Unresolved:
        return None  # many servers hide these
