"""Reports: https://docs.joinmastodon.org/methods/reports/"""

from typing import Literal

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.params import Id
from phiomia.domain.collections.queries import find_collections_of
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.report import NewReport, file_report, load_report
from phiomia.domain.moderation.report_category import ReportCategory
from phiomia.entities.report import render_report


class ReportParams(Struct, kw_only=True):
    """Who is reported, and why."""

    account_id: Id
    status_ids: list[Id] = []
    collection_ids: list[Id] = []
    comment: str = ""
    forward: bool = False
    category: Literal["spam", "legal", "violation", "other"] = "other"
    rule_ids: list[Id] | None = None
    forward_to_domains: list[str] = []


@endpoint("POST", "/api/v1/reports", scopes=("write:reports",), returns="entity:Report", rate="reports")
async def report(call: Call, params: ReportParams) -> object:
    """Tells those who run the server of somebody."""
    rules = range(1, len(call.api.config.instance.rules) + 1)
    if any(rule_id not in rules for rule_id in params.rule_ids or ()):
        raise Invalid("Validation failed: Rules does not reference valid rules")
    if params.collection_ids:
        async with call.api.db.read() as session:
            known = await find_collections_of(session, params.account_id, params.collection_ids)
        if known != set(params.collection_ids):
            raise NotFound
    new = NewReport(
        params.account_id,
        ReportCategory[params.category.upper()],
        params.comment,
        params.status_ids,
        params.collection_ids,
        params.rule_ids,
        params.forward_to_domains if params.forward else None,
    )
    report_id = await call.api.db.write(lambda session: file_report(session, call.actor, new))
    async with call.api.db.read() as session:
        view = await load_report(session, report_id)
        target = await call.api.fragments.accounts(session, [view.target_id])
    return render_report(view, target[view.target_id])
