"""Confirming an address through the app with which somebody signed up."""

from phiomia.domain.oauth.apps import draft_app, register_app
from phiomia.domain.oauth.tokens import issue_token
from phiomia.platform.db import WriteSession
from world import World, story

CHECK = "GET /api/v1/emails/check_confirmation"
AGAIN = "/api/v1/emails/confirmations"


async def _token(world: World, app_name: str, user_id: int, scopes: str = "read write") -> str:
    draft = draft_app(app_name, ["https://app.example/back"], scopes, None)

    async def write(session: WriteSession) -> str:
        app = await register_app(session, draft)
        return (await issue_token(session, app_id=app.id, user_id=user_id, scopes=scopes)).access_token

    token: str = await world.write(write)
    return token


@story("emails")
async def test_whether_an_address_is_confirmed(world: World) -> None:
    alice = await world.account("alice")
    assert await world.client.check(CHECK, alice) is True
    await world.execute("UPDATE users SET confirmed_at = NULL")
    assert await world.client.check(CHECK, alice) is False
    assert (await world.client.get(CHECK.removeprefix("GET "))).status == 401
    other = await _token(world, "App", alice.user_id, "push")
    assert (await world.client.get(CHECK.removeprefix("GET "), other)).status == 403


@story("emails")
async def test_the_mail_is_sent_again(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    token = await _token(world, "App", alice.user_id)
    stranger = await _token(world, "Other", alice.user_id)
    await world.execute("UPDATE users SET created_by_app_id = (SELECT id FROM apps WHERE name = 'App')")
    assert (await world.client.post(AGAIN, token)).status == 403, "it is confirmed"
    await world.execute("UPDATE users SET confirmed_at = NULL WHERE id = :id", id=alice.user_id)
    for who in (stranger, alice):
        assert (await world.client.post(AGAIN, who)).status == 403
    assert (await world.client.post(AGAIN, token)).json == {}
    assert (await world.client.post(AGAIN, token, form={"email": "right@mail.example"})).json == {}
    assert await world.value("SELECT email FROM users WHERE id = :id", id=alice.user_id) == "right@mail.example"
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'users.send_confirmation'") == 2
    for wrong in ("nothing", f"{'bob'}@mail.example"):
        assert (await world.client.post(AGAIN, token, form={"email": wrong})).status == 422
    assert bob.user_id
    assert (await world.client.post(AGAIN)).status == 401
