"""Signed requests to other servers: with the form of signature they read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import time

from phiomia.activitypub.signatures import cavage, rfc9421
from phiomia.activitypub.signatures.keys import PrivateKey, load_private
from phiomia.activitypub.signatures.knocks import KnockMemory, Knocks, Scheme, first_knock, second_knock
from phiomia.activitypub.signatures.request import authority
from phiomia.activitypub.types import ACCEPT, ACTIVITY, is_activity
from phiomia.platform.http import Fetcher, Headers, Prepare, Response

_SIGN = {Scheme.CAVAGE: cavage.sign_request, Scheme.RFC9421: rfc9421.sign_request}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the id of a key, and the key as PEM."""

    key_id: str
    private_pem: str = field(repr=False)

    @property
    def key(self) -> PrivateKey:
        """The key, loaded once."""
        return load_private(self.private_pem)


class Client:
    """Gets documents and delivers activities. The signature is made when the request is sent, anew for each hop."""

    def __init__(self, fetcher: Fetcher, knocks: KnockMemory | None = None, clock: Callable[[], float] = time) -> None:
        self._fetcher = fetcher
        self._knocks = knocks if knocks is not None else Knocks()
        self._clock = clock

    async def get(
        self,
        url: str,
        signer: Signer | None,
        *,
        accept: str = ACCEPT,
        content_type: Callable[[str], bool] | None = is_activity,
    ) -> Response:
        """The answer to a GET, signed if there is a signer; its status may be an error. Raises FetchFailed."""

        async def ask(prepare: Prepare | None) -> Response:
            return await self._fetcher.fetch(
                url, headers={"Accept": accept}, prepare=prepare, content_type=content_type
            )

        return await self._knock(url, signer, None, ask) if signer else await ask(None)

    async def post(self, url: str, body: bytes, signer: Signer, *, headers: Headers | None = None) -> Response:
        """The answer to a delivery; its status may be an error. Raises FetchFailed."""

        async def ask(prepare: Prepare | None) -> Response:
            told = {"Content-Type": ACTIVITY, **(headers or {})}
            return await self._fetcher.fetch(url, method="POST", headers=told, body=body, prepare=prepare)

        return await self._knock(url, signer, body, ask)

    async def _knock(
        self, url: str, signer: Signer, body: bytes | None, ask: Callable[[Prepare | None], Awaitable[Response]]
    ) -> Response:
        host = authority(self._fetcher.normalise(url))
        remembered = self._knocks.recall(host, self._clock())
        scheme = first_knock(remembered)
        answer = await ask(self._prepare(scheme, signer, body))
        other = second_knock(scheme, answer.status)
        if other is None:
            return answer
        again = await ask(self._prepare(other, signer, body))
        if again.ok:
            self._knocks.remember(host, other, self._clock())
        elif remembered:
            self._knocks.forget(host)
        return again if again.status not in (400, 401) else answer

    def _prepare(self, scheme: Scheme, signer: Signer, body: bytes | None) -> Prepare:
        def prepare(method: str, url: str) -> Headers:
            return _SIGN[scheme](method, url, signer.key_id, signer.key, self._clock(), body)

        return prepare
