"""The consent page, from the app's request to the code in its hands."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from phiomia.domain.oauth.apps import OUT_OF_BAND
from phiomia.domain.oauth.codes import challenge_of, redeem_code
from phiomia.domain.oauth.queries import App
from phiomia.domain.oauth.tokens import issue_token
from web.browser import Browser, Site, scene

CALLBACK = "https://client.example/callback?kept=1"
MAIL = "alice@mail.example"
PAGE = "/oauth/authorize"


def ask(app: App, **more: str) -> str:
    """The address that an app sends its user to."""
    asked = {"response_type": "code", "client_id": app.client_id, "redirect_uri": CALLBACK, "scope": "read", **more}
    return f"{PAGE}?{urlencode(asked)}"


def said(location: str) -> dict[str, str]:
    """What an address tells the app."""
    parts = urlsplit(location)
    return dict(parse_qsl(parts.query or parts.fragment))


async def sign_in(site: Site) -> Browser:
    browser = site.browser()
    assert (await browser.sign_in(MAIL)).status == 302
    return browser


async def redeem(site: Site, app: App, code: str, **more: Any) -> Any:
    asked: dict[str, Any] = {"app_id": app.id, "redirect_uri": CALLBACK, "verifier": None, **more}
    return await site.db.write(lambda session: redeem_code(session, code, **asked))


@scene()
async def test_the_whole_way(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK), site.browser()
    wish = ask(app, scope="read write:statuses", state="a b&c", code_challenge=challenge_of("v" * 43),
               code_challenge_method="S256")  # fmt: skip
    sent = await browser.get(wish)
    assert sent.location.startswith("/auth/sign_in?")
    page = await browser.sign_in(MAIL, path=sent.location)
    assert page.location.startswith(PAGE)
    consent = await browser.get(page.location)
    assert consent.status == 200
    for words in ("Client", "@alice@phiomia.example", "Read everything", "Write and delete posts", "client.example"):
        assert words in consent.text
    assert "form-action" not in consent.headers["content-security-policy"], "the way may lead to any app"
    done = await browser.submit(consent, PAGE)
    assert (done.status, done.location.startswith("https://client.example/callback?kept=1&code=")) == (302, True)
    answer = said(done.location)
    assert answer["state"] == "a b&c"
    issued = await redeem(site, app, answer["code"], verifier="v" * 43)
    assert issued.scopes == "read write:statuses"


@scene()
async def test_saying_no(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    consent = await browser.get(ask(app, state="s"))
    done = await browser.submit(consent, PAGE, _method="delete")
    assert (said(done.location)["error"], said(done.location)["state"]) == ("access_denied", "s")
    done = await browser.delete(PAGE, consent.form(PAGE))
    assert said(done.location)["error"] == "access_denied"
    assert (await browser.delete(PAGE, {**consent.form(PAGE), "csrf": "x"})).status == 403
    assert await site.value("SELECT count(*) FROM authorization_codes") == 0


@scene()
async def test_an_app_that_holds_a_token_is_not_asked_for_again(site: Site) -> None:
    user_id = await site.member("alice")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    await site.db.write(lambda session: issue_token(session, app_id=app.id, user_id=user_id, scopes="read"))
    assert "code" in said((await browser.get(ask(app))).location)
    assert "code" in said((await browser.get(ask(app, scope="read:statuses"))).location)
    assert (await browser.get(ask(app, scope="read write"))).status == 200


@scene()
async def test_force_login_asks_who_it_is_once(site: Site) -> None:
    await site.member("alice")
    await site.member("bob")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    sent = await browser.get(ask(app, force_login="true"))
    assert sent.location.startswith("/auth/sign_in?")
    page = await browser.sign_in("bob@mail.example", path=sent.location)
    assert "@bob@" in (await browser.get(page.location)).text
    assert await site.value("SELECT count(*) FROM sessions") == 1
    assert (await browser.get(ask(app, force_login="false"))).status == 200


@scene()
async def test_out_of_band_shows_the_code(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(OUT_OF_BAND), await sign_in(site)
    done = await browser.submit(await browser.get(ask(app, redirect_uri=OUT_OF_BAND)), PAGE)
    assert done.location.startswith(f"{PAGE}/native?code=")
    code = said(done.location)["code"]
    assert f'value="{code}"' in (await browser.get(done.location)).text
    assert await redeem(site, app, code, redirect_uri=OUT_OF_BAND) is not None
    consent = await browser.get(ask(app, redirect_uri=OUT_OF_BAND, scope="read write"))
    assert (await browser.submit(consent, PAGE, _method="delete")).status == 403


@scene()
async def test_answers_by_fragment_form_and_private_scheme(site: Site) -> None:
    await site.member("alice")
    private = "tusky://callback.example/"
    app, browser = await site.app(CALLBACK, private), await sign_in(site)
    done = await browser.submit(await browser.get(ask(app, response_mode="fragment", state="s")), PAGE)
    assert done.location.startswith(f"{CALLBACK}#code=")
    done = await browser.submit(await browser.get(ask(app, response_mode="form_post", state="s")), PAGE)
    assert set(done.form(CALLBACK)) == {"code", "state"}
    done = await browser.submit(await browser.get(ask(app, redirect_uri=private)), PAGE)
    assert done.location.startswith(f"{private}?code=")


@scene()
async def test_nothing_is_sent_to_addresses_that_are_not_the_apps(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    for wrong in (
        {"client_id": "unknown"},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": ""},
        {"redirect_uri": OUT_OF_BAND},
    ):
        page = await browser.get(ask(app, **wrong))
        assert (page.status, page.location) == (400, "")


@scene()
async def test_wrong_wishes_are_told_to_the_app(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK, scopes="read"), await sign_in(site)
    cases = [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "write"}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"response_mode": "telepathy"}, "unsupported_response_mode"),
        ({"code_challenge": challenge_of("v"), "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": challenge_of("v")}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ]
    csrf = (await browser.get(ask(app))).form(PAGE)["csrf"]
    for wrong, error in cases:
        location = (await browser.get(ask(app, state="s", **wrong))).location
        assert (said(location)["error"], said(location)["state"]) == (error, "s"), wrong
        form = dict(parse_qsl(ask(app, **wrong).partition("?")[2])) | {"csrf": csrf}
        assert said((await browser.post(PAGE, form)).location)["error"] == error
    assert await site.value("SELECT count(*) FROM authorization_codes") == 0


@scene()
async def test_another_site_cannot_say_yes(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    form = (await browser.get(ask(app))).form(PAGE)
    assert (await browser.post(PAGE, {**form, "csrf": ""})).status == 403
    assert (await browser.post(PAGE, form, headers={"Sec-Fetch-Site": "cross-site"})).status == 403
    assert await site.value("SELECT count(*) FROM authorization_codes") == 0


@scene()
async def test_an_apps_name_is_text(site: Site) -> None:
    await site.member("alice")
    app, browser = await site.app(CALLBACK, name='<img src=x> "quoted"'), await sign_in(site)
    page = await browser.get(ask(app))
    assert "<img" not in page.text
    assert "&lt;img src=x&gt;" in page.text


@scene()
async def test_apps_are_listed_and_shown_out(site: Site) -> None:
    user_id = await site.member("alice")
    other_id = await site.member("bob")
    app, browser = await site.app(CALLBACK), await sign_in(site)
    for owner, scopes in ((user_id, "read"), (user_id, "read write"), (other_id, "read")):
        await site.db.write(
            lambda session, owner=owner, scopes=scopes: issue_token(
                session, app_id=app.id, user_id=owner, scopes=scopes
            )
        )
    here = "/oauth/authorized_applications"
    page = await browser.get(here)
    assert page.text.count('class="card"') == 1
    assert "<code>write</code>" in page.text
    done = await browser.submit(page, here)
    assert (done.status, done.location) == (303, here)
    assert "There are none" in (await browser.get(here)).text
    assert await site.value("SELECT count(*) FROM access_tokens") == 1, "bob's stays"
    csrf = page.form(here)["csrf"]
    for wrong in ("", "x", "9" * 30, "²"):
        assert (await browser.post(here, {"csrf": csrf, "app_id": wrong})).status == 404
    assert (await site.browser().get(here)).location.startswith("/auth/sign_in?")
