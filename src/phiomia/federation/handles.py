"""From handles to actors and back by WebFinger: an account has the handle that both its servers agree on."""

from typing import Final

from phiomia.activitypub import webfinger
from phiomia.activitypub.types import JRD, XRD, is_jrd, is_xrd
from phiomia.activitypub.webfinger import Answer, AnswerInvalid, Handle, ResourceInvalid
from phiomia.federation.documents_of_others import Documents, is_same_id
from phiomia.federation.parse.actor import USERNAME, ActorDraft
from phiomia.federation.parse.values import host_of
from phiomia.federation.unresolved import Gone, Unresolved

_ACCEPT: Final = f"{JRD}, application/json"


def read_handle(text: str) -> Handle:
    """A handle as somebody typed it. Raises Unresolved."""
    try:
        return webfinger.read_handle(text)
    except ResourceInvalid as error:
        raise Unresolved(str(error)) from error


async def find_actor_of(documents: Documents, handle: Handle) -> str:
    """The id of the actor that a handle leads to; whether the actor agrees is to be seen. Raises Unresolved."""
    answer = await ask(documents, handle)
    if not answer.subject.names_same(handle):
        # The handle leads to another one, which must stand for itself.
        handle = answer.subject
        answer = await ask(documents, handle)
        if not answer.subject.names_same(handle):
            raise Unresolved(f"{handle} leads from one handle to another")
    if answer.actor is None:
        raise Unresolved(f"{handle} has no actor")
    return answer.actor


async def confirm_handle(documents: Documents, draft: ActorDraft) -> Handle:
    """The handle under which an actor is known: what WebFinger of its server says, and its domain agrees to.

    Raises Unresolved.
    """
    asked = Handle(draft.username, host_of(draft.uri))
    if draft.webfinger:
        told = read_handle(draft.webfinger)
        if told.user.lower() == draft.username.lower():
            asked = told
    answer = await ask(documents, asked)
    if not answer.subject.names_same(asked):
        asked = answer.subject
        answer = await ask(documents, asked)
    if not answer.subject.names_same(asked):
        raise Unresolved(f"{asked} leads from one handle to another")
    if not any(is_same_id(actor, draft.uri) for actor in answer.actors):
        raise Unresolved(f"{asked} is somebody else than {draft.uri}")
    if not USERNAME.fullmatch(answer.subject.user):
        raise Unresolved(f"{asked} can't be a name here")
    same = answer.subject.user.lower() == draft.username.lower()
    return Handle(draft.username if same else answer.subject.user, answer.subject.domain)


async def ask(documents: Documents, handle: Handle) -> Answer:
    """What the server of a handle says of it. Raises Unresolved."""
    try:
        response = await documents.get(webfinger.query_url(handle), accept=_ACCEPT, content_type=is_jrd)
    except Gone:
        template = await _find_template(documents, handle)
        response = await documents.get(webfinger.fill(template, handle), accept=_ACCEPT, content_type=is_jrd)
    try:
        return webfinger.read_answer(response.body)
    except AnswerInvalid as error:
        raise Unresolved(f"{handle}: {error}") from error


async def _find_template(documents: Documents, handle: Handle) -> str:
    url = webfinger.host_meta_url(handle.domain)
    response = await documents.get(url, accept=XRD, content_type=is_xrd)
    try:
        template = webfinger.read_host_meta(response.body)
    except AnswerInvalid as error:
        raise Gone(f"{handle}: {error}") from error
    if webfinger.fill(template, handle) == webfinger.query_url(handle):
        raise Gone(f"{handle} is not known there")
    return template
