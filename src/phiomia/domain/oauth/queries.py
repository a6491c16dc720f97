"""Reading apps and tokens."""

import hmac

import msgspec
from sqlalchemy import func, select

from phiomia.domain.oauth.bearers import hash_secret
from phiomia.domain.oauth.models import access_tokens, apps
from phiomia.domain.oauth.scopes import covers, split
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.db.query import column_parameter


class App(msgspec.Struct, frozen=True):
    """A registered app. The order is that of the columns below."""

    id: int
    name: str
    website: str | None
    redirect_uris: str
    scopes: str
    client_id: str
    client_secret: str
    created_at: int

    @property
    def uris(self) -> list[str]:
        """Where codes may be sent to."""
        return self.redirect_uris.split()

    @property
    def scope_names(self) -> list[str]:
        """The scopes it registered for."""
        return split(self.scopes)

    def is_secret(self, secret: str) -> bool:
        """Whether that is the app's secret, in a time that tells nothing."""
        return self.client_secret != "" and hmac.compare_digest(
            self.client_secret.encode(), secret.encode("utf-8", "surrogatepass")
        )


class TokenFacts(msgspec.Struct, frozen=True):
    """What is known about a token, for those who ask about it."""

    id: int
    app_id: int | None
    client_id: str | None
    user_id: int | None
    scopes: str
    created_at: int


class AuthorizedApp(msgspec.Struct, frozen=True):
    """An app that holds tokens of somebody."""

    app_id: int
    name: str
    website: str | None
    scopes: list[str]
    authorized_at: int
    used_at: int | None


_APP = select(
    apps.c.id,
    apps.c.name,
    apps.c.website,
    apps.c.redirect_uris,
    apps.c.scopes,
    apps.c.client_id,
    apps.c.client_secret,
    apps.c.created_at,
)
_BY_ID = Query(_APP.where(apps.c.id == P("id")))
_BY_CLIENT = Query(_APP.where(apps.c.client_id == P("client", str)))
_BY_NAME = Query(
    _APP.where(apps.c.name == P("name", str), apps.c.redirect_uris == P("uris", str))
    .order_by(apps.c.id)
    .limit(P("one"))
)
_TOKEN = Query(
    select(
        access_tokens.c.id,
        apps.c.id,
        apps.c.client_id,
        access_tokens.c.user_id,
        access_tokens.c.scopes,
        access_tokens.c.created_at,
    )
    .select_from(access_tokens.outerjoin(apps, apps.c.id == access_tokens.c.app_id))
    .where(access_tokens.c.token_hash == column_parameter(access_tokens, "token_hash"))
)
_SCOPES = Query(
    select(access_tokens.c.scopes)
    .where(access_tokens.c.user_id == P("user"), access_tokens.c.app_id == P("app"))
    .distinct()
)
_AUTHORIZED = Query(
    select(
        apps.c.id,
        apps.c.name,
        apps.c.website,
        access_tokens.c.scopes,
        func.min(access_tokens.c.created_at),
        func.max(access_tokens.c.last_used_at),
    )
    .select_from(access_tokens.join(apps, apps.c.id == access_tokens.c.app_id))
    .where(access_tokens.c.user_id == P("user"))
    .group_by(apps.c.id, apps.c.name, apps.c.website, access_tokens.c.scopes)
    .order_by(apps.c.id)
)


async def find_app(session: ReadSession, app_id: int) -> App | None:
    """The app with that id."""
    return await session.view(App, _BY_ID, id=app_id)


async def find_client(session: ReadSession, client_id: str) -> App | None:
    """The app with that client id."""
    return await session.view(App, _BY_CLIENT, client=client_id)


async def find_app_by_name(session: ReadSession, name: str, redirect_uris: str) -> App | None:
    """The oldest app with exactly that name and those addresses, for tools that register themselves."""
    return await session.view(App, _BY_NAME, name=name, uris=redirect_uris, one=1)


async def find_token(session: ReadSession, token: str) -> TokenFacts | None:
    """What is known about a token; None for one that does not exist (any more)."""
    return await session.view(TokenFacts, _TOKEN, token_hash=hash_secret(token))


async def has_granted(session: ReadSession, user_id: int, app_id: int, scopes: str) -> bool:
    """Whether one token that the app holds of the user opens everything that is asked for."""
    held = await session.column(_SCOPES, user=user_id, app=app_id)
    return any(covers(each, scopes) for each in held)


async def list_authorized_apps(session: ReadSession, user_id: int) -> list[AuthorizedApp]:
    """The apps that hold tokens of somebody, each once, the oldest first."""
    merged: dict[int, AuthorizedApp] = {}
    for app_id, name, website, scopes, authorized_at, used_at in await session.all(_AUTHORIZED, user=user_id):
        before = merged.get(app_id)
        if before is None:
            merged[app_id] = AuthorizedApp(app_id, name, website, split(scopes), authorized_at, used_at)
            continue
        merged[app_id] = AuthorizedApp(
            app_id,
            name,
            website,
            list(dict.fromkeys([*before.scopes, *split(scopes)])),
            min(before.authorized_at, authorized_at),
            max(filter(None, (before.used_at, used_at)), default=None),
        )
    return list(merged.values())
