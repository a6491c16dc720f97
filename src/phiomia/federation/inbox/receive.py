"""One delivery to an inbox: who sent it is known before the answer, and what was accepted is in the database by then.

The order is that of the cost: size, form, what needs no answer, the operator's rules, the signature, the job.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from phiomia.activitypub.signatures.request import Request, SignatureMalformed, SignatureMissing, SignatureRefused
from phiomia.activitypub.signatures.verify import hold, read
from phiomia.activitypub.types import ACTIVITY, LINKED_DATA
from phiomia.domain.accounts.documents import find_actor_head
from phiomia.domain.accounts.remote import is_actor_known
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.peers.received import hash_of, note_received
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.statuses.tombstones import find_tombstone
from phiomia.federation.documents_of_others import is_deep, is_same_id
from phiomia.federation.inbox.crowd import Crowd
from phiomia.federation.inbox.followers_sync import HEADER, SyncFollowers, sync_key
from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.probe import accept_probe
from phiomia.federation.keys import Keys, KeyUnavailable, mark_of
from phiomia.federation.parse.values import address, host_of, id_of, same_host, types
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import defer

_FORMS: Final = (ACTIVITY, LINKED_DATA)
# What others pass on: the objects of these can be had from where they live.
_PASSED_ON: Final = frozenset({"Create", "Update", "Delete", "Announce"})
_SYNC_LENGTH: Final = 2_000
# An id of these never names something new. A follow, on the other hand, may come again under its old id.
_ONCE: Final = frozenset({"Create", "Announce", "Delete"})


class Letter(NamedTuple):
    """What has to be known of an activity to receive it."""

    id: str
    kinds: frozenset[str]
    actor: str
    object: str
    has_proof: bool


UNREADABLE: Final = Letter("", frozenset(), "", "", has_proof=False)


class NotRead(ValueError):
    """What arrived is no activity. `about` holds what could be read of it."""

    def __init__(self, reason: str, about: Letter = UNREADABLE) -> None:
        super().__init__(reason)
        self.about = about


class Receipt(NamedTuple):
    """The answer to a delivery: a status, why, and what it is about as far as that could be read.

    `unkept` says why nothing comes of what was accepted.
    """

    status: int
    reason: str = ""
    retry_after: int = 0
    about: Letter = UNREADABLE
    unkept: str = ""


ACCEPTED: Final = Receipt(202)


@dataclass(frozen=True, slots=True)
class Inbox:
    """What receiving stands on."""

    db: Database
    keys: Keys
    rules: DomainRules
    own: frozenset[str]
    crowd: Crowd


async def receive(inbox: Inbox, request: Request, content_type: str, username: str | None = None) -> Receipt:
    """The answer to one delivery, to the inbox of `username` or to the shared one."""
    if content_type.partition(";")[0].strip().lower() not in _FORMS:
        return Receipt(415, "an inbox takes application/activity+json")
    try:
        letter = _read(request.body)
    except NotRead as error:
        return Receipt(400, str(error), about=error.about)
    return (await _judge(inbox, request, letter, username))._replace(about=letter)


async def _judge(inbox: Inbox, request: Request, letter: Letter, username: str | None) -> Receipt:
    host = host_of(letter.actor)
    if host in inbox.own:
        return await _receive_own(inbox, request, letter.actor)
    await inbox.rules.refresh()
    if inbox.rules.blocks(host):
        return Receipt(403, f"nothing is taken from {host}")
    if await _is_farewell_of_a_stranger(inbox, letter):
        return Receipt(202, unkept="of somebody unknown")
    if username is None:
        return await _verify(inbox, request, letter, None)
    found = await _find_recipient(inbox, username, request.url.removesuffix("/inbox"))
    return found if isinstance(found, Receipt) else await _verify(inbox, request, letter, found)


async def _find_recipient(inbox: Inbox, username: str, uri: str) -> int | Receipt:
    """Whose inbox it is, or why it is nobody's."""
    async with inbox.db.read() as session:
        head = await find_actor_head(session, username)
        if head is None and await find_tombstone(session, uri) is None:
            return Receipt(404, "nobody of that name is here")
    if head is None or head.state_origin == StateOrigin.LEFT:
        return Receipt(410, "who had that name has left")
    if head.state == AccountState.SUSPENDED:
        return Receipt(403, "nothing is taken for that account")
    return head.id


