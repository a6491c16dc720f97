"""Texts that come in one language or several."""

from itertools import islice
from typing import Any, Final

from phiomia.federation.parse.values import Document
from phiomia.platform.languages import clean_language

_MOST: Final = 32


def text_of(document: Document, name: str) -> str:
    """The text of a property, or the first one of its map of languages; empty if there is neither."""
    value = document.get(name)
    if isinstance(value, str) and value:
        return value
    return next((text for _, text in _entries(document.get(f"{name}Map"))), "")


def language_of(document: Document) -> str | None:
    """The language of a post: the one whose text is the content, else the first that is named."""
    content = document.get("content")
    entries = [entry for name in ("content", "name", "summary") for entry in _entries(document.get(f"{name}Map"))]
    same = (language for language, text in entries if text == content)
    return _clean(next(same, "")) or next(filter(None, (_clean(language) for language, _ in entries)), None)


def _entries(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    return [(key, text) for key, text in islice(value.items(), _MOST) if isinstance(text, str) and text]


def _clean(language: str) -> str | None:
    return clean_language(language) if language and len(language) < 36 else None
