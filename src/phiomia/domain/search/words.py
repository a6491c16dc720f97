"""What counts as a word, and how words and what is asked for are written for either database's index.

Both databases get ready-made words: their own parsers differ from each other and know no scripts without spaces.
Such scripts, and Korean, are indexed letter by letter, and a word of them is looked for as a sequence.

Beside words the index holds marks: who wrote a status, that it has media. They begin with a character of private
use, which never is part of a word.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from phiomia.domain.tags.normalise import MARKS

MARK: Final = "\ue000"
_MOST_WORDS: Final = 5_000
_LONGEST_WORD: Final = 64

# Han, kana and hangul; Thai, Lao, Tibetan, Burmese, Khmer.
_UNSPACED: Final = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3"
)
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_WORD: Final = re.compile(rf"[{_UNSPACED}][{MARKS}]*+|[^\W_{_UNSPACED}]++(?:[{MARKS}]++[^\W_{_UNSPACED}]*+)*+")
_LATIN_OR_GREEK_ACCENTS: Final = re.compile("(?<=[a-z\u03b1-\u03c9])[\u0300-\u036f]+")
_PLAIN: Final = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "æ": "ae", "œ": "oe"})


class Match(NamedTuple):
    """What to look for: every one of `all_of` and one of `any_of` (unless empty), none of `none_of`.

    Each is a sequence of words, or of one mark. With `prefix` the last word of the last sequence may go on.
    """

    all_of: tuple[tuple[str, ...], ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[tuple[str, ...], ...] = ()
    prefix: bool = False


def split_words(text: str) -> list[str]:
    """The words of a text in the form in which they are compared: without case, accents and compatibility forms."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    else:
        folded = unicodedata.normalize("NFKD", text).casefold()
        folded = _LATIN_OR_GREEK_ACCENTS.sub("", folded).translate(_PLAIN)
        found = _WORD.findall(unicodedata.normalize("NFKC", folded))
    return [word[:_LONGEST_WORD] for word in found[:_MOST_WORDS]]


def mark(kind: str, value: object = "") -> str:
    """The mark for something that is no word; kind and value are letters and digits."""
    return f"{MARK}{kind}{value}"


def write_body(dialect: str, words: list[str], marks: list[str]) -> str:
    """What goes into the index."""
    if dialect == "sqlite":
        return " ".join([*words, *marks])
    places: dict[str, list[str]] = {}
    for place, word in enumerate(words, 1):
        places.setdefault(word, []).append(str(place))
    lexemes = [f"'{word}':{','.join(at[:255])}" for word, at in places.items()]
    return " ".join([*lexemes, *(f"'{one}'" for one in marks)])


def write_match(dialect: str, match: Match) -> str:
    """The question in the database's language. Words hold letters and digits only, so nothing can break out."""
    return _write_fts5(match) if dialect == "sqlite" else _write_tsquery(match)


def _write_fts5(match: Match) -> str:
    parts = [f'"{" ".join(words)}"' for words in match.all_of]
    if match.prefix and parts:
        parts[-1] += " *"
    if match.any_of:
        parts.append("(" + " OR ".join(f'"{one}"' for one in match.any_of) + ")")
    found = " AND ".join(parts)
    if not match.none_of:
        return found
    unwanted = " OR ".join(f'"{" ".join(words)}"' for words in match.none_of)
    return f"({found}) NOT ({unwanted})"


def _write_tsquery(match: Match) -> str:
    parts = [_tsphrase(words) for words in match.all_of]
    if match.prefix and parts:
        parts[-1] = _tsphrase(match.all_of[-1], ":*")
    if match.any_of:
        parts.append("(" + " | ".join(f"'{one}'" for one in match.any_of) + ")")
    parts += [f"!{_tsphrase(words)}" for words in match.none_of]
    return " & ".join(parts)


def _tsphrase(words: tuple[str, ...], last: str = "") -> str:
    return "(" + " <-> ".join(f"'{word}'" for word in words) + last + ")"