async def _receive_own(inbox: Inbox, request: Request, actor: str) -> Receipt:
    try:
        accepted = await accept_probe(inbox.db, request, actor)
    except SignatureRefused as error:
        return Receipt(401, str(error))
    return ACCEPTED if accepted else Receipt(403, "nobody of this server sends to it from outside")


async def _verify(inbox: Inbox, request: Request, letter: Letter, recipient: int | None) -> Receipt:
    try:
        claim = read(request, now=time.time())
        key_host = host_of(claim.key_id)
        if not key_host or key_host in inbox.own:
            return Receipt(401, "the key is not that of another server")
        if inbox.rules.blocks(key_host):
            return Receipt(403, f"nothing is taken from {key_host}")
        signed = await hold(claim, inbox.keys)
    except SignatureMalformed as error:
        return Receipt(400, str(error))
    except KeyUnavailable as error:
        return Receipt(503, str(error), retry_after=30)
    except SignatureMissing:
        return Receipt(401, "the request is not signed")
    except SignatureRefused as error:
        return Receipt(401, str(error))
    key = await inbox.keys.owner(signed.key_id)
    if key is None:
        return Receipt(401, "the key has no owner")
    if not is_same_id(key.owner, letter.actor) and not letter.has_proof and not letter.kinds & _PASSED_ON:
        return Receipt(401, f"{letter.actor[:200]} has not signed this: it was {key.owner[:200]}")
    job = TakeActivity(
        request.body.decode(), key.owner, recipient_id=recipient, received_at=now_ms(), news=mark_of(key.news)
    )
    sync = request.value(HEADER) if is_same_id(key.owner, letter.actor) else None
    if await inbox.crowd.is_too_large(host_of(job.sender)):
        return Receipt(503, "so much of your server waits here that nothing more is taken for now", retry_after=60)
    kept = await _keep(inbox, job, _mark(letter, key.owner, claim.signature), sync)
    return ACCEPTED if kept else Receipt(202, unkept="it was here before")


async def _keep(inbox: Inbox, job: TakeActivity, mark: int, sync: str | None) -> bool:
    """Lets the worker carry it out; False if it was here before."""
    host = host_of(job.sender)

    async def write(session: WriteSession) -> bool:
        if not await note_received(session, mark):
            return False
        await defer(session, job, host=host)
        if sync:
            compare = SyncFollowers(job.sender, sync[:_SYNC_LENGTH])
            await defer(session, compare, unique=sync_key(job.sender), host=host)
        return True

    return await inbox.db.write(write)


def _mark(letter: Letter, sender: str, signature: bytes) -> int:
    """By what a second delivery is recognised: the sender's own name for it, or the very same signature."""
    if letter.id and letter.kinds & _ONCE:
        return hash_of(sender, letter.id)
    return hash_of(sender, signature.hex())


async def _is_farewell_of_a_stranger(inbox: Inbox, letter: Letter) -> bool:
    """Whether somebody leaves, or has a new picture, of whom nobody here has heard: servers tell it all they know."""
    if letter.object != letter.actor or not letter.kinds & {"Delete", "Update"}:
        return False
    async with inbox.db.read() as session:
        return not await is_actor_known(session, letter.actor)


def _read(body: bytes) -> Letter:
    """What has to be known of an activity to receive it. Raises NotRead."""
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotRead("the body is not JSON") from error
    if not isinstance(document, dict):
        raise NotRead("the body is not an object")
    letter = _read_letter(document)
    if is_deep(document):
        raise NotRead("the body is nested too deeply", letter)
    if not letter.kinds:
        raise NotRead("an activity needs a type", letter)
    if not letter.actor:
        raise NotRead("an activity needs an actor", letter)
    if letter.id and not same_host(letter.id, letter.actor):
        raise NotRead("the id of an activity must be of its actor's server", letter)
    return letter


def _read_letter(document: Mapping[str, Any]) -> Letter:
    return Letter(
        address(document.get("id")),
        types(document),
        id_of(document.get("actor")),
        id_of(document.get("object")),
        "proof" in document,
    )
