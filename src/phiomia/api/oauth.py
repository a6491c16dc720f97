"""Methods: oauth. What apps ask for themselves; the consent page is in `web/authorize.py`."""

import binascii
from base64 import b64decode

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.oauth.bearers import Bearer
from phiomia.domain.oauth.codes import redeem_code
from phiomia.domain.oauth.queries import App, TokenFacts, find_app, find_client, find_token
from phiomia.domain.oauth.scopes import DEFAULT, SCOPES, covers, split
from phiomia.domain.oauth.tokens import IssuedToken, issue_token, revoke_tokens
from phiomia.entities.account import render_account
from phiomia.platform.db import ReadSession

GRANTS = ("authorization_code", "client_credentials")


class Token(msgspec.Struct, kw_only=True):
    """The entity Token."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 (not a password)
    scope: str
    created_at: int


class TokenParams(msgspec.Struct, kw_only=True):
    """What the token endpoint takes. The client may come in the Authorization header instead."""

    grant_type: str = ""
    code: str = ""
    client_id: str = ""
    client_secret: str = ""
    redirect_uri: str = ""
    code_verifier: str | None = None
    scope: str = ""


class AboutTokenParams(msgspec.Struct, kw_only=True):
    """A token that somebody asks about, or gives back."""

    token: str = ""
    client_id: str = ""
    client_secret: str = ""


@endpoint("POST", "/oauth/token", access="public", returns="entity:Token")
async def make_token(call: Call, params: TokenParams) -> Token:
    """Exchanges a code, or an app's credentials, for a token."""
    _forbid_storing(call)
    if not params.grant_type:
        raise _invalid_request("grant_type")
    if params.grant_type not in GRANTS:
        raise ApiError(400, "unsupported_grant_type", f"The grant types are {' and '.join(GRANTS)}")
    async with call.api.db.read() as session:
        app = await _authenticate(session, call, params.client_id, params.client_secret)
    if app is None:
        raise _invalid_client(call)
    issued = await (_from_code if params.grant_type == GRANTS[0] else _from_credentials)(call, params, app)
    return render_token(issued)


@endpoint("POST", "/oauth/revoke", access="public", returns="empty")
async def revoke(call: Call, params: AboutTokenParams) -> bytes:
    """Gives a token back."""
    async with call.api.db.read() as session:
        token = await find_token(session, params.token)
        app = await _authenticate(session, call, params.client_id, params.client_secret)
    if token is not None:
        # An unknown token is as good as a revoked one, but nobody ends what is not theirs.
        if app is None or app.id != token.app_id:
            raise ApiError(403, "unauthorized_client", "This app may not revoke the token")
        token_id = token.id
        await call.api.db.write(lambda session: revoke_tokens(session, [token_id]))
    return b"{}"


@endpoint("POST", "/oauth/introspect", access="public", returns="any")
async def introspect(call: Call, params: AboutTokenParams) -> dict[str, object]:
    """Tells an app whether a token of its own is good (RFC 7662)."""
    _forbid_storing(call)
    async with call.api.db.read() as session:
        app_id = await _find_asker(session, call, params)
        token = await find_token(session, params.token)
    if token is None or token.app_id != app_id:
        return {"active": False}
    return {
        "active": True,
        "scope": token.scopes,
        "client_id": token.client_id,
        "token_type": "Bearer",
        "exp": None,
        "iat": token.created_at // 1000,
    }


@endpoint("GET", "/oauth/token/info", access="app", returns="any")
async def describe_token(call: Call, params: None) -> dict[str, object]:
    """Facts about the token that is sent along."""
    bearer = _bearer(call)
    async with call.api.db.read() as session:
        app = await find_app(session, bearer.app_id) if bearer.app_id is not None else None
    return {
        "resource_owner_id": None if bearer.user_id is None else str(bearer.user_id),
        "scope": split(bearer.scopes),
        "expires_in": None,
        "application": {"uid": app.client_id if app else None},
        "created_at": bearer.created_at // 1000,
    }


@endpoint("GET", "/oauth/userinfo", scopes=("profile",), returns="entity:UserInfo")
async def get_user_info(call: Call, params: None) -> dict[str, str]:
    """Who has signed in, in the words of OpenID Connect."""
    return await _load_user_info(call)


