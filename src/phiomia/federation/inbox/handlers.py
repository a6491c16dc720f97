"""The kinds of jobs of what comes in, with their handlers."""

from phiomia.domain.statuses.replies import FindReplies
from phiomia.federation.inbox.accounts import EraseAccount, MoveFollowers, run_erase_account, run_move_followers
from phiomia.federation.inbox.followers_sync import SyncFollowers, sync_followers
from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.probe import TakeProbe, take_probe
from phiomia.federation.inbox.quote_jobs import CheckQuote
from phiomia.federation.inbox.quotes import run_check_quote
from phiomia.federation.inbox.recommend import run_check_item
from phiomia.federation.inbox.recommend_jobs import CheckItem
from phiomia.federation.inbox.refresh import refresh_account
from phiomia.federation.inbox.take import take_activity
from phiomia.federation.inbox.threads import (
    FindMentions,
    FindParent,
    run_find_mentions,
    run_find_parent,
    run_find_replies,
)
from phiomia.federation.jobs import RefreshAccount
from phiomia.platform.jobs.handlers import Handler

HANDLERS = (
    Handler(TakeActivity, take_activity, limit_s=120.0),
    Handler(RefreshAccount, refresh_account, limit_s=120.0),
    Handler(FindMentions, run_find_mentions, limit_s=120.0),
    Handler(CheckQuote, run_check_quote, limit_s=120.0),
    Handler(CheckItem, run_check_item, limit_s=120.0),
    Handler(FindParent, run_find_parent, limit_s=120.0),
    Handler(FindReplies, run_find_replies),
    Handler(EraseAccount, run_erase_account),
    Handler(SyncFollowers, sync_followers, limit_s=120.0),
    Handler(MoveFollowers, run_move_followers),
    Handler(TakeProbe, take_probe, limit_s=120.0),
)
