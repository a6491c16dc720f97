"""What a server tells of itself: texts, activity, peers; and its doors."""

import pytest

from contract import assert_returns
from phiomia.domain.errors import Invalid, NotAllowed
from phiomia.domain.moderation.activity import load_activity, note_logins, week_of
from phiomia.domain.moderation.texts import TextKind, remove_text, write_text
from phiomia.domain.users.invites import invite, take_invite_back
from phiomia.domain.users.sign_up import SignUpForm, draft_sign_up, sign_up
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.settings import Registrations
from phiomia.platform.version import describe_version
from world import BASE, World, story

MODULES = ("instance_texts", "doors", "statuses")


async def _write(world: World, kind: TextKind, source: str, date: str = "", *, is_html: bool = False) -> None:
    await world.write(lambda session: write_text(session, kind, source, is_html=is_html, effective_date=date))


@story(*MODULES)
async def test_texts(world: World) -> None:
    await world.account("alice")
    assert (await world.client.check("GET /api/v1/instance/privacy_policy"))["content"]
    assert await world.client.check("GET /api/v1/instance/extended_description") == {"updated_at": None, "content": ""}
    await _write(world, TextKind.PRIVACY, "We keep\n\nnothing.")
    await _write(world, TextKind.DESCRIPTION, "<h1>Hello</h1><script>x</script>", is_html=True)
    assert (await world.client.check("GET /api/v1/instance/privacy_policy"))["content"].count("<p>") == 2
    described = (await world.client.check("GET /api/v1/instance/extended_description"))["content"]
    assert "Hello" in described and "script" not in described
    await world.write(lambda session: remove_text(session, TextKind.DESCRIPTION))
    assert (await world.client.check("GET /api/v1/instance/extended_description"))["content"] == ""
    with pytest.raises(Invalid):
        await _write(world, TextKind.PRIVACY, " ")


@story(*MODULES)
async def test_terms_have_versions(world: World) -> None:
    assert (await world.client.get("/api/v1/instance/terms_of_service")).status == 404
    for date in ("2020-01-01", "2021-01-01", "2999-01-01"):
        await _write(world, TextKind.TERMS, f"since {date}", date)
    now = await world.client.check("GET /api/v1/instance/terms_of_service")
    assert (now["effective_date"], now["effective"], now["succeeded_by"]) == ("2021-01-01", True, "2999-01-01")
    path = "/api/v1/instance/terms_of_service/2999-01-01"
    later = (await world.client.get(path)).json
    assert_returns("GET /api/v1/instance/terms_of_service/:date", later)
    assert (later["effective"], later["succeeded_by"]) == (False, None)
    assert (await world.client.get("/api/v1/instance/terms_of_service/2020-06-01")).status == 404
    with pytest.raises(Invalid):
        await _write(world, TextKind.TERMS, "without a date")


@story(*MODULES)
async def test_activity(world: World) -> None:
    alice = await world.account("alice")
    await world.client.post("/api/v1/statuses", alice, form={"status": "hello"})
    await world.execute("UPDATE access_tokens SET last_used_at = :now", now=now_ms())
    await world.write(note_logins)
    await world.execute("UPDATE access_tokens SET last_used_at = NULL")
    weeks = await world.client.check("GET /api/v1/instance/activity")
    assert len(weeks) == 12
    assert (weeks[0]["statuses"], weeks[0]["logins"], weeks[0]["registrations"]) == ("1", "1", "1")
    assert int(weeks[0]["week"]) - int(weeks[1]["week"]) == 7 * 86_400
    async with world.db.read() as session:
        assert (await load_activity(session))[1].statuses == 0
    assert week_of(1_700_000_000_000) == 1_699_833_600_000


@story(*MODULES)
async def test_peers(world: World) -> None:
    for name in ("one.example", "other.example", "shut.example"):
        await world.account("x", domain=name)
    await world.execute("INSERT INTO domain_blocks (id, domain, severity, created_at) VALUES (1, 'shut.example', 2, 1)")
    assert await world.client.check("GET /api/v1/instance/peers") == ["one.example", "other.example"]
    assert await world.client.check("GET /api/v1/peers/search", query={"q": "OT"}) == ["other.example"]
    assert await world.client.check("GET /api/v1/peers/search") == []
    alice = await world.account("alice")
    assert (await world.client.get("/api/v1/donation_campaigns", alice)).status == 204
    assert (await world.client.get("/api/v1/donation_campaigns")).status == 401


@story(*MODULES, effects=True)
async def test_invitations(world: World) -> None:
    code = await world.write(lambda session: invite(session, max_uses=1))
    path = f"/invite/{code}"
    told = await world.client.get(path)
    assert told.json == {"invite_code": code, "instance_api_url": f"{BASE}/api/v2/instance"}
    assert_returns("GET /invite/:invite_code", told.json)
    browser = await world.client.request("GET", path, headers={"Accept": "text/html,*/*"})
    assert (browser.status, browser.headers["location"]) == (302, f"{BASE}/auth/sign_up?invite_code={code}")
    rules = Registrations(mode="closed")
    form = SignUpForm("newcomer", "new@mail.example", "a long password", True)
    with pytest.raises(NotAllowed):
        await draft_sign_up(form, rules)
    draft = await draft_sign_up(form._replace(invite_code=code), rules)
    assert draft.approved
    await world.write(lambda session: sign_up(session, draft))
    assert (await world.client.get(path)).status == 401
    again = await draft_sign_up(form._replace(username="second", email="2@mail.example", invite_code=code), rules)
    with pytest.raises(NotAllowed):
        await world.write(lambda session: sign_up(session, again))
    assert await world.value("SELECT count(*) FROM users") == 1
    await world.write(lambda session: take_invite_back(session, code))
    assert (await world.client.get(path)).status == 404
    old = await world.write(lambda session: invite(session, expires_at=now_ms() - DAY))
    assert (await world.client.get(f"/invite/{old}")).status == 401


@story(*MODULES)
async def test_doors(world: World) -> None:
    change = await world.client.get("/.well-known/change-password")
    assert (change.status, change.headers["location"]) == (302, f"{BASE}/auth/password")
    shown = await world.client.get("/.well-known/proxy", uri="https://x.example/a b")
    assert shown.headers["location"] == f"{BASE}/authorize_interaction?uri=https%3A%2F%2Fx.example%2Fa%20b"


@story("instance", *MODULES)
async def test_which_version_runs_is_said_with_whether_it_is_released(world: World) -> None:
    for path in ("/api/v2/instance", "/api/v1/instance"):
        told = await world.client.check(f"GET {path}")
        assert told["version"] == f"4.6.5 (compatible; Phiomia {describe_version()})"
