"""The way to other servers, opened when it is first used: most processes never ask anybody."""

from typing import TYPE_CHECKING

from phiomia.domain.accounts.instance_key import load_or_make_instance_key
from phiomia.platform.config import Config
from phiomia.platform.db import Database

if TYPE_CHECKING:
    from phiomia.activitypub.client import Client, Signer
    from phiomia.platform.http import Fetcher, FetchOptions


class Outside:
    """The fetcher, the client that signs, and the server's own key, of one process."""

    def __init__(self, config: Config, db: Database, options: "FetchOptions | None" = None) -> None:
        self._config = config
        self._db = db
        self._options = options
        self._fetcher: Fetcher | None = None
        self._client: Client | None = None
        self._signer: Signer | None = None

    @property
    def client(self) -> "Client":
        """Gets documents and delivers activities."""
        if self._client is None:
            from phiomia.activitypub.client import Client

            self._client = Client(self.fetcher)
        return self._client

    @property
    def fetcher(self) -> "Fetcher":
        """Asks without a signature."""
        if self._fetcher is None:
            from phiomia.platform.http import Fetcher

            self._fetcher = Fetcher(self._options or fetch_options(self._config))
        return self._fetcher

    async def signer(self) -> "Signer":
        """The server itself as the one who asks."""
        if self._signer is None:
            from phiomia.activitypub.client import Signer

            keys = await load_or_make_instance_key(self._db)
            self._signer = Signer(f"{self._config.base_url}/actor#main-key", keys.private)
        return self._signer

    async def close(self) -> None:
        """Closes all connections."""
        if self._fetcher is not None:
            await self._fetcher.close()


def fetch_options(config: Config) -> "FetchOptions":
    """How far this server goes when it asks others."""
    from phiomia.platform.http import FetchOptions
    from phiomia.platform.pinned_names import read_pins, resolver_of
    from phiomia.platform.reachable import networks

    pins = read_pins(config.pinned_hosts)
    return FetchOptions(
        base_url=config.base_url,
        allow_private=networks(config.allow_private),
        own_hosts=frozenset({config.web_domain.lower(), config.domain.lower()}),
        resolver=resolver_of(pins) if pins else None,
    )
