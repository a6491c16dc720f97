"""What apps say of a new status or of one that is edited, made into what the domain takes."""

from typing import Literal

import msgspec

from phiomia.api.endpoint import Call
from phiomia.api.errors import ApiError
from phiomia.api.params import Id
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.media.describe import Description, Preview
from phiomia.domain.media.upload import clean_description, parse_focus
from phiomia.domain.statuses.compose import StatusText, compose, meet_mentioned
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.quote_policy import CHOICES, choice_of
from phiomia.domain.statuses.scheduled import ScheduledParams, ScheduledPoll
from phiomia.domain.statuses.visibility import WORDS, Visibility
from phiomia.domain.users.preferences import load_choices
from phiomia.platform.db import ReadSession
from phiomia.platform.languages import clean_language


class PollParams(msgspec.Struct, kw_only=True):
    """A poll to be made."""

    options: list[str] = []
    expires_in: int = 0
    multiple: bool = False
    hide_totals: bool = False


class WriteParams(msgspec.Struct, kw_only=True):
    """What a status says."""

    status: str = ""
    spoiler_text: str = ""
    sensitive: bool | None = None
    language: str | None = None
    media_ids: list[Id] = []
    poll: PollParams | None = None
    quote_approval_policy: Literal["public", "followers", "nobody"] | None = None


class PostParams(WriteParams, kw_only=True):
    """A new status."""

    visibility: Literal["public", "unlisted", "private", "direct"] | None = None
    in_reply_to_id: Id | None = None
    scheduled_at: str | None = None
    quoted_status_id: Id | None = None
    allowed_mentions: list[Id] | None = None


class MediaAttributes(msgspec.Struct, kw_only=True):
    """What changes in an attachment. `thumbnail` is a `data:` URL."""

    id: Id
    description: str | None = None
    focus: str | None = None
    thumbnail: str | None = None


class EditParams(WriteParams, kw_only=True):
    """A status anew."""

    media_attributes: list[MediaAttributes] = []


def keep_for_later(params: PostParams, typed: StatusText, key: str | None) -> ScheduledParams:
    """What is stored of a post whose time has not come."""
    poll = typed.poll
    return ScheduledParams(
        text=typed.text,
        spoiler_text=typed.spoiler_text,
        visibility=typed.visibility.word,
        sensitive=typed.sensitive,
        language=typed.language,
        media_ids=[str(one) for one in typed.media_ids] or None,
        poll=ScheduledPoll(poll.options, poll.expires_in, poll.multiple, poll.hide_totals) if poll else None,
        in_reply_to_id=None if typed.in_reply_to_id is None else str(typed.in_reply_to_id),
        quoted_status_id=None if typed.quoted_status_id is None else str(typed.quoted_status_id),
        quote_approval_policy=choice_of(typed.quote_policy),
        application_id=typed.application_id or 0,
        idempotency=key,
    )


async def meet_everybody(call: Call, text: str) -> None:
    """Looks for those who are named in a text and not known here yet."""
    config = call.api.config
    await meet_mentioned(call.api.db, call.api.lookup, text, (config.domain.lower(), config.web_domain.lower()))


async def compose_draft(call: Call, session: ReadSession, typed: StatusText) -> StatusDraft:
    """What was typed, as it can be written."""
    return await compose(session, call.actor, typed, call.api.fragments.links, call.api.config.domain)


async def complete(session: ReadSession, call: Call, params: PostParams) -> StatusText:
    """What was typed, with the member's usual choices in the place of what was not."""
    usual, state = await load_choices(session, call.actor)
    visibility = Visibility(usual.visibility) if params.visibility is None else WORDS[params.visibility]
    if visibility == Visibility.PUBLIC and state == AccountState.LIMITED:
        visibility = Visibility.UNLISTED
    typed = read_text(params, visibility=visibility, language=usual.posting_language)
    return msgspec.structs.replace(
        typed,
        sensitive=bool(usual.sensitive) if params.sensitive is None else params.sensitive,
        in_reply_to_id=params.in_reply_to_id,
        quoted_status_id=params.quoted_status_id,
        quote_policy=CHOICES[params.quote_approval_policy or usual.quote_policy],
        application_id=call.bearer.app_id if call.bearer else None,
    )


def read_text(params: WriteParams, *, visibility: Visibility, language: str | None) -> StatusText:
    """What was typed, as the domain takes it."""
    return StatusText(
        text=params.status,
        spoiler_text=params.spoiler_text,
        visibility=visibility,
        sensitive=bool(params.sensitive),
        language=clean_language(params.language) or language,
        media_ids=list(dict.fromkeys(params.media_ids)),
        poll=_poll(params.poll) if params.poll else None,
    )


def _poll(params: PollParams) -> PollDraft | None:
    options = [option.strip() for option in params.options if option.strip()]
    return PollDraft(options, params.expires_in, params.multiple, params.hide_totals)


def read_description(given: MediaAttributes, preview: Preview | None) -> Description:
    """What shall be different in an attachment."""
    text, focus = clean_description(given.description), parse_focus(given.focus)
    return Description(given.description is not None, text, focus, preview)


async def check_mentions(call: Call, session: ReadSession, draft: StatusDraft, allowed: list[int]) -> None:
    """Refuses a draft that would reach somebody who was not expected. Raises ApiError."""
    unexpected = [one for one in draft.mentions if one not in allowed]
    if unexpected:
        entities = await call.api.fragments.accounts(session, unexpected)
        refusal = ApiError(422, "The post would be sent to accounts that were not expected")
        refusal.body["unexpected_accounts"] = [msgspec.Raw(entity) for entity in entities.values()]
        raise refusal
