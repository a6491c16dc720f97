"""Apps, codes, tokens, and signing up through an app."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any, NamedTuple

import msgspec

from phiomia.domain.oauth.bearers import TOPIC, Bearers
from phiomia.domain.oauth.codes import CodeDraft, challenge_of, issue_code
from phiomia.domain.oauth.tokens import look_again_at_user
from phiomia.domain.users.roles import Role, set_role
from phiomia.platform.db import WriteSession
from phiomia.platform.events import read_stream
from phiomia.platform.settings import RateLimits, Registrations
from world import Account, Answer, World, story

OOB = "urn:ietf:wg:oauth:2.0:oob"
CALLBACK = "https://client.example/callback"
VERIFIER = "a-verifier-that-is-long-enough-for-the-standard"


class App(NamedTuple):
    """A registered client."""

    id: int
    client_id: str
    client_secret: str

    @property
    def credentials(self) -> dict[str, str]:
        """As they stand in a form."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    @property
    def basic(self) -> dict[str, str]:
        """As they stand in a header."""
        return {"Authorization": f"Basic {b64encode(f'{self.client_id}:{self.client_secret}'.encode()).decode()}"}


async def register(world: World, scopes: str = "read write", **more: Any) -> App:
    form = {"client_name": "Client", "redirect_uris": f"{CALLBACK}\n{OOB}", "scopes": scopes, **more}
    made = await world.client.check("POST /api/v1/apps", json=form)
    return App(int(made["id"]), made["client_id"], made["client_secret"])


async def make_code(world: World, app: App, who: Account, scopes: str = "read", challenge: str = "") -> str:
    draft = CodeDraft(app.id, who.user_id, CALLBACK, scopes, challenge)
    code: str = await world.write(lambda session: issue_code(session, draft))
    return code


async def redeem(world: World, app: App, code: str, /, **more: Any) -> Answer:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **app.credentials, **more}
    return await world.client.post("/oauth/token", form=form)


async def app_token(world: World, app: App, scope: str = "read") -> str:
    form = {"grant_type": "client_credentials", "scope": scope, **app.credentials}
    token: str = (await world.client.check("POST /oauth/token", form=form))["access_token"]
    return token


def assert_refused(answer: Answer, status: int, error: str) -> None:
    assert (answer.status, answer.json["error"]) == (status, error), answer.body


# Apps


@story("apps")
async def test_an_app_registers_with_a_list_or_lines_of_addresses(world: World) -> None:
    for uris in ([CALLBACK, OOB], f"{CALLBACK}\n{OOB}"):
        made = await world.client.check(
            "POST /api/v1/apps",
            json={"client_name": " Client ", "redirect_uris": uris, "website": "https://client.example"},
        )
        assert made["redirect_uris"] == [CALLBACK, OOB]
        assert made["redirect_uri"] == f"{CALLBACK}\n{OOB}"
        assert (made["name"], made["scopes"], made["client_secret_expires_at"]) == ("Client", ["read"], 0)
        assert len(made["client_id"]) == len(made["client_secret"]) == 43


@story("apps")
async def test_forms_may_send_one_address_or_many(world: World) -> None:
    for form in ({"redirect_uris": OOB}, {"redirect_uris": [OOB]}):
        made = await world.client.check("POST /api/v1/apps", form={"client_name": "Client", **form})
        assert made["redirect_uris"] == [OOB]


@story("apps")
async def test_custom_schemes_are_addresses_too(world: World) -> None:
    for uri in ("tusky://keyworks.example/", "app.example:/oauth", "http://127.0.0.1:1234/cb", "icecubes:oauth"):
        made = await world.client.check("POST /api/v1/apps", json={"client_name": "Client", "redirect_uris": uri})
        assert made["redirect_uris"] == [uri]