@endpoint("POST", "/oauth/userinfo", scopes=("profile",), returns="entity:UserInfo")
async def post_user_info(call: Call, params: None) -> dict[str, str]:
    """The same for those who post."""
    return await _load_user_info(call)


@endpoint("GET", "/.well-known/oauth-authorization-server", access="public", returns="entity:OAuthServerMetadata")
async def describe_server(call: Call, params: None) -> dict[str, object]:
    """What this authorization server can do (RFC 8414)."""
    base = call.api.config.base_url
    call.header("Cache-Control", "max-age=3600, public")
    return {
        "issuer": f"{base}/",
        "service_documentation": "https://docs.joinmastodon.org/",
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "app_registration_endpoint": f"{base}/api/v1/apps",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }


def render_token(issued: IssuedToken) -> Token:
    """The entity of a token that was just issued."""
    return Token(access_token=issued.access_token, scope=issued.scopes, created_at=issued.created_at // 1000)


async def _from_code(call: Call, params: TokenParams, app: App) -> IssuedToken:
    for name in ("code", "redirect_uri"):
        if not getattr(params, name):
            raise _invalid_request(name)
    issued = await call.api.db.write(
        lambda session: redeem_code(
            session,
            params.code,
            app_id=app.id,
            redirect_uri=params.redirect_uri,
            verifier=params.code_verifier,
        )
    )
    if issued is None:
        raise ApiError(
            400,
            "invalid_grant",
            "The code is unknown, too old or used, or was issued for another client, redirect URI or verifier",
        )
    return issued


async def _from_credentials(call: Call, params: TokenParams, app: App) -> IssuedToken:
    scopes = " ".join(split(params.scope)) or DEFAULT
    if not covers(app.scopes, scopes):
        raise ApiError(400, "invalid_scope", "The app was not registered for all of these scopes")
    return await call.api.db.write(lambda session: issue_token(session, app_id=app.id, user_id=None, scopes=scopes))


async def _authenticate(session: ReadSession, call: Call, client_id: str, secret: str) -> App | None:
    """The app that proves itself, by Basic authentication or in the form."""
    header = call.req.get_header("Authorization") or ""
    if header[:6].lower() == "basic ":
        client_id, secret = _read_basic(header[6:])
    app = await find_client(session, client_id) if client_id else None
    return app if app is not None and app.is_secret(secret) else None


def _read_basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret


async def _find_asker(session: ReadSession, call: Call, params: AboutTokenParams) -> int | None:
    """The app that asks: by its credentials, or by another token of its own. Raises ApiError 401."""
    kind, _, sent = (call.req.get_header("Authorization") or "").partition(" ")
    if kind.lower() == "bearer":
        asking: TokenFacts | None = await find_token(session, sent.strip())
        if asking is None or sent.strip() == params.token:
            raise ApiError(401, "invalid_token", "The access token is invalid")
        return asking.app_id
    app = await _authenticate(session, call, params.client_id, params.client_secret)
    if app is None:
        raise _invalid_client(call)
    return app.id


async def _load_user_info(call: Call) -> dict[str, str]:
    async with call.api.db.read() as session:
        view = await load_account(session, call.actor)
    account = render_account(view, [], call.api.fragments.links)
    return {
        "iss": f"{call.api.config.base_url}/",
        "sub": account["uri"],
        "name": view.display_name,
        "preferred_username": view.username,
        "profile": account["url"],
        "picture": account["avatar"],
    }


def _bearer(call: Call) -> Bearer:
    assert call.bearer is not None  # the endpoint's access demands a token
    return call.bearer


def _forbid_storing(call: Call) -> None:
    call.header("Cache-Control", "no-store")


def _invalid_request(missing: str) -> ApiError:
    return ApiError(400, "invalid_request", f"The parameter {missing} is missing")


def _invalid_client(call: Call) -> ApiError:
    challenge = {"WWW-Authenticate": 'Basic realm="OAuth"'} if call.req.get_header("Authorization") else {}
    return ApiError(401, "invalid_client", "The client's id or secret is wrong", headers=challenge)
