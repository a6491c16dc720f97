"""What the operator has decided about other servers, kept in the process: every activity and delivery asks.

The rules are few and change seldom. Each process reads them again when it looks for the first time in some seconds
and their revision has changed.
"""

from collections.abc import Mapping
from time import monotonic
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import select

from phiomia.domain.instance.models import server_facts
from phiomia.domain.peers.models import domain_allows, domain_blocks
from phiomia.domain.peers.severity import Severity
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession, put_into
from phiomia.platform.ids import new_id

LOOK_EVERY_S: Final = 2.0
_FACT: Final = "domain_rules"
_OF_RULES = select(server_facts.c.value).where(server_facts.c.name == P("name", str))
_REVISION = Query(_OF_RULES)
_HELD_REVISION = Query(_OF_RULES.with_for_update(read=True))
_RAISE = put_into(server_facts, ["name"], ["value"])


class DomainRule(msgspec.Struct, frozen=True):
    """What holds for one domain and those below it."""

    domain: str
    severity: int
    reject_media: bool
    reject_reports: bool
    obfuscate: bool


_BLOCKS = Query(select(*[domain_blocks.c[name] for name in DomainRule.__struct_fields__]))
_ALLOWS = Query(select(domain_allows.c.domain))


class _Known(NamedTuple):
    revision: bytes
    blocks: Mapping[str, DomainRule]
    allowed: frozenset[str]


class DomainRules:
    """The rules in force. `allow_only` lets only the listed servers in."""

    def __init__(self, db: Database, *, allow_only: bool = False, look_every_s: float = LOOK_EVERY_S) -> None:
        self._db = db
        self._allow_only = allow_only
        self._look_every_s = look_every_s
        self._known = _Known(b"never read", {}, frozenset())
        self._looked_at = -1e9

    async def refresh(self) -> None:
        """Reads the rules if they have changed; asks the database only every few seconds."""
        now = monotonic()
        if now - self._looked_at < self._look_every_s:
            return
        async with self._db.read() as session:
            await self._look(session, _REVISION)
        self._looked_at = now

    async def refresh_for(self, session: WriteSession) -> None:
        """Reads the rules if they have changed, for a decision that is kept; who changes them waits for its end.

        Whoever changes them decides anew for all that is there by then, and must find what was decided before. Only for
        the first rule of all nobody waits; it is applied by a job, which comes later anyway.
        """
        await self._look(session, _HELD_REVISION)

    async def _look(self, session: ReadSession, query: Query) -> None:
        revision = bytes(await session.value(query, name=_FACT) or b"")
        if revision != self._known.revision:
            self._known = await _load(session, revision)

    async def is_blocked(self, host: str) -> bool:
        """Whether nothing is taken from a server, and nothing given."""
        await self.refresh()
        return self.blocks(host)

    def blocks(self, host: str) -> bool:
        """The same by what is known; whoever asks often calls `refresh` now and then."""
        rule = self.rule(host)
        if rule is not None and rule.severity >= Severity.SUSPEND:
            return True
        return self._allow_only and not any(domain in self._known.allowed for domain in levels(host))

    def silences(self, host: str) -> bool:
        """Whether the people of a server are limited."""
        rule = self.rule(host)
        return rule is not None and rule.severity == Severity.SILENCE

    def rejects_media(self, host: str) -> bool:
        """Whether pictures of a server are not fetched."""
        rule = self.rule(host)
        return rule is not None and bool(rule.reject_media or rule.severity >= Severity.SUSPEND)

    def rejects_reports(self, host: str) -> bool:
        """Whether reports of a server are not taken."""
        rule = self.rule(host)
        return rule is not None and bool(rule.reject_reports or rule.severity >= Severity.SUSPEND)

    def rule(self, host: str) -> DomainRule | None:
        """The rule for a server: its own, or that of the nearest domain above."""
        blocks = self._known.blocks
        if not blocks:
            return None
        return next((blocks[domain] for domain in levels(host) if domain in blocks), None)


async def _load(session: ReadSession, revision: bytes) -> _Known:
    blocks = {rule.domain: rule for rule in await session.views(DomainRule, _BLOCKS)}
    return _Known(revision, blocks, frozenset(await session.column(_ALLOWS)))


async def note_rules_changed(session: WriteSession) -> None:
    """Lets every process read the rules again. To be called by whoever changes them."""
    await session.execute(_RAISE, name=_FACT, value=str(new_id()).encode())


def levels(host: str) -> list[str]:
    """A host and the domains above it, nearest first; without a port from the second on."""
    name = host.lower().rstrip(".")
    found = [name]
    if not name.startswith("["):
        bare = name.partition(":")[0]
        if bare != name:
            found.append(bare)
        if not bare.replace(".", "").isdigit():
            parts = bare.split(".")
            found += [".".join(parts[start:]) for start in range(1, len(parts))]
    return found
