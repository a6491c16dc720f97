"""Joining."""

from phiomia.domain.errors import Invalid, Limited
from phiomia.domain.users.sign_up import SignUpForm, draft_sign_up, sign_up
from phiomia.platform.languages import clean_language
from phiomia.web.sign_in import begin_session
from phiomia.web.visit import Visit


async def show_form(visit: Visit) -> None:
    """The form, or why there is none."""
    if visit.session is not None:
        visit.go("/")
        return
    rules = visit.context.config.registrations
    code = visit.query.get("invite_code", "")
    if rules.mode == "closed" and not code:
        text = rules.message or "This server does not take new members at the moment."
        visit.show("message", title="Sign-ups are closed", text=text, link=("/auth/sign_in", "Sign in"))
        return
    _show(visit, SignUpForm(invite_code=code), {})


async def join(visit: Visit) -> None:
    """Creates the account, and says what comes next."""
    context = visit.context
    if context.config.rate_limits.enabled:
        allowance = context.rates.count("sign_up", visit.network, *context.config.rate_limits.sign_in)
        if allowance.exceeded:
            raise Limited("Too many sign-ups from your network. Try again later.")
    form = _read(visit)
    draft = await draft_sign_up(form, context.config.registrations)
    try:
        user_id = await context.db.write(lambda session: sign_up(session, draft))
    except Invalid as error:
        _show(visit, form, error.details or {}, 422)
        return
    if draft.confirmed and draft.approved:
        await begin_session(visit, user_id)
        visit.go("/")
        return
    visit.show("message", title="Welcome", text=_what_next(draft.confirmed, form.email), link=("/", "Home"))


def _what_next(confirmed: bool, email: str) -> str:
    if confirmed:
        return "Your sign-up waits for approval. Somebody will look at it soon."
    return f"We sent a mail to {email}. Follow the link in it to confirm that the address is yours."


def _read(visit: Visit) -> SignUpForm:
    form = visit.form
    return SignUpForm(
        username=form.get("username", ""),
        email=form.get("email", ""),
        password=form.get("password", ""),
        agreement="agreement" in form,
        reason=form.get("reason", ""),
        invite_code=form.get("invite_code", ""),
        locale=_preferred_language(visit),
    )


def _preferred_language(visit: Visit) -> str:
    """The first known language of those that the browser asks for, else the server's."""
    asked = (part.partition(";")[0] for part in (visit.req.get_header("Accept-Language") or "").split(","))
    known = filter(None, map(clean_language, [*asked, *visit.context.config.instance.languages]))
    return next(known, "en")


def _show(visit: Visit, form: SignUpForm, details: dict[str, list[tuple[str, str]]], status: int = 200) -> None:
    faults = {name: many[0][1] for name, many in details.items()}
    approval = visit.context.config.registrations.mode == "approval" and not form.invite_code
    visit.show("sign_up", status, form=form, faults=faults, approval=approval)
