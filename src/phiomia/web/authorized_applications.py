"""The apps that somebody let in, and showing them out."""

from phiomia.domain.oauth.queries import list_authorized_apps
from phiomia.domain.oauth.tokens import revoke_app_tokens
from phiomia.web.sign_in import require_sign_in
from phiomia.web.visit import Refusal, Visit

PATH = "/oauth/authorized_applications"


async def list_apps(visit: Visit) -> None:
    """The list."""
    if visit.session is None:
        require_sign_in(visit, PATH)
        return
    async with visit.context.db.read() as session:
        apps = await list_authorized_apps(session, visit.member.user_id)
    visit.show("authorized_applications", apps=apps)


async def revoke(visit: Visit) -> None:
    """Ends every token that an app holds."""
    if visit.session is None:
        require_sign_in(visit, PATH)
        return
    app_id, user_id = visit.form.get("app_id", ""), visit.member.user_id
    if not (app_id.isascii() and app_id.isdigit() and len(app_id) <= 19):
        raise Refusal(404, "There is no such app.")
    await visit.context.db.write(lambda session: revoke_app_tokens(session, user_id, int(app_id)))
    visit.go(PATH, 303)
