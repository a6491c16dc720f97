"""What the API's handlers stand on, made once by the composition root."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from phiomia.domain.accounts.resolver import Lookup, NoLookup
from phiomia.domain.oauth.bearers import Bearers
from phiomia.entities.fragments import Fragments
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.rates import Rates


@dataclass
class Api:
    """The parts that handlers use."""

    config: Config
    db: Database
    bus: Any
    storage: Any
    bearers: Bearers
    fragments: Fragments
    rates: Rates
    lookup: Lookup = field(default_factory=NoLookup)
    outside: Any = None  # the way to other servers, where there is one
    answers: dict[str, Any] = field(default_factory=dict)  # small documents kept for a while, by name

    @cached_property
    def temporary(self) -> Path:
        """Where uploads wait until they are processed."""
        return self.config.data_dir / "tmp"

    @cached_property
    def base_url(self) -> str:
        """The address people see, without a trailing slash."""
        return self.config.base_url
