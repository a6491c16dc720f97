"""A new password for those who forgot theirs."""

from phiomia.domain.errors import Invalid
from phiomia.domain.oauth.tokens import revoke_user_tokens
from phiomia.domain.users.jobs import SendPasswordReset
from phiomia.domain.users.links import find_link
from phiomia.domain.users.passwords import check_password, hash_password
from phiomia.domain.users.queries import find_by_email
from phiomia.domain.users.reset_password import reset_by_link
from phiomia.domain.users.sign_in import count_mail
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer
from phiomia.web.visit import Visit


async def show_form(visit: Visit) -> None:
    """Asks for the address, or, for those who come by the link, for the new password."""
    token = visit.query.get("token", "")
    if token:
        async with visit.context.db.read() as session:
            known = await find_link(session, token, "reset")
        if known is None:
            _show(visit, "", "This link is too old, or was used already. Ask for a new one.", 422)
            return
    _show(visit, token)


async def change(visit: Visit) -> None:
    """Sends the mail, or stores the new password."""
    token = visit.form.get("token", "")
    if not token:
        await _send_mail(visit)
        return
    password = visit.form.get("password", "")
    try:
        check_password(password)
    except Invalid as error:
        _show(visit, token, error.details["password"][0][1] if error.details else str(error), 422)
        return
    hashed = await hash_password(password)

    async def write(session: WriteSession) -> None:
        user_id = await reset_by_link(session, token, hashed)
        # Whoever had the old password may have let apps in as well.
        await revoke_user_tokens(session, user_id)

    try:
        await visit.context.db.write(write)
    except Invalid as error:
        _show(visit, "", str(error), 422)
        return
    visit.show(
        "message",
        title="Password changed",
        text="You are signed out everywhere. Sign in with the new password; apps will ask you to let them in again.",
        link=("/auth/sign_in", "Sign in"),
    )


async def _send_mail(visit: Visit) -> None:
    context, email = visit.context, visit.form.get("email", "").strip()
    count_mail(context.rates, context.config.rate_limits, visit.network, email, about="password")

    async def write(session: WriteSession) -> None:
        user = await find_by_email(session, email)
        if user is not None:
            await defer(session, SendPasswordReset(user.id))

    await context.db.write(write)
    visit.show(
        "message",
        title="Look at your mail",
        text="If somebody here has this address, a mail with a link to choose a new password is on its way.",
        link=("/auth/sign_in", "Sign in"),
    )


def _show(visit: Visit, token: str, fault: str = "", status: int = 200) -> None:
    visit.show("password", status, token=token, fault=fault)