@story("apps")
async def test_an_app_that_makes_no_sense_is_refused(world: World) -> None:
    good = {"client_name": "Client", "redirect_uris": OOB}
    cases = {
        "client_name": ["", "x" * 61],
        "redirect_uris": [
            "",
            "/relative",
            "javascript:alert(1)",
            "DATA:text/html,x",
            "vbscript:x",
            f"{CALLBACK}#fragment",
            "https://",
            f"{OOB} javascript:alert(1)",
            f"https://client.example/{'x' * 2000}",
        ],
        "scopes": ["read everything", "admin"],
        "website": ["javascript:alert(1)", "no address", f"https://client.example/{'x' * 2000}"],
    }
    for field, values in cases.items():
        for value in values:
            answer = await world.client.post("/api/v1/apps", json={**good, field: value})
            assert answer.status == 422, (field, value, answer.body)
            assert list(answer.json["details"]) == [field]


@story("apps", rate_limits=RateLimits(apps=(2, 600)))
async def test_registrations_are_limited(world: World) -> None:
    statuses = [
        (await world.client.post("/api/v1/apps", json={"client_name": "C", "redirect_uris": OOB})).status
        for _ in range(3)
    ]
    assert statuses == [200, 200, 429]


@story("apps", "oauth")
async def test_an_app_sees_itself(world: World) -> None:
    app = await register(world)
    shown = await world.client.check("GET /api/v1/apps/verify_credentials", await app_token(world, app))
    assert (shown["id"], shown["name"]) == (str(app.id), "Client")
    assert "client_secret" not in shown
    assert (await world.client.get("/api/v1/apps/verify_credentials")).status == 401


# The token endpoint


