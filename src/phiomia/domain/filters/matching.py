"""Holding a text against a member's filters: nothing but searches for literal text, so none can run away.

Few keywords are searched for one by one. Of many, those that are whole words are looked up by the words that the text
has, however many they are.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from phiomia.domain.filters.views import FilterView
from phiomia.platform import limits

_RUN = re.compile(r"\w+")
_ALWAYS = 2**63 - 1
_FEW = 64  # finding the words of a text takes as long as looking for so many


class Match(NamedTuple):
    """A filter that meets a status, with what of it does."""

    filter: FilterView
    keywords: list[str]
    status_ids: list[int]


class _Entry(NamedTuple):
    """A keyword. `starts` and `ends`: where it stands, no word may go on in front or behind."""

    number: int
    filter: FilterView
    keyword: str
    folded: str
    starts: bool
    ends: bool


def fold(text: str) -> str:
    """Text as keywords and statuses are compared: one case, one form of each letter, single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # folding may have parted what had been one
    return " ".join(text.split())


class Matcher:
    """The filters of one member."""

    __slots__ = ("_loose", "_status_ids", "_until", "_words", "filters", "reads_text", "results", "rev")

    def __init__(self, rev: int, filters: Sequence[FilterView], now: int) -> None:
        self.rev = rev
        self.filters = tuple(filters)
        # What came out for single statuses, kept by whoever asks.
        self.results: dict[int, tuple[int, bytes]] = {}
        self._compile(now)

    def keep_time(self, now: int) -> None:
        """Leaves out what has expired by now."""
        if now >= self._until:
            self._compile(now)

    def match(self, folded: str, status_ids: Iterable[int]) -> list[Match]:
        """The filters that meet a text (see `fold`) or one of the ids of its status, the oldest first."""
        found: dict[int, Match] = {}
        for id_ in status_ids:
            for view in self._status_ids.get(id_, ()):
                found.setdefault(view.id, Match(view, [], [])).status_ids.append(id_)
        for entry in sorted(self._find(folded)):
            keywords = found.setdefault(entry.filter.id, Match(entry.filter, [], [])).keywords
            if len(keywords) < limits.FILTER_MATCHES:
                keywords.append(entry.keyword)
        return [found[id_] for id_ in sorted(found)]

    def _compile(self, now: int) -> None:
        active = [view for view in self.filters if view.expires_at is None or view.expires_at > now]
        self._until = min((view.expires_at for view in active if view.expires_at is not None), default=_ALWAYS)
        self._loose: list[_Entry] = []
        self._words: dict[str, list[_Entry]] = {}
        self._status_ids: dict[int, list[FilterView]] = {}
        self.results.clear()
        for view in active:
            for one in view.statuses:
                self._status_ids.setdefault(one.status_id, []).append(view)
        keywords = [(view, keyword) for view in active for keyword in view.keywords]
        few = len(keywords) <= _FEW
        for number, (view, keyword) in enumerate(keywords):
            folded = fold(keyword.keyword)
            if folded:
                whole = bool(keyword.whole_word)
                starts, ends = whole and _is_of_word(folded[0]), whole and _is_of_word(folded[-1])
                self._add(_Entry(number, view, keyword.keyword, folded, starts, ends), whole and not few)
        self.reads_text = bool(self._loose or self._words)

    def _add(self, entry: _Entry, by_word: bool) -> None:
        # Whole words stand in a text with their first run of letters being one of its runs.
        run = _RUN.search(entry.folded) if by_word else None
        if run is None:
            self._loose.append(entry)
        else:
            self._words.setdefault(run[0], []).append(entry)

    def _find(self, text: str) -> Iterable[_Entry]:
        for entry in self._loose:
            if entry.folded in text and _stands(entry, text):
                yield entry
        if self._words:
            for run in self._words.keys() & set(_RUN.findall(text)):
                for entry in self._words[run]:
                    if _stands(entry, text):
                        yield entry


def _stands(entry: _Entry, text: str) -> bool:
    keyword, size = entry.folded, len(entry.folded)
    at = text.find(keyword)
    while at >= 0:
        end = at + size
        goes_on_before = entry.starts and at > 0 and _is_of_word(text[at - 1])
        goes_on_behind = entry.ends and end < len(text) and _is_of_word(text[end])
        if not goes_on_before and not goes_on_behind:
            return True
        at = text.find(keyword, at + 1)
    return False


def _is_of_word(letter: str) -> bool:
    if letter.isalnum() or letter == "_":
        return True
    # Marks spell words as letters do; those that choose between forms of an emoji don't.
    return letter > "\u02ff" and unicodedata.category(letter)[0] == "M" and not "\ufe00" <= letter <= "\ufe0f"
