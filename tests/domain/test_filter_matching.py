"""Holding texts against filters: by each way the same answer as a search for every keyword in turn."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from phiomia.domain.filters.matching import _FEW, Matcher, fold
from phiomia.domain.filters.views import FilterStatusView, FilterView, KeywordView
from phiomia.platform import limits

_LETTERS = st.text(alphabet="abAß _#'-\nİée\u0301日ह\u093f\ufe0f😀ﬁ", min_size=1, max_size=6)


def _matcher(keywords: list[tuple[str, bool]], *, more: int = 0) -> Matcher:
    views = [KeywordView(number, 1, keyword, whole) for number, (keyword, whole) in enumerate(keywords)]
    views += [KeywordView(1000 + number, 1, f"nowhere{number}", True) for number in range(more)]
    return Matcher(1, [FilterView(1, 1, "t", 1, 0, None, tuple(views))], 0)


def _found(matcher: Matcher, text: str) -> list[str]:
    return [keyword for match in matcher.match(fold(text), []) for keyword in match.keywords]


def _is_of_word(letter: str) -> bool:
    if re.fullmatch("[\ufe00-\ufe0f]", letter):
        return False
    return bool(re.fullmatch(r"\w", letter)) or unicodedata.category(letter).startswith("M")


def _stands(keyword: str, whole: bool, text: str) -> bool:
    keyword, text = fold(keyword), fold(text)
    for at in range(len(text) - len(keyword) + 1):
        if not keyword or text[at : at + len(keyword)] != keyword:
            continue
        before, behind = text[:at][-1:], text[at + len(keyword) :][:1]
        joined = (before and _is_of_word(before) and _is_of_word(keyword[0])) or (
            behind and _is_of_word(behind) and _is_of_word(keyword[-1])
        )
        if not whole or not joined:
            return True
    return False


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(_LETTERS, st.booleans()), max_size=5), st.lists(_LETTERS, max_size=8).map("".join))
def test_keywords_are_found_where_they_stand(keywords: list[tuple[str, bool]], text: str) -> None:
    wanted = [keyword for keyword, whole in keywords if _stands(keyword, whole, text)]
    assert _found(_matcher(keywords), text) == wanted
    assert _found(_matcher(keywords, more=_FEW), text) == wanted


def test_patterns_mean_nothing() -> None:
    matcher = _matcher([(".*", False), ("(a+)+$", True), ("[", False), ("\\", True)])
    assert _found(matcher, "aaaa") == []
    assert _found(matcher, "x.*y (a+)+$ [ \\") == [".*", "(a+)+$", "[", "\\"]


def test_some_of_many_matches_are_told() -> None:
    keywords = [(f"word{number}", number % 2 == 0) for number in range(1000)]
    text = " ".join(keyword for keyword, _ in keywords)
    assert _found(_matcher(keywords), text) == [keyword for keyword, _ in keywords[: limits.FILTER_MATCHES]]


def test_statuses_are_met_whatever_they_say() -> None:
    one = FilterView(1, 1, "t", 1, 0, None, (), (FilterStatusView(5, 1, 77),))
    ended = FilterView(2, 1, "t", 1, 0, 1_000, (KeywordView(6, 2, "cat", True),), (FilterStatusView(7, 2, 77),))
    matcher = Matcher(1, [one, ended], 999)
    assert matcher.reads_text
    assert [(match.filter.id, match.keywords, match.status_ids) for match in matcher.match("cat", [77])] == [
        (1, [], [77]),
        (2, ["cat"], [77]),
    ]
    matcher.keep_time(1_000)
    assert not matcher.reads_text
    assert [match.filter.id for match in matcher.match("cat", [77])] == [1]
    assert matcher.match("cat", [78]) == []
