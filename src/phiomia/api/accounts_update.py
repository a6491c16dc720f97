"""One's own account: https://docs.joinmastodon.org/methods/accounts/ (credentials) and /methods/profile/"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.accounts.pictures import Place, StoredPicture, discard_picture, remove_picture, store_picture
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.accounts.update import ProfileChange, check_profile, clean_domains, find_local_names, update_profile
from phiomia.domain.accounts.views import AccountField, AccountView
from phiomia.domain.errors import Invalid
from phiomia.domain.instance.emojis import load_emojis
from phiomia.domain.relationships.stamp import Stamp, load_stamp
from phiomia.domain.statuses.featured_tags import list_featured_tags
from phiomia.domain.statuses.text import (
    MentionTarget,
    Targets,
    count_characters,
    find_shortcodes,
    render_field,
    render_note,
    scan,
)
from phiomia.domain.statuses.visibility import WORDS
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.users.preferences import PostingDefaults, change_posting_defaults, load_preferences
from phiomia.entities.credential_account import splice_credential_account
from phiomia.entities.kept import Kept
from phiomia.entities.profile import render_profile
from phiomia.platform import limits
from phiomia.platform.db import ReadSession, WriteSession
from phiomia.platform.json import decode
from phiomia.platform.languages import clean_language

_KEPT: Final = 2_000
_PLACES: Final[tuple[Place, Place]] = ("avatar", "header")


class Field(msgspec.Struct):
    """One row of the profile's table, as typed."""

    name: str = ""
    value: str = ""


class Source(msgspec.Struct, kw_only=True):
    """What new posts begin with."""

    privacy: Literal["public", "unlisted", "private"] | None = None
    sensitive: bool | None = None
    language: str | None = None
    quote_policy: Literal["public", "followers", "nobody"] | None = None


class ProfileParams(msgspec.Struct, kw_only=True):
    """A profile's parts; files come beside."""

    display_name: str | None = None
    note: str | None = None
    avatar_description: str | None = None
    header_description: str | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    hide_collections: bool | None = None
    indexable: bool | None = None
    show_media: bool | None = None
    show_media_replies: bool | None = None
    show_featured: bool | None = None
    attribution_domains: list[str] | None = None
    fields_attributes: list[Field] | dict[str, Field] | None = None


class CredentialsParams(ProfileParams, kw_only=True):
    """A profile's parts, and what new posts begin with."""

    source: Source | None = None


@endpoint(
    "GET",
    "/api/v1/accounts/verify_credentials",
    scopes=("profile", "read:accounts"),
    returns="entity:CredentialAccount",
    unconfirmed=True,
)
async def verify_credentials(call: Call, params: None) -> bytes:
    """The signed-in account."""
    return await _show_own(call)


@endpoint(
    "PATCH",
    "/api/v1/accounts/update_credentials",
    scopes=("write:accounts",),
    returns="entity:CredentialAccount",
    upload_bytes=limits.AVATAR_BYTES + limits.HEADER_BYTES,
)
async def update_credentials(call: Call, params: CredentialsParams) -> bytes:
    """Changes the profile and what new posts begin with."""
    defaults = _defaults(params.source) if params.source else None
    await _change(call, params, defaults)
    return await _show_own(call)


@endpoint("DELETE", "/api/v1/profile/avatar", scopes=("write:accounts",), returns="entity:CredentialAccount")
async def delete_avatar(call: Call, params: None) -> bytes:
    """Removes the avatar."""
    await call.api.db.write(lambda session: remove_picture(session, call.actor, "avatar"))
    return await _show_own(call)


@endpoint("DELETE", "/api/v1/profile/header", scopes=("write:accounts",), returns="entity:CredentialAccount")
async def delete_header(call: Call, params: None) -> bytes:
    """Removes the header."""
    await call.api.db.write(lambda session: remove_picture(session, call.actor, "header"))
    return await _show_own(call)


@endpoint("GET", "/api/v1/profile", scopes=("profile", "read:accounts"), returns="entity:Profile")
async def profile(call: Call, params: None) -> object:
    """The own profile in the form in which it is edited."""
    async with call.api.db.read() as session:
        view = await load_account(session, call.actor)
        return render_profile(view, await list_featured_tags(session, call.actor), call.api.fragments.links)


@endpoint(
    "PATCH",
    "/api/v1/profile",
    scopes=("write:accounts",),
    returns="entity:Profile",
    upload_bytes=limits.AVATAR_BYTES + limits.HEADER_BYTES,
)
async def update_own_profile(call: Call, params: ProfileParams) -> object:
    """Changes the profile."""
    await _change(call, params, None)
    return await profile(call, None)


@endpoint(
    "PUT",
    "/api/v1/profile",
    scopes=("write:accounts",),
    returns="entity:Profile",
    upload_bytes=limits.AVATAR_BYTES + limits.HEADER_BYTES,
)
async def update_own_profile_too(call: Call, params: ProfileParams) -> object:
    """The same as PATCH."""
    return await update_own_profile(call, params)


async def _show_own(call: Call) -> bytes:
    async with call.api.db.read() as session:
        return await _credential_account(call, session)


async def _credential_account(call: Call, session: ReadSession) -> bytes:
    """The entity, kept as bytes for as long as nothing in it has changed."""
    kept: Kept[tuple[Stamp, bytes]] = call.api.answers.setdefault("credential_accounts", Kept(_KEPT))
    stamp = await load_stamp(session, call.actor)
    known = kept.get(call.actor)
    if known is not None and known[0] == stamp:
        return known[1]
    view = await load_account(session, call.actor)
    chosen = await load_preferences(session, call.actor)
    account = await call.api.fragments.account(session, view)
    answer = splice_credential_account(account, view, chosen, stamp.follow_requests)
    if view.moved_to_id is None:  # the target's changes have another revision
        kept.put(call.actor, (Stamp(view.rev, chosen.rev, stamp.follow_requests), answer))
    return answer


