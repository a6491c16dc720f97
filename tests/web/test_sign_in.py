"""Signing in, out and up; mails; what every page has in common."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from urllib.parse import urlsplit

import msgspec

from hashes import dear_hashes
from phiomia.domain.accounts.keys import MakeKeys, load_or_make_keys, make_keys
from phiomia.domain.oauth.tokens import issue_token
from phiomia.domain.users.jobs import SendConfirmation, SendPasswordReset, send_confirmation, send_password_reset
from phiomia.domain.users.mail import OutboxMailer
from phiomia.platform.settings import Config, Instance, RateLimits, Registrations
from phiomia.web.visit import local_path
from web.browser import PASSWORD, Site, scene

MAIL = "alice@mail.example"
JOIN = {"username": "alice", "email": MAIL, "password": PASSWORD, "agreement": "1"}


async def read_mail(site: Site, job: SendConfirmation | SendPasswordReset) -> str:
    """Runs a job of the mail queue; gives the path and query of the link in the mail."""
    with TemporaryDirectory() as name:
        config = msgspec.structs.replace(site.context.config, data=name)
        await _send(site, config, job)
        (path,) = (Path(name) / "outbox").iterdir()
        assert path.stat().st_mode & 0o077 == 0
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert message["To"] == MAIL
    body = message.get_body(("plain",))
    assert body is not None
    link = next(line for line in body.get_content().splitlines() if line.startswith("https://"))
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


async def _send(site: Site, config: Config, job: SendConfirmation | SendPasswordReset) -> None:
    context = SimpleNamespace(db=site.db, config=config, mailer=OutboxMailer(config))
    if isinstance(job, SendConfirmation):
        await send_confirmation(context, job)
    else:
        await send_password_reset(context, job)


@scene()
async def test_signing_in_and_out(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    page = await browser.sign_in("Alice@Mail.example")
    assert (page.status, page.location) == (302, "/")
    cookie = page.headers["set-cookie"]
    assert all(part in cookie for part in ("_phiomia_session=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"))
    home = await browser.get("/")
    assert "@alice@phiomia.example" in home.text
    secret = browser.cookies["_phiomia_session"]
    page = await browser.submit(home, "/auth/sign_out")
    assert page.location == "/"
    assert "_phiomia_session" not in browser.cookies
    browser.cookies["_phiomia_session"] = secret
    assert "@alice" not in (await browser.get("/")).text, "the old cookie opens nothing"


@scene()
async def test_a_wrong_password_and_an_unknown_address_look_the_same(site: Site) -> None:
    await site.member("alice")
    pages = [
        await site.browser().sign_in(MAIL, "wrong"),
        await site.browser().sign_in("nobody@mail.example", "wrong"),
        await site.browser().sign_in("", ""),
        await site.browser().sign_in(MAIL, PASSWORD + "x" * 10_000),
    ]
    for page in pages:
        assert page.status == 422
        assert "is wrong" in page.text
        assert 'role="alert"' in page.text
        assert "_phiomia_session" not in page.headers.get("set-cookie", "")


@scene()
async def test_who_may_not_sign_in_is_told_why(site: Site) -> None:
    await site.member("alice", confirmed=False)
    page = await site.browser().sign_in(MAIL)
    assert page.status == 403
    assert 'href="/auth/confirm"' in page.text
    await site.execute("UPDATE users SET confirmed_at = 1, approved_at = NULL")
    assert "approval" in (await site.browser().sign_in(MAIL)).text
    await site.execute("UPDATE users SET approved_at = 1, disabled_at = 1")
    assert "disabled" in (await site.browser().sign_in(MAIL)).text
    await site.execute("UPDATE users SET disabled_at = NULL")
    browser = site.browser()
    assert (await browser.sign_in(MAIL)).status == 302
    await site.execute("UPDATE users SET disabled_at = 1")
    assert "@alice" not in (await browser.get("/")).text, "a frozen login ends its sessions"
    await site.execute("UPDATE users SET disabled_at = NULL")
    await site.execute("UPDATE accounts SET state = 2")
    assert "disabled" in (await site.browser().sign_in(MAIL)).text


@scene(rate_limits=RateLimits(sign_in=(3, 300)))
async def test_guessing_is_slow(site: Site) -> None:
    await site.member("alice")
    statuses = [(await site.browser().sign_in(MAIL, "wrong")).status for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


@scene()
async def test_a_hash_of_another_cost_is_made_anew(site: Site) -> None:
    from argon2 import PasswordHasher

    await site.member("alice")
    cheap = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await site.execute("UPDATE users SET password_hash = :hash", hash=cheap)
    with dear_hashes():
        assert (await site.browser().sign_in(MAIL)).status == 302
    stored = await site.value("SELECT password_hash FROM users")
    assert "m=19456,t=2,p=1" in stored


@scene()
async def test_forms_of_others_are_refused(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    form = (await browser.get("/auth/sign_in")).form("/auth/sign_in") | {"email": MAIL, "password": PASSWORD}
    assert (await site.browser().post("/auth/sign_in", form)).status == 403, "the cookie of the form is missing"
    for wrong in ({"csrf": "x"}, {"csrf": ""}, {"csrf": "ü"}):
        assert (await browser.post("/auth/sign_in", {**form, **wrong})).status == 403
    page = await browser.post("/auth/sign_in", form, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status == 403
    assert (await browser.post("/auth/sign_in", form)).status == 302
    assert (await browser.post("/auth/sign_out", form)).status == 403, "a session has a token of its own"


@scene()
async def test_a_session_lasts_while_it_is_used(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    await browser.sign_in(MAIL)
    await site.execute("UPDATE sessions SET used_at = used_at - 172800000")
    before = await site.value("SELECT used_at FROM sessions")
    assert "@alice" in (await browser.get("/")).text
    assert await site.value("SELECT used_at FROM sessions") > before
    await site.execute("UPDATE sessions SET used_at = used_at - 31622400000")
    assert "@alice" not in (await browser.get("/")).text


@scene()
async def test_pages_are_locked_down(site: Site) -> None:
    for path in ("/", "/about", "/auth/sign_in", "/auth/sign_up", "/auth/password", "/auth/confirm"):
        page = await site.browser().get(path)
        assert page.status == 200
        policy_sent = page.headers["content-security-policy"]
        for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "style-src 'self'"):
            assert directive in policy_sent
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert len(page.text) < 30_000


@scene(instance=Instance(title="<b>Bold</b>", description="a & b"))
async def test_what_operators_write_is_text(site: Site) -> None:
    page = await site.browser().get("/")
    assert "<b>" not in page.text
    assert "a &amp; b" in page.text


@scene()
async def test_files_are_kept_for_ever_under_their_hash(site: Site) -> None:
    browser = site.browser()
    home = await browser.get("/")
    address = home.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    style = await browser.get(address)
    assert (style.status, style.headers["content-type"]) == (200, "text/css")
    assert "immutable" in style.headers["cache-control"]
    other = await browser.get("/static/style.000000000000.css")
    assert (other.text, other.headers["cache-control"]) == (style.text, "no-cache")
    assert (await browser.get("/static/icon.svg")).headers["content-type"] == "image/svg+xml"
    for wrong in ("/static/nothing.css", "/static/..%2fassets.py", "/static/a.b.c.d"):
        assert (await browser.get(wrong)).status == 404


def test_only_paths_of_ours_are_returned_to() -> None:
    for good in ("/", "/oauth/authorize?a=b&c=https%3A%2F%2Fx.example", "/auth/password"):
        assert local_path(good) == good
    for bad in ("", "//x.example", "/\\x.example", "https://x.example", "x", "/a\nb", "/a b", "/\t/x.example"):
        assert local_path(bad) == "/"


# Joining


@scene(registrations=Registrations(mode="open", confirm_email=False))
async def test_joining_without_further_ado(site: Site) -> None:
    browser = site.browser()
    page = await browser.submit(await browser.get("/auth/sign_up"), "/auth/sign_up", **JOIN)
    assert (page.status, page.location) == (302, "/")
    assert "@alice" in (await browser.get("/")).text


@scene(registrations=Registrations(mode="open", confirm_email=False))
async def test_the_language_of_the_browser_is_kept(site: Site) -> None:
    browser = site.browser()
    page = await browser.get("/auth/sign_up")
    typed = page.form("/auth/sign_up") | JOIN
    await browser.post("/auth/sign_up", typed, headers={"Accept-Language": "xx, fr-CA;q=0.8, en;q=0.5"})
    assert await site.value("SELECT locale FROM users") == "fr"


@scene()
async def test_joining_with_a_mail(site: Site) -> None:
    browser = site.browser()
    page = await browser.submit(await browser.get("/auth/sign_up"), "/auth/sign_up", **JOIN)
    assert MAIL in page.text
    assert (await browser.sign_in(MAIL)).status == 403
    job = SendConfirmation(await site.value("SELECT id FROM users"))
    assert await site.value("SELECT count(*) FROM jobs WHERE type = 'users.send_confirmation'") == 1
    first, second = await read_mail(site, job), await read_mail(site, job)
    page = await browser.get(first)
    assert await site.value("SELECT confirmed_at FROM users") is None, "looking at the page does nothing"
    assert (await browser.submit(page, "/auth/confirm")).status == 200
    assert (await browser.sign_in(MAIL)).status == 302
    other = site.browser()
    assert (await other.submit(await other.get(second), "/auth/confirm")).status == 422, "a link works once"


@scene(registrations=Registrations(mode="approval", confirm_email=False))
async def test_joining_with_approval(site: Site) -> None:
    browser = site.browser()
    form = await browser.get("/auth/sign_up")
    page = await browser.submit(form, "/auth/sign_up", **JOIN, reason="I like it")
    assert "approval" in page.text
    assert (await browser.sign_in(MAIL)).status == 403
    assert await site.value("SELECT reason FROM users") == "I like it"


@scene(registrations=Registrations(mode="closed", message="Come back in spring."))
async def test_closed_doors(site: Site) -> None:
    browser = site.browser()
    assert "Come back in spring." in (await browser.get("/auth/sign_up")).text
    assert "/auth/sign_up" not in (await browser.get("/")).text
    csrf = (await browser.get("/auth/sign_in")).form("/auth/sign_in")["csrf"]
    assert (await browser.post("/auth/sign_up", {**JOIN, "csrf": csrf})).status == 403


@scene()
async def test_every_fault_of_a_sign_up_stands_beside_its_field(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    wrong = {"username": "Alice", "email": "no", "password": "short"}
    page = await browser.submit(await browser.get("/auth/sign_up"), "/auth/sign_up", **wrong)
    assert page.status == 422
    for words in ("is in use already", "is not an e-mail address", "8 characters at least", 'aria-invalid="true"'):
        assert words in page.text
    assert page.form("/auth/sign_up")["username"] == "Alice"
    assert "short" not in page.text


# Passwords


@scene()
async def test_a_new_password_ends_sessions_and_tokens(site: Site) -> None:
    user_id = await site.member("alice")
    await site.db.write(lambda session: issue_token(session, app_id=None, user_id=user_id, scopes="read"))
    signed_in, browser = site.browser(), site.browser()
    await signed_in.sign_in(MAIL)
    page = await browser.submit(await browser.get("/auth/password"), "/auth/password", email=MAIL)
    assert page.status == 200
    assert await site.value("SELECT count(*) FROM jobs WHERE type = 'users.send_password_reset'") == 1
    link = await read_mail(site, SendPasswordReset(user_id))
    page = await browser.get(link)
    assert (await browser.submit(page, "/auth/password", password="short")).status == 422
    page = await browser.submit(page, "/auth/password", password="another password")
    assert "changed" in page.text
    assert (await browser.sign_in(MAIL)).status == 422
    assert (await browser.sign_in(MAIL, "another password")).status == 302
    assert "@alice" not in (await signed_in.get("/")).text
    assert await site.value("SELECT count(*) FROM access_tokens") == 0
    assert (await browser.get(link)).status == 422


@scene()
async def test_nobody_learns_who_has_an_address_here(site: Site) -> None:
    await site.member("alice")
    for path in ("/auth/password", "/auth/confirm"):
        texts = set()
        for email in (MAIL, "nobody@mail.example"):
            browser = site.browser()
            page = await browser.submit(await browser.get(path), path, email=email)
            texts.add((page.status, page.text))
        assert len(texts) == 1
    assert await site.value("SELECT count(*) FROM jobs WHERE queue = 'mail'") == 1


@scene()
async def test_old_links_are_dead(site: Site) -> None:
    user_id = await site.member("alice")
    link = await read_mail(site, SendPasswordReset(user_id))
    await site.execute("UPDATE email_confirmations SET created_at = created_at - 21600001")
    assert (await site.browser().get(link)).status == 422


# Keys


@scene()
async def test_keys_are_made_once(site: Site) -> None:
    await site.member("alice")
    account_id = await site.value("SELECT id FROM accounts")
    assert await site.value("SELECT private_key FROM accounts") == ""
    await make_keys(SimpleNamespace(db=site.db), MakeKeys(account_id))
    pair = await load_or_make_keys(site.db, account_id)
    assert pair.private.startswith("-----BEGIN PRIVATE KEY-----")
    assert pair.public == await site.value("SELECT public_key FROM accounts")
    await make_keys(SimpleNamespace(db=site.db), MakeKeys(1))
