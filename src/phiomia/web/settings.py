"""What members choose here and not in their apps: the address, the languages they read."""

from typing import Final

from phiomia.domain.errors import Invalid
from phiomia.domain.oauth.tokens import forget_user_tokens
from phiomia.domain.users.change_email import request_email_change
from phiomia.domain.users.passwords import verify_password
from phiomia.domain.users.preferences import choose_languages, load_preferences
from phiomia.domain.users.queries import find_credentials, find_new_email, load_user
from phiomia.domain.users.sign_in import count_mail, count_sign_in
from phiomia.platform.db import WriteSession
from phiomia.platform.languages import LANGUAGES
from phiomia.web.sign_in import require_sign_in
from phiomia.web.visit import Visit

SETTINGS: Final = "/settings"
EMAIL: Final = "/settings/email"
READING: Final = "/settings/languages"


async def show_settings(visit: Visit) -> None:
    """Where what is."""
    if visit.session is None:
        require_sign_in(visit, SETTINGS)
        return
    visit.show("settings")


async def show_email(visit: Visit) -> None:
    """The address, and a form for another one."""
    if visit.session is None:
        require_sign_in(visit, EMAIL)
        return
    await _show_email(visit)


async def change_email(visit: Visit) -> None:
    """Sends a link to another address, for those who know the password."""
    if visit.session is None:
        require_sign_in(visit, EMAIL)
        return
    context, user_id, wanted = visit.context, visit.member.user_id, visit.form.get("email", "").strip()
    async with context.db.read() as session:
        user = await load_user(session, user_id)
        known = await find_credentials(session, user.email)
    count_sign_in(context.rates, context.config.rate_limits, visit.network, user.email)
    verdict = await verify_password(known.password_hash if known else None, visit.form.get("password", ""))
    if not verdict.right:
        await _show_email(visit, wanted, refused=True, status=422)
        return
    count_mail(context.rates, context.config.rate_limits, visit.network, user.email, about="confirmation")
    try:
        await context.db.write(lambda session: request_email_change(session, user_id, wanted))
    except Invalid as error:
        fault = error.details["email"][0][1] if error.details else str(error)
        await _show_email(visit, wanted, email_fault=fault, status=422)
        return
    visit.show(
        "message",
        title="Look at your mail",
        text=f"A link is on its way to {wanted}. Until you follow it, your former address stays in use.",
        link=(SETTINGS, "Settings"),
    )


async def show_languages(visit: Visit) -> None:
    """The languages in which public timelines are read."""
    if visit.session is None:
        require_sign_in(visit, READING)
        return
    async with visit.context.db.read() as session:
        chosen = (await load_preferences(session, visit.member.account_id)).reading.chosen_languages
    choices = [(code, own, name, code in chosen) for code, (name, own) in LANGUAGES.items()]
    visit.show("languages", choices=choices, saved="saved" in visit.query)


async def change_languages(visit: Visit) -> None:
    """Keeps the choice; none means all of them."""
    if visit.session is None:
        require_sign_in(visit, READING)
        return
    member, chosen = visit.member, [code for code in LANGUAGES if code in visit.form]

    async def keep(session: WriteSession) -> None:
        await choose_languages(session, member.account_id, chosen)
        # Timelines learn of it by the token.
        await forget_user_tokens(session, member.user_id)

    await visit.context.db.write(keep)
    visit.go(f"{READING}?saved=1", 303)


async def _show_email(
    visit: Visit, wanted: str = "", *, email_fault: str = "", refused: bool = False, status: int = 200
) -> None:
    async with visit.context.db.read() as session:
        user = await load_user(session, visit.member.user_id)
        waiting = await find_new_email(session, visit.member.user_id)
    visit.show(
        "email",
        status,
        email=user.email,
        waiting=waiting,
        wanted=wanted,
        email_fault=email_fault,
        refused=refused,
    )
