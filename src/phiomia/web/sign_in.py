"""Signing in and out."""

from urllib.parse import urlencode

from phiomia.domain.errors import Invalid, NotAllowed
from phiomia.domain.users.sessions import close_session, open_session
from phiomia.domain.users.sign_in import Unconfirmed, authenticate, count_sign_in
from phiomia.web.visit import Visit, local_path


async def show_form(visit: Visit) -> None:
    """The form; who is signed in already goes on at once."""
    return_to = local_path(visit.query.get("return_to", "/"))
    if visit.session is not None and "again" not in visit.query:
        visit.go(return_to)
        return
    _show(visit, return_to)


async def sign_in(visit: Visit) -> None:
    """Judges address and password, and begins a session."""
    return_to, email = local_path(visit.form.get("return_to", "/")), visit.form.get("email", "").strip()
    context = visit.context
    count_sign_in(context.rates, context.config.rate_limits, visit.network, email)
    try:
        user_id = await authenticate(context.db, email, visit.form.get("password", ""))
    except (Invalid, NotAllowed) as error:
        status = 422 if isinstance(error, Invalid) else 403
        _show(visit, return_to, status, email=email, fault=str(error), unconfirmed=isinstance(error, Unconfirmed))
        return
    await begin_session(visit, user_id)
    visit.go(return_to)


async def begin_session(visit: Visit, user_id: int) -> None:
    """Opens a session and sets its cookie; one that was open in this browser ends."""
    agent, address, before = visit.req.user_agent or "", visit.address, visit.session
    secret = await visit.context.db.write(lambda session: open_session(session, user_id, user_agent=agent, ip=address))
    if before is not None:
        await visit.context.db.write(lambda session: close_session(session, before.session_id))
    visit.begin(secret)


async def ask_sign_out(visit: Visit) -> None:
    """The question whether to sign out, for those who come by a link."""
    if visit.session is None:
        visit.go("/")
        return
    visit.show("sign_out")


async def sign_out(visit: Visit) -> None:
    """Ends the session."""
    if visit.session is not None:
        session_id = visit.session.session_id
        await visit.context.db.write(lambda session: close_session(session, session_id))
    visit.end()
    visit.go("/")


def require_sign_in(visit: Visit, return_to: str, *, again: bool = False) -> None:
    """Sends somebody to the form and back here afterwards."""
    visit.go("/auth/sign_in?" + urlencode({"return_to": return_to, **({"again": "1"} if again else {})}))


def _show(
    visit: Visit, return_to: str, status: int = 200, *, email: str = "", fault: str = "", unconfirmed: bool = False
) -> None:
    visit.show(
        "sign_in",
        status,
        # From here the way may lead through the consent page to an app, without another click.
        forms_leave=return_to.startswith("/oauth/authorize"),
        return_to=return_to,
        email=email,
        fault=fault,
        unconfirmed=unconfirmed,
        open_to_all=visit.context.config.registrations.mode != "closed",
    )
