"""The kinds of jobs of what comes in, with their handlers."""

from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.take import take_activity
from phiomia.federation.jobs import RefreshAccount
from phiomia.federation.refresh import refresh_account
from phiomia.platform.jobs.handlers import Handler

HANDLERS = (
    Handler(TakeActivity, take_activity, limit_s=120.0),
    Handler(RefreshAccount, refresh_account, limit_s=120.0),
)
