"""Every table, for the migrations alone."""

from phiomia.domain.accounts.models import accounts
from phiomia.domain.collections.models import collections
from phiomia.domain.filters.models import filters
from phiomia.domain.instance.models import server_facts
from phiomia.domain.media.models import media
from phiomia.domain.moderation.models import reports
from phiomia.domain.notifications.models import notifications
from phiomia.domain.oauth.models import apps
from phiomia.domain.peers.models import peers
from phiomia.domain.relationships.models import follows
from phiomia.domain.search.models import status_search
from phiomia.domain.statuses.models import statuses
from phiomia.domain.tags.models import tags
from phiomia.domain.timelines.models import home_feed
from phiomia.domain.trends.models import trends
from phiomia.domain.users.models import users
from phiomia.platform.db import metadata
from phiomia.platform.events import stream_events
from phiomia.platform.jobs.models import jobs

__all__ = [
    "accounts",
    "apps",
    "collections",
    "filters",
    "follows",
    "home_feed",
    "jobs",
    "media",
    "metadata",
    "notifications",
    "peers",
    "reports",
    "server_facts",
    "status_search",
    "statuses",
    "stream_events",
    "tags",
    "trends",
    "users",
]
