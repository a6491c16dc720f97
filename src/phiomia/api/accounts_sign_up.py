"""Methods: accounts. Signing up through an app."""

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.oauth import Token, render_token
from phiomia.domain.oauth.tokens import IssuedToken, issue_token
from phiomia.domain.users.sign_up import SignUpForm, draft_sign_up, sign_up
from phiomia.platform.db import WriteSession


class SignUpParams(msgspec.Struct, kw_only=True):
    """Nothing is required here, so that one answer names everything that is missing."""

    username: str = ""
    email: str = ""
    password: str = ""
    agreement: bool = False
    locale: str = "en"
    reason: str = ""
    time_zone: str = ""
    invite_code: str = ""


@endpoint("POST", "/api/v1/accounts", scopes=("write:accounts",), access="app", returns="entity:Token", rate="sign_up")
async def create_account(call: Call, params: SignUpParams) -> Token:
    """Signs somebody up; their token works once the address is confirmed and, if need be, the sign-up approved."""
    bearer = call.bearer
    if bearer is None or bearer.user_id is not None:
        raise ApiError(403, "This method requires a token of an app, not of a person")
    form = SignUpForm(**msgspec.structs.asdict(params), app_id=bearer.app_id)
    draft = await draft_sign_up(form, call.api.config.registrations)

    async def write(session: WriteSession) -> IssuedToken:
        user_id = await sign_up(session, draft)
        return await issue_token(session, app_id=bearer.app_id, user_id=user_id, scopes=bearer.scopes)

    return render_token(await call.api.db.write(write))
