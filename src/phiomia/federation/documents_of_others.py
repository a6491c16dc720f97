"""Documents of other servers: fetched, bounded, and of the origin their id names. Nothing is trusted before."""

from typing import Any, Final

import msgspec

from phiomia.domain.peers.rules import DomainRules
from phiomia.federation.alternate import find_alternate, is_page
from phiomia.federation.outside import Outside
from phiomia.federation.parse.values import address, host_of, same_host
from phiomia.federation.restraint import Restraint
from phiomia.federation.unresolved import Document, Gone, Unresolved
from phiomia.platform.http import FetchFailed, FetchRefused, Response

DEPTH: Final = 64


class Documents:
    """Asks for documents, signed by the server itself."""

    def __init__(self, outside: Outside, rules: DomainRules, own: frozenset[str], restraint: Restraint | None) -> None:
        self._outside = outside
        self._rules = rules
        self._own = own
        self.restraint = restraint or Restraint()

    async def fetch(self, uri: str) -> Document:
        """The document that lives at `uri` under this very id, or at the one id that it says to have.

        Whoever relies on it looks at its id again. Raises Unresolved.
        """
        found, where = await self._ask(uri)
        for _ in range(2):
            id_ = address(found.get("id"))
            if not id_:
                raise Unresolved(f"{uri} has no id")
            # One host may redirect to another, but what is said there is said by that one.
            if is_same_id(id_, uri) and same_host(id_, where):
                return found
            uri = id_
            found, where = await self._ask(uri)
        raise Unresolved(f"{uri} does not live where it says")

    async def fetch_page(self, url: str) -> Document:
        """A collection or a page of one, which may be without an id; its server is that of `url`. Raises Unresolved."""
        found, where = await self._ask(url)
        if not same_host(url, where):
            raise Unresolved(f"{url} leads to another server")
        return found

    async def fetch_any(self, url: str) -> Document:
        """What is at an address, whatever its id. Raises Unresolved."""
        found, where = await self._ask(url)
        if not same_host(url, where):
            raise Unresolved(f"{url} leads to another server")
        return found

    async def fetch_of_page(self, url: str) -> Document:
        """The document at `url`, or the one that the page there names as its other form. Raises Unresolved."""
        try:
            return await self.fetch(url)
        except Gone:
            raise
        except Unresolved as error:
            if error.retry or not host_of(url):
                raise
            self.restraint.forget(url)
            page = await self.get(url, accept="text/html", content_type=is_page)
            other = find_alternate(page.headers, page.body, page.url)
            if not other or other == url:
                raise
            return await self.fetch(other)

    async def get(self, url: str, **more: Any) -> Response:
        """The answer to a question that is no document, unsigned; 404 and the like raise. Raises Unresolved."""
        return await self._get(url, None, **more)

    def is_own(self, uri: str) -> bool:
        """Whether an address is ours."""
        return host_of(uri) in self._own

    async def _ask(self, url: str) -> tuple[Document, str]:
        answer = await self._get(url, await self._outside.signer())
        try:
            return read_document(answer.body), answer.url
        except Unresolved as error:
            self.restraint.note_failure(url, error)
            raise

    async def _get(self, url: str, signer: Any, **more: Any) -> Response:
        host = host_of(url)
        if not host or host in self._own:
            raise Unresolved(f"{url[:200]} is not an address of another server")
        if await self._rules.is_blocked(host):
            raise Unresolved(f"nothing is exchanged with {host}")
        self.restraint.check(url, host)
        try:
            with self.restraint.waiting(host):
                answer = await self._outside.client.get(url, signer, **more)
        except FetchFailed as error:
            self._note(url, host, error)
            raise Unresolved(f"{url}: {error}", retry=error.retry) from error
        error_ = _judge(url, answer)
        if error_ is None:
            self.restraint.note_answer(host)
            return answer
        if answer.status >= 500:
            self.restraint.note_silence(host)
        if answer.status != 403:
            # Whom a server lets in is up to its operator, who may decide otherwise in the next moment.
            self.restraint.note_failure(url, error_)
        raise error_

    def _note(self, url: str, host: str, error: FetchFailed) -> None:
        if error.retry:
            self.restraint.note_silence(host)
        elif not isinstance(error, FetchRefused):
            self.restraint.note_answer(host)
        self.restraint.note_failure(url, Unresolved(f"{url}: {error}", retry=error.retry))


def read_document(body: bytes) -> Document:
    """The object that a body holds. Raises Unresolved for what is none, or nested deeper than anybody needs."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unresolved(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unresolved("not an object")
    if is_deep(found):
        raise Unresolved("nested too deeply")
    return found


def is_deep(value: Any, most: int = DEPTH) -> bool:
    """Whether a value is nested deeper than `most`; looks level by level, so that it can't be overdone."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def is_same_id(one: str, other: str) -> bool:
    """Whether two ids are the same, letter by letter; fragments are not sent, and a bare origin may have its slash."""
    one, other = one.partition("#")[0], other.partition("#")[0]
    if one == other:
        return True
    return one.rstrip("/") == other.rstrip("/") and one.rstrip("/").count("/") == 2


def _judge(url: str, answer: Response) -> Unresolved | None:
    status = answer.status
    if status == 200:
        return None
    if status in (404, 410):
        return Gone(f"{url} is not there ({status})", for_good=status == 410)
    return Unresolved(f"{url} answers {status}", retry=status >= 500 or status in (401, 408, 425, 429))
