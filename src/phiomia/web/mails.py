"""Which mails a member gets: the choice, and the way out that stands in each of them."""

from typing import Final

import falcon.asgi

from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.users.mail_alerts import FOR_STAFF, choose_mail_alerts, load_mail_alerts, stop_mail_alerts
from phiomia.domain.users.unsubscribe import Ending, read_ending
from phiomia.platform.db import WriteSession
from phiomia.web.context import WebContext
from phiomia.web.sign_in import require_sign_in
from phiomia.web.visit import Refusal, Visit

PATH: Final = "/settings/mails"
_WORDS: Final = {
    "mention": "Somebody mentions me",
    "follow": "Somebody follows me",
    "follow_request": "Somebody asks to follow me",
    "favourite": "Somebody favourites a post of mine",
    "reblog": "Somebody boosts a post of mine",
    "admin.report": "Somebody is reported",
    "admin.sign_up": "Somebody joins",
}
_UNKNOWN = "This address is not complete. Follow the link in the mail, or choose your mails in the settings."


async def show_choice(visit: Visit) -> None:
    """The choice."""
    if visit.session is None:
        require_sign_in(visit, PATH)
        return
    async with visit.context.db.read() as session:
        chosen = await load_mail_alerts(session, visit.member.user_id)
    choices = [(type_, _WORDS[type_], chosen[type_]) for type_ in _offered(visit)]
    visit.show("mails", choices=choices, saved="saved" in visit.query)


async def choose(visit: Visit) -> None:
    """Keeps the choice."""
    if visit.session is None:
        require_sign_in(visit, PATH)
        return
    user_id, offered = visit.member.user_id, _offered(visit)

    async def keep(session: WriteSession) -> None:
        # What was not asked about stays as it is.
        before = await load_mail_alerts(session, user_id)
        wanted = [type_ for type_, on in before.items() if (type_ in visit.form if type_ in offered else on)]
        await choose_mail_alerts(session, user_id, wanted)

    await visit.context.db.write(keep)
    visit.go(f"{PATH}?saved=1", 303)


def _offered(visit: Visit) -> list[str]:
    return [type_ for type_ in _WORDS if visit.member.role or type_ not in FOR_STAFF]


async def ask_to_stop(visit: Visit) -> None:
    """A button for those who come by the link: programs that look at mails open links, but press nothing."""
    ending = await _read(visit.context, visit.query.get("token", ""))
    if ending is None:
        raise Refusal(404, _UNKNOWN)
    visit.show("unsubscribe", token=visit.query["token"], words=_WORDS[ending.type])


async def stop(visit: Visit) -> None:
    """Ends mails of a kind."""
    ending = await _read(visit.context, visit.form.get("token", ""))
    if ending is None:
        raise Refusal(404, _UNKNOWN)
    await visit.context.db.write(lambda session: stop_mail_alerts(session, ending.user_id, ending.type))
    visit.show("message", title="Done", text="You get no more mails of this kind.", link=(PATH, "All my mails"))


class OneClick:
    """What mail programs send when somebody presses their button. The address is the proof: no cookie comes along."""

    def __init__(self, context: WebContext) -> None:
        self._context = context

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Those who open it in a browser are asked first."""
        resp.status = 302
        resp.set_header("Location", f"/unsubscribe?{req.query_string}")

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Ends mails of the kind."""
        ending = await _read(self._context, req.get_param("token") or "")
        if ending is None:
            resp.status = 404
            return
        await self._context.db.write(lambda session: stop_mail_alerts(session, ending.user_id, ending.type))
        resp.status = 204


async def _read(context: WebContext, token: str) -> Ending | None:
    return read_ending(await load_vapid_key(context.db), token)
