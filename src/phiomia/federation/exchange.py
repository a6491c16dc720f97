"""The exchange with other servers, as one process has it: the operator's rules, the way out, the gate in, the keys.

Each part is made when it is first used.
"""

from functools import cached_property, partial
from typing import TYPE_CHECKING

from phiomia.domain.peers.rules import DomainRules
from phiomia.entities.links import Links
from phiomia.federation.outside import Outside
from phiomia.platform.config import Config
from phiomia.platform.db import Database

if TYPE_CHECKING:
    from phiomia.federation.documents_of_others import Documents
    from phiomia.federation.inbox.context import InboxContext
    from phiomia.federation.keys import Keys
    from phiomia.federation.resolve import RemoteResolver
    from phiomia.platform.http import FetchOptions


class Exchange:
    """One for a process."""

    def __init__(self, config: Config, db: Database, links: Links, options: "FetchOptions | None" = None) -> None:
        self.config = config
        self.db = db
        self.links = links
        self.outside = Outside(config, db, options)
        self.heard: dict[str, float] = {}  # hosts that have sent something lately, and when that was noted
        self.rules = DomainRules(db, allow_only=config.federation.mode == "allowlist")

    @cached_property
    def own(self) -> frozenset[str]:
        """The hosts that are us."""
        return frozenset({self.config.web_domain.lower(), self.config.domain.lower()})

    @cached_property
    def documents(self) -> "Documents":
        """Documents of other servers."""
        from phiomia.federation.documents_of_others import Documents

        return Documents(self.outside, self.rules, self.own, None)

    @cached_property
    def resolver(self) -> "RemoteResolver":
        """From ids to what is stored."""
        return self._inbox_and_resolver[1]

    @cached_property
    def inbox(self) -> "InboxContext":
        """What handlers of activities work with."""
        return self._inbox_and_resolver[0]

    @cached_property
    def keys(self) -> "Keys":
        """The keys of those who sign."""
        from phiomia.federation.keys import Keys

        return Keys(self.db, self.documents)

    @cached_property
    def _inbox_and_resolver(self) -> "tuple[InboxContext, RemoteResolver]":
        from phiomia.federation.inbox.context import InboxContext
        from phiomia.federation.inbox.create import store_status
        from phiomia.federation.resolve import RemoteResolver

        resolver = RemoteResolver(self.db, self.links, self.documents, self.rules)
        context = InboxContext(self.config, self.db, self.links, resolver, self.rules)
        resolver.store = partial(store_status, context)
        return context, resolver

    async def close(self) -> None:
        """Closes all connections."""
        await self.outside.close()
