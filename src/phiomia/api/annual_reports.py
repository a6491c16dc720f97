"""Annual reports: https://docs.joinmastodon.org/methods/annual_reports/. There are none here, and apps are told so."""

from phiomia.api.endpoint import Call, endpoint


@endpoint("GET", "/api/v1/annual_reports", scopes=("read:accounts",), returns="entity:WrappedAnnualReports")
async def annual_reports(call: Call, params: None) -> object:
    """One's own reviews of past years: none."""
    return {"annual_reports": [], "accounts": [], "statuses": []}


@endpoint("GET", "/api/v1/annual_reports/:year/state", scopes=("read:accounts",), returns="entity:AnnualReportState")
async def state(call: Call, params: None) -> object:
    """Whether a review of a year can be made: it cannot."""
    return {"state": "ineligible"}


@endpoint("POST", "/api/v1/annual_reports/:year/generate", scopes=("write:accounts",), returns="empty")
async def generate(call: Call, params: None) -> object:
    """Begins none, as for everybody who is not eligible."""
    return {}
