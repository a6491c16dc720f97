"""The services that translate: LibreTranslate and DeepL, behind one face."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlencode

import msgspec

from phiomia.platform.http import Fetcher, FetchFailed
from phiomia.platform.settings import Translation

_BYTES: Final = 512 * 1024
_SECONDS: Final = 20.0
_FREE_KEY: Final = ":fx"


class TranslationFailed(Exception):
    """The service could not be asked, or gave no answer of use."""


class Translated(NamedTuple):
    """Texts in another language, in the order in which they were given, and the language they were in."""

    texts: list[str]
    source: str


class Translator(Protocol):
    """A service."""

    name: str

    async def languages(self) -> dict[str, list[str]]:
        """Into which languages each can be translated. Raises TranslationFailed."""
        ...

    async def translate(self, texts: Sequence[str], source: str | None, target: str) -> Translated:
        """HTML texts in another language. Raises TranslationFailed."""
        ...


def open_translator(settings: Translation, fetcher: Fetcher) -> Translator | None:
    """The service that the operator has chosen, if any."""
    if settings.service == "libretranslate" and settings.url:
        return LibreTranslate(fetcher, settings.url.rstrip("/"), settings.key)
    if settings.service == "deepl" and settings.key:
        usual = f"https://api{'-free' if settings.key.endswith(_FREE_KEY) else ''}.deepl.com"
        return DeepL(fetcher, settings.url.rstrip("/") or usual, settings.key)
    return None


class LibreTranslate:
    """https://docs.libretranslate.com/"""

    name = "LibreTranslate"

    def __init__(self, fetcher: Fetcher, url: str, key: str) -> None:
        self._fetcher, self._url, self._key = fetcher, url, key

    async def languages(self) -> dict[str, list[str]]:
        """Into which languages each can be translated. Raises TranslationFailed."""
        found = await _ask(self._fetcher, f"{self._url}/languages")
        try:
            return {one["code"]: [code for code in one["targets"] if code != one["code"]] for one in found}
        except (TypeError, KeyError) as error:
            raise TranslationFailed("no list of languages") from error

    async def translate(self, texts: Sequence[str], source: str | None, target: str) -> Translated:
        """HTML texts in another language. Raises TranslationFailed."""
        asked = {"q": list(texts), "source": source or "auto", "target": target, "format": "html"}
        if self._key:
            asked["api_key"] = self._key
        headers = {"Content-Type": "application/json"}
        found = await _ask(self._fetcher, f"{self._url}/translate", msgspec.json.encode(asked), headers)
        try:
            detected = found.get("detectedLanguage") or []
            heard = detected[0]["language"] if isinstance(detected, list) and detected else source
            return _checked(found["translatedText"], texts, heard or source or "")
        except (TypeError, KeyError, AttributeError) as error:
            raise TranslationFailed("no translation") from error


class DeepL:
    """https://developers.deepl.com/"""

    name = "DeepL.com"

    def __init__(self, fetcher: Fetcher, url: str, key: str) -> None:
        self._fetcher, self._url = fetcher, url
        self._headers = {"Authorization": f"DeepL-Auth-Key {key}"}

    async def languages(self) -> dict[str, list[str]]:
        """Into which languages each can be translated. Raises TranslationFailed."""
        sources, targets = await asyncio.gather(*[self._list(kind) for kind in ("source", "target")])
        return {one: [other for other in targets if other.partition("-")[0] != one] for one in sources}

    async def translate(self, texts: Sequence[str], source: str | None, target: str) -> Translated:
        """HTML texts in another language. Raises TranslationFailed."""
        asked = [("text", text) for text in texts] + [("target_lang", target.upper()), ("tag_handling", "html")]
        if source:
            asked.append(("source_lang", source.upper()))
        headers = self._headers | {"Content-Type": "application/x-www-form-urlencoded"}
        found = await _ask(self._fetcher, f"{self._url}/v2/translate", urlencode(asked).encode(), headers)
        try:
            rows = found["translations"]
            heard = str(rows[0]["detected_source_language"]).lower() if rows else source or ""
            return _checked([row["text"] for row in rows], texts, heard)
        except (TypeError, KeyError) as error:
            raise TranslationFailed("no translation") from error

    async def _list(self, kind: str) -> list[str]:
        found = await _ask(self._fetcher, f"{self._url}/v2/languages?type={kind}", headers=self._headers)
        try:
            codes = [str(one["language"]).lower() for one in found]
        except (TypeError, KeyError) as error:
            raise TranslationFailed("no list of languages") from error
        return list(dict.fromkeys(code.partition("-")[0] if kind == "source" else code for code in codes))


async def _ask(fetcher: Fetcher, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    try:
        answer = await fetcher.fetch(
            url,
            method="GET" if body is None else "POST",
            headers={"Accept": "application/json"} | (headers or {}),
            body=body,
            body_bytes=_BYTES,
            seconds=_SECONDS,
        )
    except FetchFailed as error:
        raise TranslationFailed(str(error)) from error
    if not answer.ok:
        raise TranslationFailed(f"the service answered {answer.status}")
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TranslationFailed("the answer is no JSON") from error


def _checked(found: Any, asked: Sequence[str], source: str) -> Translated:
    if not isinstance(found, list) or len(found) != len(asked) or not all(isinstance(one, str) for one in found):
        raise TranslationFailed("no translation")
    return Translated(found, source)
