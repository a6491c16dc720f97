"""Confirming an address: https://docs.joinmastodon.org/methods/emails/"""

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.users.change_email import request_email_change
from phiomia.domain.users.jobs import SendConfirmation, SendEmailChange
from phiomia.domain.users.queries import find_new_email, load_user
from phiomia.domain.users.sign_in import count_mail
from phiomia.platform.addresses import network_of
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer


class ConfirmationParams(msgspec.Struct, kw_only=True):
    """Another address, if the first one was wrong."""

    email: str | None = None


@endpoint(
    "GET",
    "/api/v1/emails/check_confirmation",
    scopes=("read:accounts",),
    returns="boolean",
    unconfirmed=True,
)
async def check_confirmation(call: Call, params: None) -> object:
    """Whether the member has confirmed their address."""
    assert call.bearer is not None
    async with call.api.db.read() as session:
        # What is kept of the token may be some seconds old, and apps wait for this.
        return (await load_user(session, call.bearer.user_id or 0)).confirmed_at is not None


@endpoint("POST", "/api/v1/emails/confirmations", scopes=("write:accounts",), returns="empty", unconfirmed=True)
async def confirm_again(call: Call, params: ConfirmationParams) -> object:
    """Sends the mail again, to another address if one is named."""
    assert call.bearer is not None
    user_id, app_id = call.bearer.user_id or 0, call.bearer.app_id
    async with call.api.db.read() as session:
        user = await load_user(session, user_id)
        changing = await find_new_email(session, user_id)
    if app_id is None or app_id != user.created_by_app_id:
        raise ApiError(403, "This method is only available to the application the user originally signed-up with")
    if user.confirmed_at is not None and not changing:
        raise ApiError(403, "This method is only available while the e-mail is awaiting confirmation")
    limits, address = call.api.config.rate_limits, network_of(call.address)
    count_mail(call.api.rates, limits, address, user.email, about="confirmation")

    async def send(session: WriteSession) -> None:
        if params.email:
            await request_email_change(session, user_id, params.email.strip())
        else:
            await defer(session, SendEmailChange(user_id) if changing else SendConfirmation(user_id))

    await call.api.db.write(send)
    return {}
