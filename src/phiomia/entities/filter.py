"""The entities Filter, FilterKeyword, FilterStatus, FilterResult, and Filter as older apps know it."""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.filters.kinds import Context, FilterAction
from phiomia.domain.filters.matching import Match
from phiomia.domain.filters.views import FilterStatusView, FilterView, KeywordView
from phiomia.platform.clock import iso


def render_filter(view: FilterView) -> dict[str, Any]:
    """A filter with what it meets."""
    return {
        **_render_head(view),
        "keywords": [render_keyword(one) for one in view.keywords],
        "statuses": [render_filter_status(one) for one in view.statuses],
    }


def render_keyword(view: KeywordView) -> dict[str, Any]:
    """A keyword of a filter."""
    return {"id": str(view.id), "keyword": view.keyword, "whole_word": bool(view.whole_word)}


def render_filter_status(view: FilterStatusView) -> dict[str, Any]:
    """A status in a filter."""
    return {"id": str(view.id), "status_id": str(view.status_id)}


def render_results(matches: Sequence[Match]) -> list[dict[str, Any]]:
    """What a viewer's filters say of a status."""
    return [
        {
            "filter": _render_head(match.filter),
            "keyword_matches": match.keywords or None,
            "status_matches": [str(id_) for id_ in match.status_ids] or None,
        }
        for match in matches
    ]


def render_phrase(view: FilterView, keyword: KeywordView) -> dict[str, Any]:
    """A keyword as a filter of its own."""
    return {
        "id": str(keyword.id),
        "phrase": keyword.keyword,
        "context": Context(view.contexts).words,
        "expires_at": _moment(view),
        "irreversible": view.action == FilterAction.HIDE,
        "whole_word": bool(keyword.whole_word),
    }


def _render_head(view: FilterView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "title": view.title,
        "context": Context(view.contexts).words,
        "expires_at": _moment(view),
        "filter_action": FilterAction(view.action).name.lower(),
    }


def _moment(view: FilterView) -> str | None:
    return None if view.expires_at is None else iso(view.expires_at)
