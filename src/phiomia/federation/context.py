"""What the web role's part of the federation stands on, made once by the composition root."""

from dataclasses import dataclass

from phiomia.domain.peers.rules import DomainRules
from phiomia.entities.links import Links
from phiomia.federation.documents.rendered import Shelves
from phiomia.federation.keys import Keys
from phiomia.platform.config import Config
from phiomia.platform.db import Database


@dataclass(frozen=True)
class Federation:
    """The parts. `keys`: where the keys of those who sign come from."""

    config: Config
    db: Database
    links: Links
    shelves: Shelves
    rules: DomainRules
    keys: Keys
