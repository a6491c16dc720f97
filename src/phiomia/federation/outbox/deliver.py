"""Sends one document to one inbox, signed at that moment, and writes down what became of it."""

import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from phiomia.domain.accounts.keys import load_or_make_keys
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.errors import NotFound
from phiomia.domain.peers.parcels import Parcel, load_parcel
from phiomia.domain.peers.reach import Reach, load_reach
from phiomia.domain.peers.receipts import DeliveryState, Note, note_receipts
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.relationships.followers_digest import digest_of, list_followers_on
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.outbox.availability import GIVE_UP_MS, Verdict, judge_answer, judge_failure
from phiomia.federation.outbox.loader import Loader
from phiomia.federation.outbox.outcomes import Outcome, write_outcomes
from phiomia.federation.outside import Outside
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import Database
from phiomia.platform.http import FetchFailed
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Discard, Retry

if TYPE_CHECKING:
    from phiomia.activitypub.client import Signer

RETRY_QUEUE: Final = "retry"
_SPREAD_MS: Final = 5 * SECOND
# So many end within it that one transaction for all of them costs a fraction.
_COLLECT_SECONDS: Final = 0.005
_SIGNER_SECONDS: Final = 300.0
_DIGEST_SECONDS: Final = 30.0
T = TypeVar("T")


class Deliver(Job, frozen=True):
    """Send a document to an inbox."""

    TYPE = "outbox.deliver"
    QUEUE = "push"
    TRIES = 1_000  # it is the age of the document that ends it

    parcel_id: int
    inbox: str


class Outbox:
    """What deliveries of one process have in common: the way out, and what was read a moment ago."""

    def __init__(self, db: Database, outside: Outside, rules: DomainRules, links: Links) -> None:
        self.db = db
        self.outside = outside
        self.rules = rules
        self.links = links
        self._parcels: _Recent[Parcel | None] = _Recent(64, 3600.0)
        self._signers: _Recent[Signer] = _Recent(1_000, _SIGNER_SECONDS)
        self._digests: _Recent[str] = _Recent(1_000, _DIGEST_SECONDS)
        self._reaches: Loader[str, Reach] = Loader(self._load_reaches)
        self._outcomes: Loader[Outcome, int] = Loader(self._write_outcomes, _COLLECT_SECONDS)

    async def deliver(self, job: Deliver) -> None:
        """Handler of Deliver. Raises Retry, Discard."""
        host = host_of(job.inbox)
        parcel = await self._parcels.get(job.parcel_id, self._load_parcel)
        if parcel is None:
            raise Discard("the document is not kept any more")
        reach = await self._check_host(parcel, job, host)
        try:
            verdict = await self._post(parcel, job.inbox)
        except FetchFailed as error:
            verdict = judge_failure(error)
        await self._settle(parcel, job, reach, verdict)

    async def _check_host(self, parcel: Parcel, job: Deliver, host: str) -> Reach:
        """What is known of the host, unless it shall be left alone. Raises Retry, Discard."""
        if await self.rules.is_blocked(host):
            await self._note(parcel, job, DeliveryState.REJECTED, "we exchange nothing with this server")
            raise Discard("a server that is blocked")
        reach = await self._reaches.get(host)
        now = now_ms()
        if reach.gone_at is not None:
            await self._note(parcel, job, DeliveryState.GONE, "the server is gone")
            raise Discard("a server that is gone")
        if reach.retry_at is not None and reach.retry_at > now:
            delay = reach.retry_at - now + _jitter()
            raise Retry("its server rests", delay_ms=delay, counts=False, queue=RETRY_QUEUE)
        return reach

    async def _load_reaches(self, hosts: Sequence[str]) -> dict[str, Reach]:
        async with self.db.read() as session:
            return await load_reach(session, hosts)

    async def _post(self, parcel: Parcel, inbox: str) -> Verdict:
        signer = await self.signer(parcel.account_id)
        headers = await self._sync_header(parcel, inbox) if parcel.for_followers else {}
        answer = await self.outside.client.post(inbox, parcel.body, signer, headers=headers)
        return judge_answer(answer.status, answer.headers, now_ms())

    async def signer(self, account_id: int | None) -> "Signer":
        """Who signs for an account; None is the server itself."""
        if account_id is None:
            return await self.outside.signer()
        return await self._signers.get(account_id, self._load_signer)

    async def _load_signer(self, account_id: int) -> "Signer":
        from phiomia.activitypub.client import Signer

        try:
            keys = await load_or_make_keys(self.db, account_id)
            async with self.db.read() as session:
                account = await load_account(session, account_id)
        except NotFound:
            raise Discard("who would sign it is gone") from None
        return Signer(ids.main_key(self.links.actor(account)), keys.private)

    async def _load_parcel(self, parcel_id: int) -> Parcel | None:
        async with self.db.read() as session:
            return await load_parcel(session, parcel_id)

    async def _sync_header(self, parcel: Parcel, inbox: str) -> dict[str, str]:
        """Which of their followers we know (FEP-8fcf)."""
        if parcel.account_id is None:
            return {}
        signer = await self.signer(parcel.account_id)
        actor = signer.key_id.partition("#")[0]
        digest = await self._digests.get((parcel.account_id, origin_of(inbox)), self._load_digest)
        followers = ids.followers(actor)
        value = f'collectionId="{followers}", url="{actor}/followers_synchronization", digest="{digest}"'
        return {"Collection-Synchronization": value}

    async def _load_digest(self, key: tuple[int, str]) -> str:
        async with self.db.read() as session:
            return digest_of(await list_followers_on(session, *key))

    async def _settle(self, parcel: Parcel, job: Deliver, reach: Reach, verdict: Verdict) -> None:
        """Writes down what was learnt. Raises Retry when it shall be tried again."""
        now = now_ms()
        given_up = verdict.state == DeliveryState.RETRYING and now - parcel.created_at > GIVE_UP_MS
        state = DeliveryState.GONE if given_up else verdict.state
        outcome = Outcome(reach, job.inbox, parcel.status_id, state, verdict)
        until = await self._outcomes.get(outcome) if outcome.teaches or parcel.status_id is not None else 0
        if state == DeliveryState.RETRYING:
            delay = max(until - now, 0) + _jitter() if until else None
            raise Retry(verdict.error, delay_ms=delay, queue=RETRY_QUEUE)

    async def _write_outcomes(self, outcomes: Sequence[Outcome]) -> dict[Outcome, int]:
        return await self.db.write(lambda session: write_outcomes(session, outcomes, now_ms()))

    async def _note(self, parcel: Parcel, job: Deliver, state: DeliveryState, error: str) -> None:
        if parcel.status_id is not None:
            notes = [Note(parcel.status_id, job.inbox, state, error)]
            await self.db.write(lambda session: note_receipts(session, notes, tried=False))


async def run_deliver(context: Any, job: Deliver) -> None:
    """Handler of Deliver."""
    await context.outbox.deliver(job)


@lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """The host of an address, with its port if that is not the usual one, in lower case."""
    return urlsplit(url).netloc.lower().removesuffix(":443")


def origin_of(url: str) -> str:
    """Scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _jitter() -> int:
    return random.randrange(_SPREAD_MS)


class _Recent(Generic[T]):
    """Values read a moment ago, the least recently asked for dropped first."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._values: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    async def get(self, key: Any, load: Callable[[Any], Awaitable[T]]) -> T:
        """The value of a key, read now if that was too long ago."""
        found = self._values.get(key)
        if found is not None and monotonic() - found[0] < self._seconds:
            self._values.move_to_end(key)
            return found[1]
        value = await load(key)
        self._values[key] = (monotonic(), value)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return value
