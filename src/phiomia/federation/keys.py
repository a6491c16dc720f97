"""Whose key it is that signs: from the process's memory, the database, or the server that has it."""

from collections import OrderedDict
from time import monotonic
from typing import Any, Final, NamedTuple

import msgspec

from phiomia.activitypub import multikey
from phiomia.activitypub.signatures.keys import KeyRefused, PublicKey, load_public
from phiomia.activitypub.signatures.request import SignatureRefused
from phiomia.domain.accounts.remote import Actor, find_actor, list_actors_with_key
from phiomia.domain.accounts.store_remote import FurtherKey
from phiomia.domain.peers.received import hash_of
from phiomia.federation.documents_of_others import Documents, is_same_id
from phiomia.federation.parse.actor import is_actor, parse_keys
from phiomia.federation.parse.values import address, host_of, id_of, objects, same_host, types
from phiomia.federation.unresolved import Document, Gone, Unresolved
from phiomia.platform.db import Database
from phiomia.platform.log import get_logger

KEPT_S: Final = 60.0
REFRESH_EVERY_S: Final = 60.0
PER_HOST: Final = 60
_MOST: Final = 4_096
_KEYS: Final = 10
_SHOWN: Final = 300
log = get_logger("inbox")
_further = msgspec.json.Decoder(list[FurtherKey])


class KeyUnavailable(SignatureRefused):
    """The key can't be had now: the sender may try again later."""


class SigningKey(NamedTuple):
    """A key with the id of the actor that owns it. `news`: its text, if the database has another one or none."""

    owner: str
    key: PublicKey
    news: str = ""


class _Kept(NamedTuple):
    until: float
    key: SigningKey


class Keys:
    """Looks keys up; one for a process. As a function it is what `signatures.verify` asks."""

    def __init__(self, db: Database, documents: Documents) -> None:
        self._db = db
        self._documents = documents
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._hosts: dict[str, int] = {}
        self._hosts_since = 0.0

    async def __call__(self, key_id: str, *, fresh: bool) -> PublicKey | None:
        """The key of that name; with `fresh` as its server has it now. Raises KeyUnavailable."""
        found = await (self._ask(key_id) if fresh else self._recall(key_id))
        return None if found is None else found.key

    async def owner(self, key_id: str) -> SigningKey | None:
        """Whose key that is, after it was looked up."""
        kept = self._kept.get(key_id)
        return kept.key if kept is not None else await self._recall(key_id)

    async def _recall(self, key_id: str) -> SigningKey | None:
        kept = self._kept.get(key_id)
        if kept is not None and monotonic() < kept.until:
            return kept.key
        async with self._db.read() as session:
            known = await list_actors_with_key(session, key_id)
            named = None if known else await find_actor(session, key_id.partition("#")[0])
        for actor in [named] if named is not None else known:
            key = _key_of(actor, key_id)
            if key is not None:
                return self._keep(key_id, SigningKey(actor.uri, key))
        return None

    async def _ask(self, key_id: str) -> SigningKey | None:
        """The key at its server, which is not asked often: whoever sends wrong signatures makes us ask."""
        if not self._may_ask(key_id):
            kept = self._kept.get(key_id)
            return kept.key if kept is not None else None
        self._documents.restraint.forget(key_id.partition("#")[0])
        try:
            found = await self._fetch(key_id)
        except Gone:
            return None
        except Unresolved as error:
            if error.retry:
                raise KeyUnavailable(f"the key {key_id} can't be had: {error}") from error
            # Not for those who ask: it would tell them what their names lead to in here.
            log.info("a key was refused", key=key_id[:_SHOWN], host=host_of(key_id), reason=error.reason[:_SHOWN])
            return None
        return None if found is None else self._keep(key_id, found)

    async def _fetch(self, key_id: str) -> SigningKey | None:
        """Asks for the key's document or its owner's; the owner must list the key. Raises Unresolved."""
        place = key_id.partition("#")[0]
        document = await self._documents.fetch_any(place)
        owner = id_of(document.get("id") if is_actor(document) or "publicKey" in document else document.get("owner"))
        if not same_host(owner, key_id):
            raise Unresolved(f"the owner of {key_id} lives elsewhere")
        if not is_same_id(owner, place):
            document = await self._documents.fetch(owner)
        if not is_same_id(address(document.get("id")), owner):
            raise Unresolved(f"{owner} is somebody else")
        return _listed_key(document, owner, key_id)

    def _keep(self, key_id: str, key: SigningKey) -> SigningKey:
        self._kept[key_id] = _Kept(monotonic() + KEPT_S, key)
        self._kept.move_to_end(key_id)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return key

    def _may_ask(self, key_id: str) -> bool:
        now, host = monotonic(), host_of(key_id)
        if now - self._hosts_since > REFRESH_EVERY_S:
            self._hosts, self._hosts_since = {}, now
        if now - self._asked.get(key_id, -1e9) < REFRESH_EVERY_S or self._hosts.get(host, 0) >= PER_HOST:
            return False
        self._hosts[host] = self._hosts.get(host, 0) + 1
        self._asked[key_id] = now
        self._asked.move_to_end(key_id)
        if len(self._asked) > _MOST:
            self._asked.popitem(last=False)
        return True


class AssertionKeys:
    """The keys that actors list for proofs inside objects, always as their server has them now."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.owner = ""

    async def __call__(self, key_id: str, *, fresh: bool) -> PublicKey | None:
        """The key, if its owner lists it for assertions; `owner` then says who that is."""
        if fresh:
            return None  # the first answer was fresh
        try:
            document = await self._documents.fetch(key_id.partition("#")[0])
        except Unresolved as error:
            if error.retry:
                raise KeyUnavailable(str(error)) from error
            return None
        owner = address(document.get("id"))
        if not is_actor(document) or not same_host(owner, key_id):
            return None
        for method in objects(document.get("assertionMethod"), _KEYS):
            if method.get("id") == key_id and "Multikey" in types(method) and id_of(method.get("controller")) == owner:
                self.owner = owner
                return _read_multibase(method.get("publicKeyMultibase"))
        return None


def _listed_key(document: Document, owner: str, key_id: str) -> SigningKey | None:
    for draft in parse_keys(document):
        if draft.id == key_id:
            key = _load(draft.pem)
            return None if key is None else SigningKey(owner, key, draft.pem)
    for method in objects(document.get("assertionMethod"), _KEYS):
        if method.get("id") == key_id:
            key = _read_multibase(method.get("publicKeyMultibase"))
            return None if key is None else SigningKey(owner, key)
    return None


def has_key(actor: Actor, mark: int) -> bool:
    """Whether the key of that mark (see `mark_of`) is one of those stored with an actor."""
    return mark in {mark_of(actor.public_key), *(mark_of(key.pem) for key in _further.decode(actor.more_keys))}


def mark_of(pem: str) -> int:
    """A number that stands for a key."""
    return hash_of(pem) if pem else 0


def _key_of(actor: Actor, key_id: str) -> PublicKey | None:
    if actor.key_id == key_id:
        return _load(actor.public_key)
    further = [key for key in _further.decode(actor.more_keys) if key.id == key_id]
    return _load(further[0].pem) if further else None


def _load(pem: str) -> PublicKey | None:
    try:
        return load_public(pem)
    except KeyRefused:
        return None


def _read_multibase(text: Any) -> PublicKey | None:
    try:
        return multikey.read_public(text) if isinstance(text, str) else None
    except ValueError:
        return None