async def _change(call: Call, params: ProfileParams, defaults: PostingDefaults | None) -> None:
    async with call.api.db.read() as session:
        view = await load_account(session, call.actor)
        change = await _render(call, session, view, params)
    check_profile(change)
    async with _stored_pictures(call) as pictures:
        change = msgspec.structs.replace(change, avatar=pictures.get("avatar"), header=pictures.get("header"))

        async def write(session: WriteSession) -> None:
            await update_profile(session, call.actor, change)
            if defaults is not None:
                await change_posting_defaults(session, call.actor, defaults)

        await call.api.db.write(write)


@asynccontextmanager
async def _stored_pictures(call: Call) -> AsyncIterator[dict[Place, StoredPicture]]:
    """The pictures that came along, decoded and stored; removed again when what follows fails."""
    stored: dict[Place, StoredPicture] = {}
    try:
        for place in _PLACES:
            file = call.form.files.get(place) if call.form else None
            if file is not None and file.size:
                stored[place] = await store_picture(call.api.storage, call.api.temporary, place, call.actor, file.path)
        yield stored
    except Exception:
        for picture in stored.values():
            await discard_picture(call.api.storage, picture)
        raise


async def _render(call: Call, session: ReadSession, view: AccountView, params: ProfileParams) -> ProfileChange:
    """What was typed, with its HTML: mentions of members and hashtags become links."""
    name = None if params.display_name is None else " ".join(params.display_name.split())
    note = None if params.note is None else params.note.strip()
    if note is not None and count_characters(note) > limits.NOTE:
        text = f"Note is too long (maximum is {limits.NOTE} characters)"
        raise Invalid(f"Validation failed: {text}", {"note": [("ERR_TOO_LONG", text)]})
    typed = None if params.fields_attributes is None else list(_listed(params.fields_attributes))
    targets = await _find_targets(call, session, [note or "", *(field.value for field in typed or ())])
    return ProfileChange(
        display_name=name,
        note_source=note,
        note=None if note is None else render_note(note, targets, lambda tag: _tag_url(call, tag)),
        fields=None if typed is None else _render_fields(call, view, typed, targets),
        emojis=await _find_emojis(session, view, name, note, typed),
        avatar_description=_stripped(params.avatar_description),
        header_description=_stripped(params.header_description),
        attribution_domains=None if params.attribution_domains is None else clean_domains(params.attribution_domains),
        locked=params.locked,
        bot=params.bot,
        discoverable=params.discoverable,
        hide_collections=params.hide_collections,
        indexable=params.indexable,
        show_media=params.show_media,
        show_media_replies=params.show_media_replies,
        show_featured=params.show_featured,
    )


def _listed(given: list[Field] | dict[str, Field]) -> Iterable[Field]:
    """Rows in their order, without empty ones; forms number them."""
    fields = (
        given
        if isinstance(given, list)
        else [given[key] for key in sorted(given, key=lambda key: (len(key), key) if key.isdigit() else (99, key))]
    )
    for field in fields:
        if field.name.strip() or field.value.strip():
            yield Field(field.name.strip(), field.value.strip())


def _render_fields(call: Call, view: AccountView, typed: list[Field], targets: Targets) -> list[AccountField]:
    # That a link was verified holds for as long as it stays the same.
    verified = {field["value"]: field.get("verified_at") for field in decode(view.fields)}
    return [
        AccountField(
            field.name,
            field.value,
            render_field(field.value, targets, lambda tag: _tag_url(call, tag)),
            verified.get(field.value),
        )
        for field in typed
    ]


async def _find_targets(call: Call, session: ReadSession, texts: list[str]) -> Targets:
    mentions = {mention.key for text in texts for mention in scan(text).mentions}
    here = (None, call.api.config.domain.lower(), call.api.config.web_domain.lower())
    names = await find_local_names(session, (username for username, domain in mentions if domain in here))
    base = call.api.fragments.links.base
    return {
        (username, domain): MentionTarget(f"{base}/@{names[username]}", names[username], names[username])
        for username, domain in mentions
        if domain in here and username in names
    }


async def _find_emojis(
    session: ReadSession, view: AccountView, name: str | None, note: str | None, typed: list[Field] | None
) -> list[str] | None:
    if name is None and note is None and typed is None:
        return None
    fields: list[Any] = decode(view.fields) if typed is None else [msgspec.to_builtins(field) for field in typed]
    texts = [view.display_name if name is None else name, view.note_source if note is None else note]
    texts += [field[part] for field in fields for part in ("name", "value")]
    shortcodes = find_shortcodes("\n".join(texts))
    return sorted(await load_emojis(session, shortcodes)) if shortcodes else []


def _defaults(source: Source) -> PostingDefaults:
    language = source.language
    if language:
        language = clean_language(language)
        if language is None:
            raise Invalid("Validation failed: Language is not known", {"language": [("ERR_INVALID", "is not known")]})
    return PostingDefaults(
        visibility=None if source.privacy is None else int(WORDS[source.privacy]),
        sensitive=source.sensitive,
        language=language,
        quote_policy=source.quote_policy,
    )


def _tag_url(call: Call, name: str) -> str:
    return call.api.fragments.links.tag(normalise_tag(name))


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()
