"""Announcements that an upgrade makes, in the server's own way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from phiomia.platform.config import Config
from phiomia.platform.db import WriteSession
from phiomia.upgrade.steps import OpenDatabase

T = TypeVar("T")


class Announcements:
    """Where members see them, in their apps and on pages."""

    def __init__(self, open_database: OpenDatabase) -> None:
        self._open_database = open_database

    def publish(self, config: Config, text: str, starts_at: int, ends_at: int) -> int:
        """Announces something; gives its number."""
        from phiomia.domain.moderation.announcements import NewAnnouncement, announce

        new = NewAnnouncement(text, starts_at, ends_at)
        return asyncio.run(self._write(config, lambda session: announce(session, new, config.base_url)))

    def withdraw(self, config: Config, number: int) -> None:
        """Takes it back, unless somebody else has."""
        from phiomia.domain.errors import NotFound
        from phiomia.domain.moderation.announcements import take_back

        try:
            asyncio.run(self._write(config, lambda session: take_back(session, number)))
        except NotFound:
            return

    async def _write(self, config: Config, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        async with self._open_database(config) as db:
            return await db.write(verb)
