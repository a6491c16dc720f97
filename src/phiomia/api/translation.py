"""Translations of statuses: https://docs.joinmastodon.org/methods/statuses/#translate"""

import time
from typing import Any

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.errors import NotAllowed
from phiomia.domain.statuses.queries import load_row
from phiomia.domain.statuses.translation import (
    clean_texts,
    digest_of,
    find_translation,
    keep_translation,
    list_texts,
)
from phiomia.domain.statuses.translators import TranslationFailed, Translator, open_translator
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.statuses.whole import load_statuses
from phiomia.domain.users.preferences import load_preferences
from phiomia.entities.translation import render_translation
from phiomia.platform.log import get_logger

_LANGUAGES_SECONDS = 24 * 3600.0
_RETRY_SECONDS = 60.0
log = get_logger("translation")


class TranslateParams(msgspec.Struct):
    """Into which language; the member's own if it is not said."""

    lang: str | None = None


@endpoint("GET", "/api/v1/instance/translation_languages", access="public", returns="map<array<string>>")
async def translation_languages(call: Call, params: None) -> dict[str, list[str]]:
    """Into which languages each can be translated; empty where nothing translates."""
    translator = _translator(call)
    return {} if translator is None else await _languages(call, translator)


@endpoint("POST", "/api/v1/statuses/:id/translate", scopes=("read:statuses",), returns="entity:Translation")
async def translate(call: Call, params: TranslateParams) -> dict[str, Any]:
    """A public status in another language."""
    translator = _translator(call)
    async with call.api.db.read() as session:
        row = await load_row(session, call.id, call.actor)
        view = (await load_statuses(session, [row.original_id or row.id]))[row.original_id or row.id]
        language = params.lang or (await load_preferences(session, call.actor)).posting_language
    if translator is None or view.row.visibility > Visibility.UNLISTED:
        raise NotAllowed
    targets = (await _languages(call, translator)).get(_plain(view.row.language), []) if view.row.language else None
    if targets is not None and language not in targets:
        language = _plain(language)
        if language not in targets:
            raise NotAllowed
    texts = list_texts(view)
    digest = digest_of(translator.name, texts)
    async with call.api.db.read() as session:
        found = await find_translation(session, view.row.id, language, digest)
    if found is None:
        try:
            made = await translator.translate(texts, _plain(view.row.language) or None, language)
        except TranslationFailed as error:
            log.warning("a translation failed", reason=str(error))
            raise ApiError(503, "There was an error when trying to translate this post") from None
        found = made._replace(texts=clean_texts(made.texts))
        kept = found
        await call.api.db.write(lambda session: keep_translation(session, view.row.id, language, digest, kept))
    return render_translation(view, found.texts, language=language, source=found.source, provider=translator.name)


def _translator(call: Call) -> Translator | None:
    settings = call.api.config.translation
    if not settings.service or call.api.outside is None:
        return None
    return open_translator(settings, call.api.outside.fetcher)


async def _languages(call: Call, translator: Translator) -> dict[str, list[str]]:
    kept = call.api.answers.get("translation_languages")
    if kept is not None and kept[0] > time.monotonic():
        languages: dict[str, list[str]] = kept[1]
        return languages
    try:
        languages, seconds = await translator.languages(), _LANGUAGES_SECONDS
    except TranslationFailed as error:
        log.warning("the languages of translations are not known", reason=str(error))
        languages, seconds = (kept[1] if kept is not None else {}), _RETRY_SECONDS
    call.api.answers["translation_languages"] = (time.monotonic() + seconds, languages)
    return languages


def _plain(language: str | None) -> str:
    return (language or "").partition("-")[0].lower()
