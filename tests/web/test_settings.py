"""What members choose on the pages: address and languages; the server's own texts; what came from other servers."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Literal

import falcon.testing

from phiomia.domain.moderation.texts import TextKind, write_text
from phiomia.domain.users.preferences import load_preferences
from phiomia.domain.users.queries import find_new_email, load_user
from phiomia.platform.db import Query
from phiomia.platform.ids import new_id
from phiomia.platform.settings import Instance
from phiomia.web.routes import mount
from web.browser import PASSWORD, Site, scene
from world import make_account


async def _value(site: Site, sql: str, **parameters: Any) -> Any:
    async with site.db.read() as session:
        return await session.value(Query.raw(sqlite=sql), **parameters)


@scene()
async def test_another_address(site: Site) -> None:
    user_id, browser = await site.member("alice"), site.browser()
    await site.member("bob")
    for path in ("/settings", "/settings/email", "/settings/languages"):
        assert (await browser.get(path)).location.startswith("/auth/sign_in?")
    await browser.sign_in("alice@mail.example")
    settings = await browser.get("/settings")
    for path in ("/settings/email", "/settings/mails", "/settings/languages", "/auth/password"):
        assert f'href="{path}"' in settings.text
    page = await browser.get("/settings/email")
    assert "alice@mail.example" in page.text
    refused = await browser.submit(page, "/settings/email", email="new@mail.example", password="wrong-wrong")
    assert refused.status == 422 and "is wrong" in refused.text
    for email in ("nonsense", "bob@mail.example"):
        refused = await browser.submit(page, "/settings/email", email=email, password=PASSWORD)
        assert refused.status == 422 and 'aria-invalid="true"' in refused.text
    done = await browser.submit(page, "/settings/email", email="new@mail.example", password=PASSWORD)
    assert done.status == 200 and "new@mail.example" in done.text
    async with site.db.read() as session:
        assert (await load_user(session, user_id)).email == "alice@mail.example"
        assert await find_new_email(session, user_id) == "new@mail.example"
    assert await _value(site, "SELECT count(*) FROM jobs WHERE type = 'users.send_email_change'") == 1
    assert (await browser.post("/settings/email", {"email": "x@y.example"})).status == 403


@scene()
async def test_languages_of_public_timelines(site: Site) -> None:
    user_id, browser = await site.member("alice"), site.browser()
    await browser.sign_in("alice@mail.example")
    account_id = await _value(site, "SELECT account_id FROM users WHERE id = :id", id=user_id)

    async def chosen() -> tuple[str, ...]:
        async with site.db.read() as session:
            return (await load_preferences(session, account_id)).reading.chosen_languages

    page = await browser.get("/settings/languages")
    assert " checked" not in page.text
    done = await browser.submit(page, "/settings/languages", de="1", en="1", nonsense="1")
    assert (done.status, done.location) == (303, "/settings/languages?saved=1")
    assert sorted(await chosen()) == ["de", "en"]
    page = await browser.get(done.location)
    assert page.text.count(" checked") == 2 and 'role="status"' in page.text
    await browser.submit(page, "/settings/languages")
    assert await chosen() == ()


@scene()
async def test_the_texts_of_the_server(site: Site) -> None:
    browser = site.browser()
    policy = await browser.get("/privacy-policy")
    assert policy.status == 200 and "Nobody has written" in policy.text and "<script" not in policy.text
    assert (await browser.get("/terms-of-service")).status == 404
    assert "/terms-of-service" not in (await browser.get("/about")).text
    for kind, text, date in (
        (TextKind.PRIVACY, "We keep little.", ""),
        (TextKind.DESCRIPTION, "A longer story.", ""),
        (TextKind.TERMS, "Be kind.", "2024-01-01"),
        (TextKind.TERMS, "Be kinder.", "2999-01-01"),
    ):
        await site.db.write(partial(write_text, kind=kind, source=text, effective_date=date))
    assert "We keep little." in (await browser.get("/privacy-policy")).text
    about = (await browser.get("/about")).text
    assert "A longer story." in about and 'href="/terms-of-service"' in about and 'href="/privacy-policy"' in about
    terms = (await browser.get("/terms-of-service")).text
    assert "Be kind." in terms and 'href="/terms-of-service/2999-01-01"' in terms
    assert "Be kinder." in (await browser.get("/terms-of-service/2999-01-01")).text
    for date in ("2025-01-01", "nonsense"):
        assert (await browser.get(f"/terms-of-service/{date}")).status == 404


class _Lookup:
    """Finds what it was told to find."""

    def __init__(self, account_id: int, status_id: int) -> None:
        self._account_id, self._status_id = account_id, status_id

    async def account(self, handle: str) -> int | None:
        return self._account_id if handle == "new@there.example" else None

    async def address(self, url: str) -> tuple[Literal["account", "status"], int] | None:
        return ("status", self._status_id) if url == "https://there.example/new" else None

    async def refresh(self, uri: str) -> None:
        return None


async def _post_of(site: Site, account_id: int, uri: str, visibility: int = 0) -> int:
    status_id = new_id()
    sql = (
        "INSERT INTO statuses (id, account_id, uri, url, content, conversation_id, visibility, created_at) "
        "VALUES (:id, :account, :uri, :uri, '<p>Found elsewhere</p>', :id, :visibility, 1)"
    )
    await site.db.write(
        lambda session: session.execute(
            Query.raw(sqlite=sql), id=status_id, account=account_id, uri=uri, visibility=visibility
        )
    )
    return status_id


@scene()
async def test_what_was_found_on_another_server(site: Site) -> None:
    user_id = await site.member("alice")
    known = await make_account(site.db, "known", domain="there.example")
    status_id = await _post_of(site, known.id, "https://there.example/new")
    context = dataclasses.replace(site.context, lookup=_Lookup(known.id, status_id))
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
    mount(app, context)
    site = dataclasses.replace(site, context=context, conductor=falcon.testing.ASGIConductor(app))
    browser = site.browser()
    path = "/authorize_interaction?uri="
    asked = await browser.get(f"{path}acct%3Anew%40there.example")
    assert asked.location.startswith("/auth/sign_in?return_to=%2Fauthorize_interaction")
    await browser.sign_in("alice@mail.example")
    for found in ("acct%3Anew%40there.example", "%40known%40there.example"):
        page = await browser.get(path + found)
        assert page.status == 200 and "@known@there.example" in page.text and 'value="follow"' in page.text
    done = await browser.submit(page, "/authorize_interaction", verb="follow")
    assert done.status == 200
    account_id = await _value(site, "SELECT account_id FROM users WHERE id = :id", id=user_id)
    follows = "SELECT count(*) FROM follow_requests WHERE account_id = :id"
    assert await _value(site, follows, id=account_id) == 1
    page = await browser.get(f"{path}https%3A%2F%2Fthere.example%2Fnew")
    assert "Found elsewhere" in page.text and 'value="boost"' in page.text
    for verb in ("boost", "favourite"):
        assert (await browser.submit(page, "/authorize_interaction", verb=verb)).status == 200
    assert await _value(site, "SELECT count(*) FROM statuses WHERE reblog_of_id = :id", id=status_id) == 1
    assert await _value(site, "SELECT count(*) FROM favourites WHERE status_id = :id", id=status_id) == 1
    for nothing in ("", "nonsense", "https%3A%2F%2Fthere.example%2Fgone", "acct%3Anobody%40there.example"):
        assert (await browser.get(path + nothing)).status == 404
    assert (await browser.submit(page, "/authorize_interaction", verb="delete")).status == 422
    assert (await browser.post("/authorize_interaction", {"id": "1", "verb": "follow"})).status == 403
    hidden = await _post_of(site, known.id, "https://there.example/hidden", visibility=3)
    assert hidden and (await browser.get(f"{path}https%3A%2F%2Fthere.example%2Fhidden")).status == 404


@scene()
async def test_about_says_whom_to_write_to_and_whose_program_runs(site: Site) -> None:
    await site.member("alice")
    about = (await site.browser().get("/about")).text
    assert "Contact" not in about
    assert "runs Phiomia" in about and "everybody who asks" in about
    await site.execute("UPDATE accounts SET shown_role = 3, rev = rev + 1")
    assert '<a href="/@alice">@alice@phiomia.example</a>' in (await site.browser().get("/about")).text


@scene(instance=Instance(source_url="https://code.example/", contact_account="bob"))
async def test_about_says_what_the_settings_name(site: Site) -> None:
    await site.member("alice")
    await site.execute("UPDATE accounts SET shown_role = 3, rev = rev + 1")
    await site.member("bob")
    about = (await site.browser().get("/about")).text
    assert "@bob@phiomia.example" in about and "alice" not in about
    assert '<a href="https://code.example/">' in about and "everybody who asks" not in about


@scene()
async def test_who_joins_agrees_to_rules_only_where_there_are_some(site: Site) -> None:
    assert "agree to the rules" not in (await site.browser().get("/auth/sign_up")).text


@scene()
async def test_every_page_leads_to_signing_in(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    link = '<a href="/auth/sign_in">Sign in</a>'
    assert link in (await browser.get("/@alice")).text
    await browser.sign_in("alice@mail.example")
    assert link not in (await browser.get("/@alice")).text
