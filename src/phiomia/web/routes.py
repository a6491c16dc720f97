"""Which page is where."""

import re
from typing import Any, Final

import falcon
import falcon.asgi

from phiomia.domain.errors import NotFound
from phiomia.web import (
    authorize,
    authorized_applications,
    collection,
    confirm,
    home,
    interact,
    mails,
    password,
    profile,
    settings,
    sign_in,
    sign_up,
    status,
    tag,
    texts,
)
from phiomia.web.assets import OneStatic, Static
from phiomia.web.context import WebContext
from phiomia.web.visit import Visit, page

# What programs ask for says so in JSON, with addresses of its own.
_FOR_PEOPLE: Final = re.compile(r"/(?!api/|media/)")


def mount(app: "falcon.asgi.App[Any, Any]", context: WebContext) -> None:
    """Adds every page to the Falcon app."""
    app.add_route("/", page(context, get=home.show_home))
    app.add_route("/about", page(context, get=home.show_about))
    app.add_route("/@{username}", page(context, get=profile.show_profile))
    app.add_route("/@{username}/{status_id}", page(context, get=status.show_status))
    app.add_route("/@{username}/tagged/{name}", page(context, get=tag.show_tag_of_member))
    app.add_route("/tags/{name}", page(context, get=tag.show_tag))
    app.add_route("/users/{username}", page(context, get=profile.go_to_profile))
    app.add_route("/users/{username}/statuses/{status_id}", page(context, get=status.go_to_status))
    app.add_route("/collections/{collection_id}", page(context, get=collection.show_collection))
    app.add_route("/users/{username}/collections/{collection_id}", page(context, get=collection.go_to_collection))
    app.add_route("/auth/sign_in", page(context, get=sign_in.show_form, post=sign_in.sign_in))
    app.add_route("/auth/sign_out", page(context, get=sign_in.ask_sign_out, post=sign_in.sign_out))
    app.add_route("/auth/sign_up", page(context, get=sign_up.show_form, post=sign_up.join))
    app.add_route("/auth/confirm", page(context, get=confirm.show_form, post=confirm.confirm))
    app.add_route("/auth/password", page(context, get=password.show_form, post=password.change))
    app.add_route(
        "/oauth/authorize",
        page(context, get=authorize.ask, post=authorize.answer, delete=authorize.deny),
    )
    app.add_route("/oauth/authorize/native", page(context, get=authorize.show_code))
    app.add_route(
        "/oauth/authorized_applications",
        page(context, get=authorized_applications.list_apps, post=authorized_applications.revoke),
    )
    app.add_route(mails.PATH, page(context, get=mails.show_choice, post=mails.choose))
    app.add_route("/unsubscribe", page(context, get=mails.ask_to_stop, post=mails.stop))
    app.add_route("/unsubscribe/now", mails.OneClick(context))
    app.add_route("/privacy-policy", page(context, get=texts.show_privacy))
    app.add_route("/terms-of-service", page(context, get=texts.show_terms))
    app.add_route("/terms-of-service/{date}", page(context, get=texts.show_terms))
    app.add_route(settings.SETTINGS, page(context, get=settings.show_settings))
    app.add_route(settings.EMAIL, page(context, get=settings.show_email, post=settings.change_email))
    app.add_route(settings.READING, page(context, get=settings.show_languages, post=settings.change_languages))
    app.add_route(interact.PATH, page(context, get=interact.ask, post=interact.act))
    app.add_route("/static/{name}", Static())
    app.add_route("/avatars/original/missing.png", OneStatic("avatar.png"))
    app.add_route("/headers/original/missing.png", OneStatic("header.png"))
    app.add_sink(_nothing_here(context), _FOR_PEOPLE)


def _nothing_here(context: WebContext) -> Any:
    """Answers at addresses that nothing has: with a page to a browser, plainly to a program."""

    async def find_nothing(_visit: Visit) -> None:
        raise NotFound

    shown: Any = page(context, get=find_nothing)

    async def answer(req: falcon.asgi.Request, resp: falcon.asgi.Response | None) -> None:
        if resp is None:  # a WebSocket
            return
        if req.method not in ("GET", "HEAD") or "text/html" not in (req.get_header("Accept") or ""):
            raise falcon.HTTPNotFound
        await shown.on_get(req, resp)

    return answer
