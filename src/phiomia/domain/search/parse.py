"""What somebody types into the search box. Anything is a question; nothing is an error.

words "a phrase" -without from:somebody from:me has:media has:poll is:reply is:sensitive language:de
before:2024-05-01 after:2024-05-01 during:2024-05-01 in:library in:public
"""

import re
from datetime import date
from typing import Final, NamedTuple

from phiomia.domain.search.words import mark, split_words
from phiomia.platform.clock import DAY, parse_iso
from phiomia.platform.ids import id_at
from phiomia.platform.limits import SEARCH_QUERY
from phiomia.platform.paging import HIGHEST_ID

_MOST_TERMS: Final = 20
_TERM: Final = re.compile(r'(?P<sign>[-+])?(?:(?P<operator>[a-zA-Z]{2,8}):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_HAS: Final = ("media", "image", "gifv", "video", "audio", "poll", "link")
_IS: Final = ("reply", "sensitive")
_SCOPES: Final = ("all", "library", "public")


class Sought(NamedTuple):
    """A question taken apart. `authors` are handles; of ids, both bounds are excluded."""

    wanted: tuple[tuple[str, ...], ...] = ()
    unwanted: tuple[tuple[str, ...], ...] = ()
    authors: tuple[str, ...] = ()
    not_authors: tuple[str, ...] = ()
    scope: str = "all"
    above: int = 0
    below: int = HIGHEST_ID

    @property
    def empty(self) -> bool:
        """Whether nothing was asked."""
        return self == Sought()


class _Sought:
    def __init__(self) -> None:
        self.wanted: list[tuple[str, ...]] = []
        self.unwanted: list[tuple[str, ...]] = []
        self.authors: list[str] = []
        self.not_authors: list[str] = []
        self.scope = "all"
        self.above = 0
        self.below = HIGHEST_ID


def parse(text: str) -> Sought:
    """The question in a text; what looks like an operator but makes no sense is taken for words."""
    found = _Sought()
    for match in list(_TERM.finditer(text[:SEARCH_QUERY]))[:_MOST_TERMS]:
        negated = match["sign"] == "-"
        value = match["phrase"] if match["phrase"] is not None else match["word"]
        operator = (match["operator"] or "").lower()
        if operator and _apply(found, operator, value, negated):
            continue
        words = tuple(split_words(f"{operator} {value}" if operator else value))
        if words:
            (found.unwanted if negated else found.wanted).append(words)
    return Sought(
        tuple(found.wanted),
        tuple(found.unwanted),
        tuple(found.authors),
        tuple(found.not_authors),
        found.scope,
        found.above,
        found.below,
    )


def _apply(found: _Sought, operator: str, value: str, negated: bool) -> bool:
    """Takes an operator; False when it is none."""
    marks = found.unwanted if negated else found.wanted
    word = value.lower()
    match operator:
        case "from":
            (found.not_authors if negated else found.authors).append(word.removeprefix("@"))
        case "has" if word in _HAS:
            marks.append((mark("h", word),))
        case "is" if word in _IS:
            marks.append((mark("s", word),))
        case "language" | "lang" if code := language_mark(word):
            marks.append((code,))
        case "in" if word in _SCOPES and not negated:
            found.scope = word
        case "before" | "after" | "during" if (day := _day(value)) is not None and not negated:
            if operator != "after":
                found.below = min(found.below, id_at(day if operator == "before" else day + DAY))
            if operator != "before":
                found.above = max(found.above, id_at(day + DAY if operator == "after" else day) - 1)
        case _:
            return False
    return True


def language_mark(code: str) -> str | None:
    """The mark for a language, or None for what is no code of one."""
    letters = re.sub("[^a-z]", "", code.lower())
    return mark("l", letters) if 2 <= len(letters) <= 8 else None


def _day(text: str) -> int | None:
    try:
        return parse_iso(date.fromisoformat(text).isoformat())
    except ValueError:
        return None
