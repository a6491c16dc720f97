"""Files of other servers, fetched by the one fetcher within the operator's rules."""

from pathlib import Path
from typing import Final

from phiomia.domain.media.fetch_copy import Copier, NoCopy
from phiomia.domain.media.proxied import ADDRESSES, RemoteKind
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.statuses.card_picture import CARD_ADDRESS
from phiomia.federation.exchange import Exchange
from phiomia.federation.outside import Outside
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.storage import Storage

_SECONDS: Final = 60.0


class RemoteFiles:
    """The port `domain.media.fetch_copy.Download`, fulfilled by asking."""

    def __init__(self, outside: Outside, rules: DomainRules) -> None:
        self._outside = outside
        self._rules = rules

    async def allows(self, host: str) -> bool:
        """Whether files of this server are shown at all."""
        await self._rules.refresh()
        return bool(host) and not self._rules.rejects_media(host) and not self._rules.blocks(host)

    async def fetch(self, url: str, target: Path, most_bytes: int) -> None:
        """Writes what is at the address into a file. Raises NoCopy."""
        from phiomia.platform.http import FetchFailed

        try:
            with open(target, "wb") as file:  # noqa: ASYNC230
                answer = await self._outside.fetcher.fetch(
                    url, into=file, body_bytes=most_bytes, seconds=_SECONDS, headers={"Accept": "*/*"}
                )
        except FetchFailed as error:
            raise NoCopy(str(error)) from None
        if not answer.ok:
            raise NoCopy(f"its server answered {answer.status}")


def make_copier(config: Config, db: Database, storage: Storage, exchange: Exchange) -> Copier:
    """What keeps copies of other servers' files, joined with the way to them."""
    files = RemoteFiles(exchange.outside, exchange.rules)
    addresses = {**ADDRESSES, RemoteKind.CARD: CARD_ADDRESS}
    return Copier(db, storage, config.media, config.data_dir / "tmp", files, addresses)