@story("apps", "oauth")
async def test_a_code_becomes_a_token_that_works(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    answer = await redeem(world, app, await make_code(world, app, alice, "read profile"))
    token = answer.json
    assert answer.status == 200
    assert (token["token_type"], token["scope"], len(token["access_token"])) == ("Bearer", "read profile", 43)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    info = await world.client.check("GET /oauth/userinfo", token["access_token"])
    assert info["preferred_username"] == "alice"


@story("apps", "oauth")
async def test_the_client_may_come_in_the_header_and_the_form_as_json(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    code = await make_code(world, app, alice)
    answer = await world.client.post("/oauth/token", headers=app.basic, form={**form, "code": code})
    assert answer.status == 200
    code = await make_code(world, app, alice)
    answer = await world.client.post("/oauth/token", json={**form, **app.credentials, "code": code})
    assert answer.status == 200


@story("apps", "oauth")
async def test_a_code_that_comes_twice_takes_its_token_away(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    code = await make_code(world, app, alice, "read")
    token = (await redeem(world, app, code)).json["access_token"]
    assert (await world.client.get("/oauth/token/info", token)).status == 200
    assert_refused(await redeem(world, app, code), 400, "invalid_grant")
    await asyncio.sleep(0)
    assert (await world.client.get("/oauth/token/info", token)).status == 401
    assert_refused(await redeem(world, app, code), 400, "invalid_grant")


@story("apps", "oauth")
async def test_of_many_redemptions_at_once_none_leaves_a_second_token(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    code = await make_code(world, app, alice)
    answers = await asyncio.gather(*(redeem(world, app, code) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]
    assert await world.value("SELECT count(*) FROM access_tokens WHERE app_id = :app", app=app.id) == 0


@story("apps", "oauth")
async def test_a_code_is_good_for_its_own_exchange_only(world: World) -> None:
    app, other, alice = await register(world), await register(world), await world.account("alice")
    code = await make_code(world, app, alice)
    for wrong in (
        {"redirect_uri": OOB},
        {"redirect_uri": f"{CALLBACK}/"},
        {"code": "unknown"},
        {"code_verifier": VERIFIER},
        other.credentials,
    ):
        assert_refused(await redeem(world, app, code, **wrong), 400, "invalid_grant")
    assert (await redeem(world, app, code)).status == 200


@story("apps", "oauth")
async def test_pkce(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    code = await make_code(world, app, alice, challenge=challenge_of(VERIFIER))
    assert_refused(await redeem(world, app, code), 400, "invalid_grant")
    assert_refused(await redeem(world, app, code, code_verifier="another"), 400, "invalid_grant")
    assert_refused(await redeem(world, app, code, code_verifier=challenge_of(VERIFIER)), 400, "invalid_grant")
    assert (await redeem(world, app, code, code_verifier=VERIFIER)).status == 200


def test_the_challenge_is_that_of_the_standard() -> None:
    # The example in appendix B of RFC 7636.
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@story("apps", "oauth")
async def test_a_code_lasts_ten_minutes(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    code = await make_code(world, app, alice)
    await world.execute("UPDATE authorization_codes SET created_at = created_at - 601000")
    assert_refused(await redeem(world, app, code), 400, "invalid_grant")


@story("apps", "oauth")
async def test_bad_requests_are_told_in_the_words_of_the_standard(world: World) -> None:
    app = await register(world)
    post = world.client.post
    credentials = {"grant_type": "client_credentials", **app.credentials}
    assert_refused(await post("/oauth/token", form=app.credentials), 400, "invalid_request")
    for grant in ("password", "refresh_token", "implicit"):
        form = {**credentials, "grant_type": grant}
        assert_refused(await post("/oauth/token", form=form), 400, "unsupported_grant_type")
    assert_refused(await post("/oauth/token", form={**credentials, "client_secret": "x"}), 401, "invalid_client")
    assert_refused(await post("/oauth/token", form={**credentials, "client_id": "x"}), 401, "invalid_client")
    assert_refused(await post("/oauth/token", form={"grant_type": "client_credentials"}), 401, "invalid_client")
    assert_refused(await post("/oauth/token", form={**credentials, "scope": "push"}), 400, "invalid_scope")
    assert_refused(await post("/oauth/token", form={**credentials, "scope": "nonsense"}), 400, "invalid_scope")
    assert_refused(
        await post("/oauth/token", form={**credentials, "grant_type": "authorization_code"}), 400, "invalid_request"
    )
    answer = await post(
        "/oauth/token", form={"grant_type": "client_credentials"}, headers={"Authorization": "Basic !!!"}
    )
    assert_refused(answer, 401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "error_description" in answer.json


@story("apps", "oauth")
async def test_an_app_gets_a_token_of_its_own(world: World) -> None:
    app = await register(world, "read write:statuses")
    form = {"grant_type": "client_credentials", **app.credentials}
    assert (await world.client.check("POST /oauth/token", form=form))["scope"] == "read"
    narrow = await world.client.check("POST /oauth/token", form={**form, "scope": "read:accounts+write:statuses"})
    assert narrow["scope"] == "read:accounts write:statuses"
    assert (await world.client.get("/oauth/userinfo", narrow["access_token"])).status == 403


# Revocation, introspection


@story("apps", "oauth")
async def test_a_revoked_token_is_forgotten_everywhere(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    token = (await redeem(world, app, await make_code(world, app, alice))).json["access_token"]
    heard: list[bytes] = []
    world.api.bus.subscribe(TOPIC, heard.append)
    assert (await world.client.get("/oauth/token/info", token)).status == 200
    token_id = await world.value("SELECT id FROM access_tokens WHERE app_id = :app", app=app.id)
    answer = await world.client.post("/oauth/revoke", form={"token": token, **app.credentials})
    assert (answer.status, answer.json) == (200, {})
    await asyncio.sleep(0)
    assert (await world.client.get("/oauth/token/info", token)).status == 401
    assert heard == [str(token_id).encode()]
    async with world.db.read() as session:
        events = await read_stream(session, 0)
    assert [(event.kind, msgspec.json.decode(event.body)) for event in events] == [("token", {"ids": [token_id]})]


@story("apps", "oauth")
async def test_another_role_is_known_everywhere_and_no_stream_ends(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    token = (await redeem(world, app, await make_code(world, app, alice))).json["access_token"]
    other_process = Bearers(world.db, world.api.bus)

    async def change(session: WriteSession) -> None:
        await set_role(session, alice.user_id, Role.OWNER)
        await look_again_at_user(session, alice.user_id)

    before = await other_process.find(token)
    assert before is not None and before.role == Role.NONE
    await world.write(change)
    await asyncio.sleep(0)
    after = await other_process.find(token)
    assert after is not None and after.role == Role.OWNER
    async with world.db.read() as session:
        assert not await read_stream(session, 0)


@story("apps", "oauth")
async def test_who_may_revoke(world: World) -> None:
    app, other, alice = await register(world), await register(world), await world.account("alice")
    token = (await redeem(world, app, await make_code(world, app, alice))).json["access_token"]
    for wrong in (other.credentials, {**app.credentials, "client_secret": "wrong"}, {}):
        answer = await world.client.post("/oauth/revoke", form={"token": token, **wrong})
        assert_refused(answer, 403, "unauthorized_client")
    answer = await world.client.post("/oauth/revoke", form={"token": "unknown", **app.credentials})
    assert (answer.status, answer.json) == (200, {})
    assert (await world.client.get("/oauth/token/info", token)).status == 200
    assert (await world.client.post("/oauth/revoke", form={"token": token}, headers=app.basic)).status == 200


@story("apps", "oauth")
async def test_an_app_asks_about_its_tokens(world: World) -> None:
    app, other, alice = await register(world), await register(world), await world.account("alice")
    token = (await redeem(world, app, await make_code(world, app, alice, "read write"))).json["access_token"]
    ask = world.client.post
    known = (await ask("/oauth/introspect", form={"token": token}, headers=app.basic)).json
    assert known["active"] is True
    assert (known["scope"], known["client_id"]) == ("read write", app.client_id)
    foreign = await ask("/oauth/introspect", form={"token": token, **other.credentials})
    assert foreign.json == {"active": False}
    unknown = await ask("/oauth/introspect", await app_token(world, app), form={"token": "unknown"})
    assert unknown.json == {"active": False}
    assert (await ask("/oauth/introspect", await app_token(world, app), form={"token": token})).json["active"]
    assert_refused(await ask("/oauth/introspect", token, form={"token": token}), 401, "invalid_token")
    assert_refused(await ask("/oauth/introspect", form={"token": token}), 401, "invalid_client")


@story("apps", "oauth")
async def test_facts_about_a_token(world: World) -> None:
    app, alice = await register(world), await world.account("alice")
    token = (await redeem(world, app, await make_code(world, app, alice, "read write"))).json["access_token"]
    facts = (await world.client.get("/oauth/token/info", token)).json
    assert facts["scope"] == ["read", "write"]
    assert facts["application"] == {"uid": app.client_id}
    assert facts["resource_owner_id"] == str(alice.user_id)


@story("oauth")
async def test_user_info_by_both_methods(world: World) -> None:
    alice = await world.account("alice")
    for endpoint in ("GET /oauth/userinfo", "POST /oauth/userinfo"):
        info = await world.client.check(endpoint, alice)
        assert info["iss"] == "https://phiomia.example/"
        assert info["sub"] == "https://phiomia.example/users/alice"
        assert info["profile"] == "https://phiomia.example/@alice"


@story("oauth")
async def test_the_server_describes_itself(world: World) -> None:
    described = await world.client.check("GET /.well-known/oauth-authorization-server")
    assert described["token_endpoint"] == "https://phiomia.example/oauth/token"
    assert "write:statuses" in described["scopes_supported"]
    assert described["code_challenge_methods_supported"] == ["S256"]


# Signing up through an app


def open_registrations(world: World, **rules: Any) -> None:
    rules = {"mode": "open", **rules}
    world.api.config = msgspec.structs.replace(world.api.config, registrations=Registrations(**rules))


def sign_up_form(**more: Any) -> dict[str, Any]:
    form = {"username": "Alice", "email": "alice@mail.example", "password": "correct horse", "agreement": "true"}
    return {**form, "locale": "en", **more}


@story("apps", "oauth", "accounts_sign_up")
async def test_signing_up_gives_a_token_that_works_once_the_address_is_confirmed(world: World) -> None:
    open_registrations(world)
    token = await app_token(world, await register(world, "read write profile"), "read write profile")
    made = await world.client.check("POST /api/v1/accounts", token, form=sign_up_form())
    assert made["scope"] == "read write profile"
    assert (await world.client.get("/oauth/userinfo", made["access_token"])).status == 403
    await world.execute("UPDATE users SET confirmed_at = 1")
    world.api.bus.publish(TOPIC)
    await asyncio.sleep(0)
    info = await world.client.get("/oauth/userinfo", made["access_token"])
    assert info.json["preferred_username"] == "Alice"
    types = await world.value(
        "SELECT count(*) FROM jobs WHERE type IN ('users.send_confirmation', 'accounts.make_keys')"
    )
    assert types == 2
    assert await world.value("SELECT a.name FROM users u JOIN apps a ON a.id = u.created_by_app_id") == "Client"


@story("apps", "oauth", "accounts_sign_up")
async def test_where_sign_ups_are_approved_the_token_waits(world: World) -> None:
    open_registrations(world, mode="approval", confirm_email=False)
    token = await app_token(world, await register(world, "read write profile"), "write profile")
    made = await world.client.check("POST /api/v1/accounts", token, form=sign_up_form(reason="I like it here"))
    answer = await world.client.get("/oauth/userinfo", made["access_token"])
    assert answer.status == 403
    assert "approval" in answer.json["error"]


@story("apps", "oauth", "accounts_sign_up")
async def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    open_registrations(world, confirm_email=False)
    token = await app_token(world, await register(world), "write")
    await world.client.check("POST /api/v1/accounts", token, form=sign_up_form())
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({}, dict.fromkeys(("username", "email", "password"), "ERR_BLANK") | {"agreement": "ERR_ACCEPTED"}),
        (sign_up_form(), {"username": "ERR_TAKEN", "email": "ERR_TAKEN"}),
        (sign_up_form(username="ALICE", email="ALICE@mail.example"), {"username": "ERR_TAKEN", "email": "ERR_TAKEN"}),
        (sign_up_form(username="admin", email="x@y.z"), {"username": "ERR_RESERVED"}),
        (sign_up_form(username="ünlü", email="no"), {"username": "ERR_INVALID", "email": "ERR_INVALID"}),
        (sign_up_form(username="b" * 31, email="x@y.z"), {"username": "ERR_TOO_LONG"}),
        (sign_up_form(username="bob", email="x@y.z", password="short"), {"password": "ERR_TOO_SHORT"}),
        (sign_up_form(username="bob", email="x@y.z", password="x" * 73), {"password": "ERR_TOO_LONG"}),
        (sign_up_form(username="bob", email="x@y.z", agreement="false"), {"agreement": "ERR_ACCEPTED"}),
        (sign_up_form(username="bob", email="x@y.z", reason="x" * 5000), {"reason": "ERR_TOO_LONG"}),
        (sign_up_form(username="bob", email="a\r\nBcc: x@y.z"), {"email": "ERR_INVALID"}),
    ]
    for form, expected in cases:
        answer = await world.client.post("/api/v1/accounts", token, form=form)
        assert answer.status == 422
        assert {name: many[0]["error"] for name, many in answer.json["details"].items()} == expected, form
    assert await world.value("SELECT count(*) FROM users") == 1


@story("apps", "oauth", "accounts_sign_up")
async def test_who_may_sign_somebody_up(world: World) -> None:
    alice = await world.account("alice")
    reader = await app_token(world, await register(world), "read")
    writer = await app_token(world, await register(world), "write")
    post, form = world.client.post, sign_up_form(username="bob", email="bob@mail.example")
    assert (await post("/api/v1/accounts", writer, form=form)).status == 403, "registrations are closed"
    open_registrations(world)
    assert (await post("/api/v1/accounts", form=form)).status == 401
    assert (await post("/api/v1/accounts", reader, form=form)).status == 403
    assert (await post("/api/v1/accounts", alice, form=form)).status == 403
    assert (await post("/api/v1/accounts", writer, form=form)).status == 200
