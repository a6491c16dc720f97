"""The entity Report."""

from typing import Any

import msgspec

from phiomia.domain.moderation.report import ReportView
from phiomia.domain.moderation.report_category import ReportCategory
from phiomia.platform.clock import iso


def render_report(view: ReportView, target: bytes) -> dict[str, Any]:
    """A report; `target` is the rendered account it is about."""
    return {
        "id": str(view.id),
        "action_taken": view.resolved_at is not None,
        "action_taken_at": None if view.resolved_at is None else iso(view.resolved_at),
        "category": ReportCategory(view.category).word,
        "comment": view.comment,
        "forwarded": bool(view.forwarded),
        "created_at": iso(view.created_at),
        "status_ids": [str(id_) for id_ in view.status_ids],
        "collection_ids": [str(id_) for id_ in view.collection_ids],
        "rule_ids": None if view.rule_ids is None else [str(id_) for id_ in view.rule_ids],
        "target_account": msgspec.Raw(target),
    }
