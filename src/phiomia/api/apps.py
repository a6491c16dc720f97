"""Methods: apps. How a client makes itself known."""

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.instance import vapid_public_key
from phiomia.domain.oauth.apps import draft_app, register_app
from phiomia.domain.oauth.queries import App, find_app


class AppParams(msgspec.Struct, kw_only=True):
    """`redirect_uris` is a list, or text with one in each line."""

    client_name: str = ""
    redirect_uris: str | list[str] = ""
    scopes: str | None = None
    website: str | None = None


class Application(msgspec.Struct, kw_only=True):
    """The entity Application."""

    id: str
    name: str
    website: str | None
    scopes: list[str]
    redirect_uris: list[str]
    redirect_uri: str
    vapid_key: str


class CredentialApplication(Application, kw_only=True):
    """The entity CredentialApplication, shown once."""

    client_id: str
    client_secret: str
    client_secret_expires_at: int = 0


@endpoint("POST", "/api/v1/apps", access="public", returns="entity:CredentialApplication", rate="apps")
async def create_app(call: Call, params: AppParams) -> CredentialApplication:
    """Registers a client."""
    uris = params.redirect_uris if isinstance(params.redirect_uris, list) else [params.redirect_uris]
    draft = draft_app(params.client_name, uris, params.scopes or "", params.website)
    app = await call.api.db.write(lambda session: register_app(session, draft))
    return CredentialApplication(
        **msgspec.structs.asdict(await _render(call, app)), client_id=app.client_id, client_secret=app.client_secret
    )


@endpoint("GET", "/api/v1/apps/verify_credentials", access="app", returns="entity:Application")
async def verify_app(call: Call, params: None) -> Application:
    """The client behind a token."""
    app_id = call.bearer.app_id if call.bearer else None
    async with call.api.db.read() as session:
        app = await find_app(session, app_id) if app_id is not None else None
    if app is None:
        raise ApiError(401, "The access token was not issued to an app")
    return await _render(call, app)


async def _render(call: Call, app: App) -> Application:
    return Application(
        id=str(app.id),
        name=app.name,
        website=app.website,
        scopes=app.scope_names,
        redirect_uris=app.uris,
        redirect_uri="\n".join(app.uris),
        vapid_key=await _vapid_key(call),
    )


async def _vapid_key(call: Call) -> str:
    known: str | None = call.api.answers.get("vapid_key")
    if known is None:
        known = call.api.answers["vapid_key"] = await vapid_public_key(call)
    return known
