"""What the pages stand on, made once by the composition root."""

from dataclasses import dataclass, field

from phiomia.domain.accounts.resolver import Lookup, NoLookup
from phiomia.entities.fragments import Fragments
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.rates import Rates


@dataclass(frozen=True)
class WebContext:
    """The parts that pages use. The bus is reached through `db.services`."""

    config: Config
    db: Database
    rates: Rates
    fragments: Fragments
    lookup: Lookup = field(default_factory=NoLookup)
