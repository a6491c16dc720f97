"""Polls: a Question's answers."""

from typing import Any, Final

from phiomia.domain.statuses.draft import PollDraft
from phiomia.federation.parse.moments import read_moment
from phiomia.federation.parse.values import Document, natural, objects, total_of, words
from phiomia.platform.clock import now_ms

_OPTIONS: Final = 500
_OPTION: Final = 500


def parse_poll(question: Document) -> PollDraft | None:
    """The poll of a Question; None if it has no two answers to choose from."""
    multiple = bool(question.get("anyOf"))
    titles: dict[str, int] = {}
    for option in objects(question.get("anyOf") or question.get("oneOf"), _OPTIONS):
        title = words(option.get("name"), _OPTION).strip()
        if title:
            titles.setdefault(title, total_of(option.get("replies")) or 0)
    if len(titles) < 2:
        return None
    expires_at = _read_end(question)
    votes = list(titles.values())
    return PollDraft(
        options=list(titles),
        expires_in=0,
        multiple=multiple,
        expires_at=expires_at,
        endless=expires_at is None,
        votes=votes,
        voters_count=natural(question.get("votersCount")) or (max(votes) if multiple else min(sum(votes), 2**31 - 1)),
    )


def _read_end(question: Document) -> int | None:
    closed: Any = question.get("closed")
    if closed is True:
        return now_ms()
    return read_moment(closed) or read_moment(question.get("endTime"))
