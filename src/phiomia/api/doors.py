"""Ways in that other programs know: invitations, changing a password, showing something of another server here."""

from urllib.parse import quote

import falcon
from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.users.invites import find_invite
from phiomia.platform.clock import now_ms


class ProxyParams(Struct, kw_only=True):
    """What shall be shown."""

    uri: str = ""


@endpoint("GET", "/invite/:invite_code", access="public", returns="entity:Invite")
async def invitation(call: Call, params: None) -> object:
    """Whether one may join with a code; browsers are led to the form."""
    code = call.path["invite_code"]
    async with call.api.db.read() as session:
        view = await find_invite(session, code)
    if not call.req.client_accepts_json or "text/html" in (call.req.get_header("Accept") or ""):
        _lead_to(call, f"/auth/sign_up?invite_code={quote(code)}")
        return None
    if view is None:
        raise ApiError(404, "Record not found")
    if not view.holds(now_ms()):
        raise ApiError(401, "This invitation is not valid any more")
    return {"invite_code": view.code, "instance_api_url": f"{call.api.base_url}/api/v2/instance"}


@endpoint("GET", "/.well-known/change-password", access="public", returns="redirect")
async def change_password(call: Call, params: None) -> None:
    """Where a member changes the password."""
    _lead_to(call, "/auth/password")


@endpoint("GET", "/.well-known/proxy", access="public", returns="redirect")
async def proxy(call: Call, params: ProxyParams) -> None:
    """Where a member sees something of another server as part of this one."""
    _lead_to(call, f"/authorize_interaction?uri={quote(params.uri, safe='')}")


def _lead_to(call: Call, path: str) -> None:
    call.resp.status = falcon.HTTP_302
    call.header("Location", f"{call.api.base_url}{path}")
