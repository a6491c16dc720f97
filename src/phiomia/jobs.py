"""Every kind of job with its handler, and those that recur; joined with the worker in `app.py`."""

from dataclasses import dataclass, field
from typing import Any

from phiomia.backfills import BACKFILLS
from phiomia.domain.accounts.keys import MakeKeys, make_keys
from phiomia.domain.accounts.peers import forget_peers
from phiomia.domain.accounts.resolver import Lookup
from phiomia.domain.accounts.verify_links import VerifyLinks, run_verify_links
from phiomia.domain.media.jobs import HANDLERS as MEDIA
from phiomia.domain.media.jobs import PERIODIC as MEDIA_PERIODIC
from phiomia.domain.moderation.account_state import HANDLERS as ACCOUNT_STATE
from phiomia.domain.moderation.activity import HANDLERS as ACTIVITY
from phiomia.domain.moderation.activity import PERIODIC as ACTIVITY_PERIODIC
from phiomia.domain.moderation.domain_blocks import HANDLERS as DOMAIN_BLOCKS
from phiomia.domain.notifications.mails import HANDLERS as MAILS
from phiomia.domain.notifications.push import HANDLERS as PUSH
from phiomia.domain.notifications.unfilter import HANDLERS as NOTIFICATIONS
from phiomia.domain.oauth.codes import trim_codes
from phiomia.domain.peers.reach import MoveWaiting, move_waiting
from phiomia.domain.peers.received import trim_received
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.peers.tombstones import forget_tombstones
from phiomia.domain.relationships.domain_block import HANDLERS as TIES
from phiomia.domain.relationships.unmute import end_expired_mutes
from phiomia.domain.search.jobs import HANDLERS as SEARCH
from phiomia.domain.search.jobs import PERIODIC as SEARCH_PERIODIC
from phiomia.domain.statuses.attach_card import FetchCard
from phiomia.domain.statuses.fetch_card import run_fetch_card
from phiomia.domain.statuses.jobs import EndPolls, ForgetIdempotencyKeys, run_end_polls, run_forget_idempotency_keys
from phiomia.domain.statuses.publish_scheduled import PublishScheduled, run_publish_scheduled
from phiomia.domain.timelines.deliver import FanOut, run_fan_out
from phiomia.domain.timelines.feeds import trim_feeds
from phiomia.domain.trends.rank import HANDLERS as TRENDS
from phiomia.domain.trends.rank import PERIODIC as TRENDS_PERIODIC
from phiomia.domain.users.jobs import HANDLERS as NOTICES
from phiomia.domain.users.jobs import SendConfirmation, SendPasswordReset, send_confirmation, send_password_reset
from phiomia.domain.users.mail import Mailer, OutboxMailer
from phiomia.domain.users.sessions import trim_sessions
from phiomia.domain.users.smtp import SmtpMailer
from phiomia.domain.users.tell_of_release import HANDLERS as RELEASE_LETTERS
from phiomia.domain.users.tell_of_release import TellOfRelease
from phiomia.entities.links import Links
from phiomia.federation.exchange import Exchange
from phiomia.federation.inbox.context import InboxContext
from phiomia.federation.inbox.handlers import HANDLERS as INBOX
from phiomia.federation.lookup import ExchangeLookup
from phiomia.federation.outbox.deliver import Outbox
from phiomia.federation.outbox.jobs import HANDLERS as OUTBOX
from phiomia.federation.outbox.jobs import PERIODIC as OUTBOX_PERIODIC
from phiomia.federation.outside import Outside
from phiomia.platform import limits
from phiomia.platform.bus import Bus
from phiomia.platform.clock import HOUR, MINUTE, SECOND, now_ms
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.events import trim_stream
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic
from phiomia.platform.storage import Storage
from phiomia.upgrade.backfill_job import make_handler, make_periodic
from phiomia.upgrade.news_job import PERIODIC as NEWS_PERIODIC
from phiomia.upgrade.news_job import make_handler as make_news_handler


@dataclass
class WorkerContext:
    """What handlers work with."""

    config: Config
    db: Database
    bus: Bus
    storage: Storage
    links: Links
    mailer: Mailer = field(init=False)
    exchange: Exchange = field(init=False)
    outside: Outside = field(init=False)
    rules: DomainRules = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.mailer = SmtpMailer(self.config) if self.config.mail.host else OutboxMailer(self.config)
        self.exchange = Exchange(self.config, self.db, self.links)
        self.outside, self.rules = self.exchange.outside, self.exchange.rules
        self.outbox = Outbox(self.db, self.outside, self.rules, self.links)

    @property
    def lookup(self) -> Lookup:
        """Who knows accounts of other servers."""
        return ExchangeLookup(self.exchange)

    @property
    def inbox(self) -> InboxContext:
        """What handlers of activities work with."""
        return self.exchange.inbox

    async def close(self) -> None:
        """Closes what it opened."""
        await self.exchange.close()


class Tidy(Job, frozen=True):
    """Shorten feeds and the stream log, end mutes whose time is over, forget old sessions, codes and deliveries."""

    TYPE = "tidy"
    QUEUE = "scheduled"


async def run_tidy(context: Any, _job: Tidy) -> None:
    """Handler of Tidy."""
    db: Database = context.db
    before = now_ms() - limits.STREAM_LOG_SECONDS * SECOND
    await db.write(lambda session: trim_stream(session, before))
    while await db.write(trim_feeds):
        pass
    while await db.write(end_expired_mutes):
        pass
    while await db.write(trim_received):
        pass
    await db.write(forget_tombstones)
    await db.write(forget_peers)
    await db.write(trim_sessions)
    await db.write(trim_codes)


_HANDLERS = (
    Handler(FanOut, run_fan_out),
    Handler(EndPolls, run_end_polls),
    Handler(ForgetIdempotencyKeys, run_forget_idempotency_keys),
    Handler(MakeKeys, make_keys),
    Handler(SendConfirmation, send_confirmation),
    Handler(SendPasswordReset, send_password_reset),
    Handler(VerifyLinks, run_verify_links),
    Handler(FetchCard, run_fetch_card),
    Handler(PublishScheduled, run_publish_scheduled),
    Handler(MoveWaiting, move_waiting),
    Handler(Tidy, run_tidy),
    make_handler(BACKFILLS),
    make_news_handler(TellOfRelease),
    *ACTIVITY,
    *ACCOUNT_STATE,
    *DOMAIN_BLOCKS,
    *INBOX,
    *MEDIA,
    *MAILS,
    *NOTICES,
    *NOTIFICATIONS,
    *OUTBOX,
    *PUSH,
    *RELEASE_LETTERS,
    *SEARCH,
    *TIES,
    *TRENDS,
)
HANDLERS = {handler.job_type.TYPE: handler for handler in _HANDLERS}
PERIODIC = (
    Periodic("tidy", 5 * MINUTE, Tidy),
    Periodic("end_polls", 15 * SECOND, EndPolls),
    Periodic("publish_scheduled", 15 * SECOND, PublishScheduled),
    Periodic("forget_idempotency_keys", HOUR, ForgetIdempotencyKeys),
    *make_periodic(BACKFILLS),
    *ACTIVITY_PERIODIC,
    *TRENDS_PERIODIC,
    *MEDIA_PERIODIC,
    *OUTBOX_PERIODIC,
    *NEWS_PERIODIC,
    *SEARCH_PERIODIC,
)
