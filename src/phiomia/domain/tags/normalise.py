"""What counts as a hashtag's name, and the key under which all spellings of it meet."""

import re
import unicodedata
from typing import Final

SEPARATORS: Final = "\u00b7\u30fb\u200c"
"""Middle dots and the zero-width non-joiner: allowed inside a name, never at its ends."""

# Where scripts keep the marks that words are spelled with. Selectors of emoji and enclosing keycaps are marks as
# well, but spell no words.
_MARK_BLOCKS: Final = ((0x0300, 0x20D0), (0x2CEF, 0x3100), (0xA66F, 0xABEE), (0xFB1E, 0xFB1F), (0x10A00, 0x12000))


def _list_mark_ranges() -> str:
    marks = [
        point
        for start, end in _MARK_BLOCKS
        for point in range(start, end)
        if unicodedata.category(chr(point))[0] == "M"
    ]
    starts = [point for before, point in zip([-1, *marks], marks, strict=False) if point != before + 1]
    ends = [point for point, after in zip(marks, [*marks[1:], -1], strict=True) if after != point + 1]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


MARKS: Final = _list_mark_ranges()
NAME_RUN: Final = rf"\w[\w{SEPARATORS}{MARKS}]*+"
"""A pattern for the longest run that can be a name; it may still end in separators or be refused by `is_valid_tag`."""

_RUN: Final = re.compile(NAME_RUN)
_INNER_SEPARATOR: Final = re.compile(rf".[{SEPARATORS}_].", re.DOTALL)
_MARK: Final = re.compile(f"[{MARKS}]")
_DROPPED: Final = re.compile(rf"[^\w{SEPARATORS}{MARKS}]+")


def _fold_table() -> dict[int, str]:
    table = {ord(letter): plain for letter, plain in zip("ðđħıĸłŋøŧ", "ddhiklnot", strict=True)}
    for point in range(0xC0, 0x180):
        base = unicodedata.normalize("NFD", chr(point))[0]
        if base.isascii() and base.isalpha():
            table[point] = base
    return table


# Letters of Western and Central European alphabets only: in other scripts a mark makes another word.
_FOLDED: Final = _fold_table()


def normalise_tag(name: str) -> str:
    """Give the key of a tag: compatibility forms, case and Latin diacritics folded, all other characters dropped."""
    if name.isascii():
        return _DROPPED.sub("", name.lower())
    key = _fold(name)
    # What was dropped may have kept a letter and its mark apart, which now combine.
    return key if (again := _fold(key)) == key else _fold(again)


def is_valid_tag(name: str) -> bool:
    """Tell whether this is the name of a tag: one word, not only digits, no separator at its ends."""
    run = _RUN.fullmatch(name)
    return run is not None and name[-1] not in SEPARATORS and has_letter(name)


def has_letter(name: str) -> bool:
    """Tell whether a run of word characters reads as a word: it has a letter, a mark or an inner separator."""
    return any(map(str.isalpha, name)) or bool(_INNER_SEPARATOR.search(name) or _MARK.search(name))


def _fold(name: str) -> str:
    lowered = unicodedata.normalize("NFKC", name).replace("\u0130", "i").lower()
    return _DROPPED.sub("", unicodedata.normalize("NFKC", lowered).translate(_FOLDED))
