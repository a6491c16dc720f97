"""Who asks for a document. Nobody has to say, unless the document is not for everybody or `authorized_fetch` is on.

Two servers that both want a signature do not wait for each other: to check one, a server asks as its instance actor,
whose document, like the keys of all actors, is given to anybody.
"""

import re
import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import falcon.asgi

from phiomia.activitypub.signatures.request import KeyUnknown, Request
from phiomia.activitypub.signatures.verify import hold, read
from phiomia.domain.accounts.remote import find_actor
from phiomia.domain.errors import NotAllowed
from phiomia.federation.context import Federation
from phiomia.federation.parse.values import host_of

_KEY_ID: Final = re.compile(r'key_?id="([^"]{1,2048})"', re.IGNORECASE)
_READ: Final = 8_192


class Asker(NamedTuple):
    """Who has signed a request: the account here, if it is a known one, and where it lives."""

    account_id: int | None
    origin: str


def is_signed(req: falcon.asgi.Request) -> bool:
    """Whether a request claims to be signed."""
    return req.get_header("Signature") is not None or req.get_header("Signature-Input") is not None


def find_claimed_host(req: falcon.asgi.Request) -> str:
    """Which server's key a request claims to be signed with, for the log alone; empty if that can't be read."""
    for name in ("Signature", "Signature-Input"):
        found = _KEY_ID.search((req.get_header(name) or "")[:_READ])
        if found is not None:
            return host_of(found[1])
    return ""


def read_request(req: falcon.asgi.Request, base_url: str, body: bytes = b"") -> Request:
    """A request as it was sent: its path byte for byte, and the address people see in place of the proxy's."""
    scope = req.scope
    path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    url = f"{base_url}{path}?{query}" if query else f"{base_url}{path}"
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Request.of(req.method, url, headers, body)


async def find_asker(federation: Federation, req: falcon.asgi.Request) -> Asker:
    """Who asks. Raises SignatureRefused, also for a request without signature, and NotAllowed for refused servers."""
    keys = federation.keys
    claim = read(read_request(req, federation.config.base_url), now=time.time())
    # Before the key is asked for: of a server that gets nothing it could not be had, and would then be thought missing.
    if await federation.rules.is_blocked(host_of(claim.key_id)):
        raise NotAllowed
    signed = await hold(claim, keys)
    signer = await keys.owner(signed.key_id)
    if signer is None:
        raise KeyUnknown(f"the key {signed.key_id} is nobody's")
    parts = urlsplit(signer.owner)
    if await federation.rules.is_blocked(parts.netloc):
        raise NotAllowed
    async with federation.db.read() as session:
        actor = await find_actor(session, signer.owner)
    if actor is not None and actor.suspended:
        raise NotAllowed
    return Asker(None if actor is None else actor.id, f"{parts.scheme}://{parts.netloc}".lower())
