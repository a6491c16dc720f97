"""May this app act for you? The page between an app and its token (RFC 6749, section 4.1)."""

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

from phiomia.domain.oauth.apps import OUT_OF_BAND
from phiomia.domain.oauth.codes import CodeDraft, issue_code
from phiomia.domain.oauth.queries import App, find_client, has_granted
from phiomia.domain.oauth.scopes import DEFAULT, covers, split, unknown
from phiomia.web.scope_words import describe_scopes
from phiomia.web.sign_in import require_sign_in
from phiomia.web.visit import Refusal, Visit

MODES = ("query", "fragment", "form_post")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CARRIED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)


class Wish(NamedTuple):
    """What an app asks for, with everything checked."""

    app: App
    redirect_uri: str
    mode: str
    state: str | None
    scopes: str
    challenge: str


class Fault(NamedTuple):
    """Why an app gets nothing, in the words of the standard."""

    error: str
    description: str


async def ask(visit: Visit) -> None:
    """The consent page. It is passed over when the app already holds what it asks for."""
    asked = visit.query
    wish, fault = await _read(visit, asked)
    if fault is not None:
        _send_back(visit, wish, error=fault.error, error_description=fault.description)
        return
    again = asked.get("force_login", "").lower() not in ("", "false", "0", "f", "off")
    if visit.session is None or again:
        # Once signed in, nobody has to sign in a second time.
        kept = {name: value for name, value in asked.items() if name != "force_login"}
        require_sign_in(visit, "/oauth/authorize?" + urlencode(kept), again=again)
        return
    async with visit.context.db.read() as session:
        granted = await has_granted(session, visit.member.user_id, wish.app.id, wish.scopes)
    if granted:
        await _grant(visit, wish)
        return
    visit.show(
        "authorize",
        forms_leave=True,
        app=wish.app,
        scopes=describe_scopes(split(wish.scopes)),
        target=_describe_target(wish.redirect_uri),
        carried=[(name, asked[name]) for name in _CARRIED if name in asked],
        here="/oauth/authorize?" + urlencode(asked),
    )


async def answer(visit: Visit) -> None:
    """What the person decided; the button that refuses sends `_method=delete`."""
    if visit.form.get("_method") == "delete":
        await deny(visit)
        return
    wish, fault = await _read(visit, visit.form)
    if fault is not None:
        _send_back(visit, wish, error=fault.error, error_description=fault.description)
        return
    if visit.session is None:
        carried = {name: visit.form[name] for name in _CARRIED if name in visit.form}
        require_sign_in(visit, "/oauth/authorize?" + urlencode(carried))
        return
    await _grant(visit, wish)


async def deny(visit: Visit) -> None:
    """Tells the app that the person said no."""
    wish, _ = await _read(visit, visit.form)
    _send_back(visit, wish, error="access_denied", error_description="The person said no")


async def show_code(visit: Visit) -> None:
    """Shows the code to those who carry it to the app themselves."""
    visit.show("native", code=visit.query.get("code", ""))


async def _grant(visit: Visit, wish: Wish) -> None:
    draft = CodeDraft(wish.app.id, visit.member.user_id, wish.redirect_uri, wish.scopes, wish.challenge)
    code = await visit.context.db.write(lambda session: issue_code(session, draft))
    _send_back(visit, wish, code=code)


async def _read(visit: Visit, asked: dict[str, str]) -> tuple[Wish, Fault | None]:
    """The wish, and what is wrong with it.

    Raises Refusal while it is not certain that the app may be sent anything: an unknown app, a foreign address.
    """
    async with visit.context.db.read() as session:
        app = await find_client(session, asked.get("client_id", ""))
    if app is None:
        raise Refusal(400, "The app that sent you here is not known to this server. Its registration may have ended.")
    redirect_uri = asked.get("redirect_uri", "")
    if redirect_uri not in app.uris:
        raise Refusal(400, "The app that sent you here wants you to go on to an address that it has not registered.")
    scopes = " ".join(dict.fromkeys(split(asked.get("scope", "")))) or DEFAULT
    mode = asked.get("response_mode", MODES[0])
    wish = Wish(
        app,
        redirect_uri,
        mode if mode in MODES else MODES[0],
        asked.get("state"),
        scopes,
        asked.get("code_challenge", ""),
    )
    return wish, _find_fault(wish, asked)


def _find_fault(wish: Wish, asked: dict[str, str]) -> Fault | None:
    if "response_type" not in asked:
        return Fault("invalid_request", "The parameter response_type is missing")
    if asked["response_type"] != "code":
        return Fault("unsupported_response_type", "The only response type is code")
    if asked.get("response_mode", MODES[0]) not in MODES:
        return Fault("unsupported_response_mode", f"The response modes are {', '.join(MODES)}")
    if unknown(split(wish.scopes)) or not covers(wish.app.scopes, wish.scopes):
        return Fault("invalid_scope", "The app was not registered for all of these scopes")
    method = asked.get("code_challenge_method", "")
    if wish.challenge and method != "S256":
        return Fault("invalid_request", "The only code_challenge_method is S256")
    if (wish.challenge or method) and not _CHALLENGE.fullmatch(wish.challenge):
        return Fault("invalid_request", "The code_challenge is not that of a SHA-256")
    return None


def _send_back(visit: Visit, wish: Wish, **said: str) -> None:
    """Brings the answer to the app, in the way it asked for."""
    if wish.redirect_uri == OUT_OF_BAND:
        _send_out_of_band(visit, said)
        return
    if wish.state is not None:
        said["state"] = wish.state
    if wish.mode == "form_post":
        visit.show("form_post", forms_leave=True, app=wish.app, action=wish.redirect_uri, fields=list(said.items()))
        return
    visit.go(extend_uri(wish.redirect_uri, said, fragment=wish.mode == "fragment"))


def _send_out_of_band(visit: Visit, said: dict[str, str]) -> None:
    if "code" in said:
        visit.go("/oauth/authorize/native?" + urlencode({"code": said["code"]}))
        return
    raise Refusal(403 if said["error"] == "access_denied" else 400, f"{said['error_description']}.")


def extend_uri(uri: str, said: dict[str, str], *, fragment: bool) -> str:
    """The address with what is said to the app, behind `?` beside what stands there already, or behind `#`."""
    words = urlencode(said)
    if fragment:
        return f"{uri}#{words}"
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return urlunsplit(parts._replace(query=f"{parts.query}&{words}" if parts.query else words))
    # Taking apart and putting together may lose the slashes of a private scheme.
    return f"{uri}{'&' if '?' in uri else '?'}{words}"


def _describe_target(uri: str) -> str:
    parts = urlsplit(uri)
    if uri == OUT_OF_BAND:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else f"an app on this device ({parts.scheme}:)"
