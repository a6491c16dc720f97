"""The filters of those who read, ready in the memory of a process."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from phiomia.domain.filters.changed import TOPIC
from phiomia.domain.filters.matching import Matcher
from phiomia.domain.filters.queries import load_changed_filters, read_filters
from phiomia.domain.filters.views import FilterView
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession

_KEEP_SECONDS = 30.0
_MOST_PEOPLE = 10_000
_MOST_MATCHERS = 500


class _Known(NamedTuple):
    until: float
    matcher: Matcher | None


class Asking(NamedTuple):
    """Whose filters, and which the process has as they may still be."""

    accounts: Sequence[int]
    matchers: Mapping[int, Matcher]
    forgotten: int

    @property
    def kept(self) -> list[str]:
        """Those by their revision."""
        return [f"{account_id}:{matcher.rev}" for account_id, matcher in self.matchers.items()]


class KnownFilters:
    """Account → what holds statuses against its filters; until the bus says `filters`, or for some seconds.

    Without a bus nothing is believed before the database has said that it is still so.
    """

    def __init__(self, bus: Any = None) -> None:
        self._keep = _KEEP_SECONDS if bus is not None else 0.0
        self._people: dict[int, _Known] = {}
        self._matchers = 0
        self._forgotten = 0
        if bus is not None:
            bus.subscribe(TOPIC, self._forget)
            bus.on_gap(self._forget)

    def recall(self, account_id: int) -> tuple[bool, Matcher | None]:
        """Whether an account's filters are known without asking anybody, and they; None when there is none."""
        known = self._people.get(account_id)
        return (True, known.matcher) if known is not None and known.until > time.monotonic() else (False, None)

    async def of(self, session: ReadSession, account_id: int) -> Matcher | None:
        """An account's filters; None when there is none."""
        known, matcher = self.recall(account_id)
        return matcher if known else (await self._load(session, [account_id]))[account_id]

    def ask(self, account_ids: Sequence[int]) -> Asking:
        """What to ask for by a statement that has the parts `queries.CHANGED`; `learn` takes the answer."""
        people = [(account_id, self._people.get(account_id)) for account_id in account_ids]
        matchers = {id_: known.matcher for id_, known in people if known is not None and known.matcher is not None}
        return Asking(account_ids, matchers, self._forgotten)

    def learn(self, asking: Asking, found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, Matcher | None]:
        """Every account that was asked for, with its filters."""
        filters: dict[int, list[FilterView]] = {}
        for view in read_filters(found):
            filters.setdefault(view.account_id, []).append(view)
        now = now_ms()
        made: dict[int, Matcher | None] = dict.fromkeys(asking.accounts)
        for account_id, rev in found["filter_revisions"]:
            matcher = asking.matchers.get(account_id)
            if account_id in filters:
                made[account_id] = Matcher(rev, filters[account_id], now)
            elif matcher is not None and matcher.rev == rev:
                made[account_id] = matcher
        if asking.forgotten == self._forgotten:  # else they may have been changed while we read
            self._keep_those(made)
        return made

    async def of_many(self, session: ReadSession, account_ids: Sequence[int]) -> dict[int, Matcher]:
        """Those of the accounts who have filters, with them; one statement for any number of people."""
        now = time.monotonic()
        found: dict[int, Matcher | None] = {}
        unknown = []
        for account_id in account_ids:
            known = self._people.get(account_id)
            if known is not None and known.until > now:
                found[account_id] = known.matcher
            else:
                unknown.append(account_id)
        if unknown:
            found |= await self._load(session, unknown)
        return {account_id: matcher for account_id, matcher in found.items() if matcher is not None}

    async def _load(self, session: ReadSession, account_ids: Sequence[int]) -> dict[int, Matcher | None]:
        asking = self.ask(account_ids)
        return self.learn(asking, await load_changed_filters(session, asking.accounts, asking.kept))

    def _keep_those(self, found: dict[int, Matcher | None]) -> None:
        for account_id in found:
            self._drop(account_id)
        matchers = sum(matcher is not None for matcher in found.values())
        if len(self._people) + len(found) > _MOST_PEOPLE or self._matchers + matchers > _MOST_MATCHERS:
            self._people.clear()
            self._matchers = 0
        until = time.monotonic() + self._keep
        self._people |= {account_id: _Known(until, matcher) for account_id, matcher in found.items()}
        self._matchers += matchers

    def _drop(self, account_id: int) -> None:
        known = self._people.pop(account_id, None)
        if known is not None and known.matcher is not None:
            self._matchers -= 1

    def _forget(self, payload: bytes = b"") -> None:
        self._forgotten += 1
        if payload:
            self._drop(int(payload))
        else:
            self._people.clear()
            self._matchers = 0
