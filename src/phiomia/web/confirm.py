"""Confirming an e-mail address, and asking for the mail again."""

from phiomia.domain.errors import Invalid
from phiomia.domain.users.confirm import confirm_by_link
from phiomia.domain.users.jobs import SendConfirmation
from phiomia.domain.users.queries import find_by_email
from phiomia.domain.users.sign_in import count_mail
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer
from phiomia.web.visit import Visit


async def show_form(visit: Visit) -> None:
    """A button for those who come by the link: programs that look at mails open links, but press nothing."""
    visit.show("confirm", token=visit.query.get("token", ""), fault="")


async def confirm(visit: Visit) -> None:
    """Confirms the address of a link, or sends another one."""
    token = visit.form.get("token", "")
    if not token:
        await _send_again(visit)
        return
    try:
        await visit.context.db.write(lambda session: confirm_by_link(session, token))
    except Invalid as error:
        visit.show("confirm", 422, token="", fault=str(error))
        return
    visit.show("message", title="Confirmed", text="The address is yours.", link=("/auth/sign_in", "Sign in"))


async def _send_again(visit: Visit) -> None:
    context, email = visit.context, visit.form.get("email", "").strip()
    count_mail(context.rates, context.config.rate_limits, visit.network, email, about="confirmation")

    async def write(session: WriteSession) -> None:
        user = await find_by_email(session, email)
        if user is not None and user.confirmed_at is None:
            await defer(session, SendConfirmation(user.id))

    await context.db.write(write)
    visit.show(
        "message",
        title="Look at your mail",
        text="If this address waits for confirmation, a mail with a new link is on its way.",
        link=("/auth/sign_in", "Sign in"),
    )
