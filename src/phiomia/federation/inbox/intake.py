"""What carrying out what came in stands on, as far as it has to be known here."""

from typing import Protocol

from phiomia.domain.peers.rules import DomainRules
from phiomia.federation.documents_of_others import Documents
from phiomia.federation.inbox.context import InboxContext, Resolver
from phiomia.platform.db import Database


class Intake(Protocol):
    """The exchange with other servers, seen from the inbox."""

    heard: dict[str, float]

    @property
    def db(self) -> Database:
        """The database."""
        ...

    @property
    def rules(self) -> DomainRules:
        """What the operator has decided about other servers."""
        ...

    @property
    def documents(self) -> Documents:
        """Documents of other servers."""
        ...

    @property
    def resolver(self) -> Resolver:
        """From ids to what is stored."""
        ...

    @property
    def inbox(self) -> InboxContext:
        """What handlers of activities work with."""
        ...


class IntakeContext(Protocol):
    """What the handlers of jobs need of the worker's context."""

    @property
    def exchange(self) -> Intake:
        """The exchange with other servers."""
        ...
