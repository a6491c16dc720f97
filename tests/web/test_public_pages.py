"""Profiles, posts and hashtags as strangers see them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from phiomia.domain.accounts.state import AccountState
from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.pin import pin
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.quote_policy import CHOICES
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.visibility import Visibility
from phiomia.upgrade import schema
from phiomia.web.assets import static_url
from phiomia.web.shown import Emoji, emojify
from web.browser import BASE, Page, Site, open_site, scene
from web.served import serve
from world import Account, make_account, make_picture

MOST_BYTES = 30 * 1024


async def post(site: Site, author: Account, text: str, **more: Any) -> int:
    draft = StatusDraft(author.id, content=f"<p>{text}</p>", **more)
    return await site.db.write(lambda session: create_status(session, draft))


async def read(site: Site, path: str, status: int = 200) -> Page:
    page = await site.browser().get(path)
    assert page.status == status, page.text
    check_safety(page)
    return page


def check_safety(page: Page) -> None:
    """What holds for every page: nothing inline, nothing from elsewhere, a text for every picture."""
    if page.status >= 300 and not page.text:
        return
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    for tag, given in Tags(page.text).tags:
        assert tag not in ("script", "style", "iframe"), tag
        assert not [name for name in given if name == "style" or name.startswith("on")], given
        if tag == "img":
            assert "alt" in given
            assert given["src"].startswith("/")


class Tags(HTMLParser):
    """The start tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def find(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """The attributes of those tags that have these."""
        return [given for found, given in self.tags if found == tag and wanted.items() <= given.items()]


@scene()
async def test_a_profile_shows_what_is_for_everybody(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    for word in ("PUBLIC", "UNLISTED", "PRIVATE", "DIRECT"):
        await post(site, alice, f"This is {word}.", visibility=Visibility[word])
    await site.execute("UPDATE accounts SET note='<p>Likes <em>tea</em>.</p>', rev=rev+1")
    page = await read(site, "/@alice")
    assert "Alice" in page.text
    assert "@alice@phiomia.example" in page.text
    assert "<p>Likes <em>tea</em>.</p>" in page.text
    assert "This is PUBLIC." in page.text
    assert "This is UNLISTED." in page.text
    assert "PRIVATE" not in page.text
    assert "DIRECT" not in page.text
    assert page.text.index("UNLISTED") < page.text.index("This is PUBLIC"), "the newest first"
    assert "set-cookie" not in page.headers
    assert page.headers["link"] == f'<{BASE}/users/alice>; rel="alternate"; type="application/activity+json"'
    tags = Tags(page.text)
    assert tags.find("link", rel="canonical")[0]["href"] == f"{BASE}/@alice"
    assert tags.find("meta", name="description")[0]["content"] == "Likes tea."
    assert tags.find("meta", property="og:url")[0]["content"] == f"{BASE}/@alice"
    assert (await read(site, "/@ALICE")).status == 200


@scene()
async def test_older_posts_are_a_link_away(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    ids = [await post(site, alice, f"Number {number}.") for number in range(45)]
    await site.db.write(lambda session: pin(session, alice.id, ids[3]))
    seen: list[str] = []
    path = "/@alice"
    for expected in (20, 20, 5):
        page = await read(site, path)
        numbers = re.findall(r"<p>Number (\d+)\.</p>", page.text)
        if path == "/@alice":
            assert "Pinned" in page.text
            assert numbers.pop(0) == "3"
        assert len(numbers) == expected
        seen += numbers
        path = next((link["href"] for link in Tags(page.text).find("a", rel="next")), "")
    assert seen == [str(number) for number in reversed(range(45))]
    assert path == ""
    for nonsense in ("x", "-1", "9" * 30, "%00", "1&max_id=2"):
        await read(site, f"/@alice?max_id={nonsense}")


@scene()
async def test_a_post_stands_in_its_thread(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    first = await post(site, alice, "The root.")
    second = await post(site, bob, "The post.", in_reply_to_id=first, mentions=[alice.id], visibility=Visibility(1))
    await post(site, alice, "The answer.", in_reply_to_id=second, mentions=[bob.id])
    await post(site, alice, "The whisper.", in_reply_to_id=second, mentions=[bob.id], visibility=Visibility.PRIVATE)
    page = await read(site, f"/@bob/{second}")
    places = [page.text.index(f"<p>The {word}.</p>") for word in ("root", "post", "answer")]
    assert places == sorted(places)
    assert "whisper" not in page.text
    assert "In reply to @alice" in page.text
    assert page.headers["link"].startswith(f"<{BASE}/users/bob/statuses/{second}>")
    assert Tags(page.text).find("meta", property="og:description")[0]["content"] == "The post."
    style = await site.browser().get(static_url("style.css"))
    assert len(page.text.encode()) + len(style.text.encode()) < MOST_BYTES
    share = await site.db.write(lambda session: boost(session, alice.id, second))
    moved = await read(site, f"/@alice/{share}", 302)
    assert moved.location == f"/@bob/{second}"
    assert "Alice</bdi> shared" in (await read(site, "/@alice")).text


@scene()
async def test_what_is_not_for_everybody_is_not_there(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    await make_account(site.db, "carol", domain="elsewhere.example")
    await make_account(site.db, "mallory", state=AccountState.SUSPENDED)
    public = await post(site, alice, "Hello.")
    private = await post(site, alice, "Psst.", visibility=Visibility.PRIVATE)
    direct = await post(site, alice, "Psst.", visibility=Visibility.DIRECT, mentions=[bob.id])
    await make_account(site.db, "waiting")
    await site.execute("UPDATE users SET approved_at=NULL WHERE email='waiting@mail.example'")
    missing = [
        *(
            "/@nobody",
            "/@mallory",
            "/@waiting",
            "/@carol",
            "/@carol@elsewhere.example",
            "/@alice%00",
            "/@" + "x" * 3000,
        ),
        *(f"/@alice/{private}", f"/@alice/{direct}", f"/@bob/{public}", "/@alice/1", "/@alice/x", "/@alice/%C2%B2"),
        *(f"/@alice/{'9' * 19}", f"/@alice/{'9' * 40}", "/users/mallory", f"/users/bob/statuses/{public}"),
        *("/tags/nobodyusedthis", "/tags/%00", "/tags/123", "/users/x%0D%0ASet-Cookie:%20a=b"),
    ]
    for path in missing:
        page = await read(site, path, 404)
        assert "There is nothing here" in page.text
        assert "Psst" not in page.text
        assert page.headers["cache-control"] == "private, no-store"
    await _check_unknown_addresses(site)
    await site.execute("UPDATE accounts SET state=2, rev=rev+1 WHERE username='alice'")
    for path in ("/@alice", f"/@alice/{public}"):
        await read(site, path, 404)
    assert "Hello." not in (await read(site, "/")).text


async def _check_unknown_addresses(site: Site) -> None:
    browser = site.browser()
    for path in ("/nonsense", "/about/nonsense", "/settings/nonsense"):
        page = await browser.get(path, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (page.status, "There is nothing here" in page.text) == (404, True)
        check_safety(page)
        assert "html" not in (await browser.get(path, {"Accept": "*/*"})).text
    assert (await browser.post("/nonsense", {}, {"Accept": "text/html"})).status == 404
    assert "html" not in (await browser.get("/media/nonsense", {"Accept": "text/html"})).text


@scene()
async def test_ids_in_the_network_lead_to_pages(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    made = await post(site, alice, "Hello.")
    assert (await read(site, "/users/Alice", 302)).location == "/@alice"
    assert (await read(site, f"/users/alice/statuses/{made}", 302)).location == f"/@alice/{made}"


@scene()
async def test_a_hashtag_collects_public_posts(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    for number in range(22):
        await post(site, alice, f"Tea {number}.", tags=[("tea", "Tea")])
    await post(site, alice, "Secret tea.", tags=[("tea", "tea")], visibility=Visibility.UNLISTED)
    page = await read(site, "/tags/TEA")
    assert "<h1>#Tea</h1>" in page.text
    assert "Tea 21." in page.text
    assert "Secret" not in page.text
    (older,) = Tags(page.text).find("a", rel="next")
    rest = await read(site, older["href"])
    assert re.findall(r"Tea (\d+)\.", rest.text) == ["1", "0"]


@scene()
async def test_a_member_s_posts_with_a_hashtag_have_a_page(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    for number in range(22):
        await post(site, alice, f"Tea {number}.", tags=[("tea", "Tea")])
    await post(site, alice, "Coffee.", tags=[("coffee", "coffee")])
    await post(site, alice, "Secret tea.", tags=[("tea", "tea")], visibility=Visibility.PRIVATE)
    await post(site, bob, "My tea.", tags=[("tea", "tea")])
    page = await read(site, "/@alice/tagged/TEA")
    assert "Tea 21." in page.text
    assert not re.search("Coffee|Secret|My tea", page.text)
    (older,) = Tags(page.text).find("a", rel="next")
    assert older["href"].startswith("/@alice/tagged/tea?")
    rest = await read(site, older["href"])
    assert re.findall(r"Tea (\d+)\.", rest.text) == ["1", "0"]
    assert "nothing here" in (await read(site, "/@bob/tagged/coffee")).text
    for path in ("/@alice/tagged/unknown", "/@nobody/tagged/tea", "/@alice/tagged/a%20b"):
        await read(site, path, 404)


@scene()
async def test_the_front_page_shows_the_newest_posts(site: Site) -> None:
    alice, carol = await make_account(site.db, "alice"), await make_account(site.db, "carol", domain="other.example")
    first = await post(site, alice, "Number 0.")
    for number in range(1, 12):
        await post(site, alice, f"Number {number}.")
    await post(site, alice, "An answer.", in_reply_to_id=first)  # to oneself: shown
    await post(site, alice, "Unlisted.", visibility=Visibility.UNLISTED)
    await post(site, carol, "From afar.", local=False, uri="https://other.example/1")
    page = await read(site, "/")
    assert re.findall(r"<p>Number (\d+)\.", page.text) == [str(number) for number in range(11, 2, -1)]
    assert "An answer." in page.text
    assert "Unlisted." not in page.text
    assert "From afar." not in page.text
    assert "noindex" not in page.text


@scene()
async def test_who_does_not_want_to_be_found_is_not(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    made = await post(site, alice, "Hello.", tags=[("tea", "tea")])
    paths = ("/@alice", f"/@alice/{made}", "/tags/tea")
    for path in paths:
        page = await read(site, path)
        assert Tags(page.text).find("meta", name="robots", content="noindex, noarchive"), path
        assert "data-nosnippet" in page.text
    await site.execute("UPDATE accounts SET indexable=TRUE, rev=rev+1")
    for path in paths:
        page = await read(site, path)
        assert "noindex" not in page.text
        assert "data-nosnippet" not in page.text


@scene()
async def test_warnings_pictures_and_polls(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    picture = await make_picture(site.db, alice, description='A "cat" & a <dog>')
    bare = await make_picture(site.db, alice)
    shown = await post(site, alice, "Look.", media_ids=[picture, bare])
    page = await read(site, f"/@alice/{shown}")
    found = [given for given in Tags(page.text).find("img", loading="lazy") if given["src"].startswith("/media/")]
    assert [given["alt"] for given in found] == ['A "cat" & a <dog>', "Picture without description"]
    assert found[0]["src"] == f"/media/media/{picture}-small.webp"
    assert "/media/media/" in Tags(page.text).find("meta", property="og:image")[0]["content"]

    hidden = await make_picture(site.db, alice, description="A wound")
    warned = await post(site, alice, "It hurts.", spoiler_text="<Blood>", sensitive=True, media_ids=[hidden])
    page = await read(site, f"/@alice/{warned}")
    assert re.search(r"<details><summary[^>]*>&lt;Blood&gt;</summary>.*It hurts\..*</details>", page.text, re.DOTALL)
    assert Tags(page.text).find("meta", name="description")[0]["content"] == "<Blood>"
    assert "/media/media/" not in Tags(page.text).find("meta", property="og:image")[0]["content"]

    sensitive = await make_picture(site.db, alice, description="A spider")
    made = await post(site, alice, "Beware.", sensitive=True, media_ids=[sensitive])
    page = await read(site, f"/@alice/{made}")
    assert re.search(r"<details><summary>Sensitive media</summary>.*A spider.*</details>", page.text, re.DOTALL)

    asked = await post(site, alice, "Tea?", poll=PollDraft(["Yes", "No"], 3600))
    await site.execute("UPDATE poll_options SET votes_count=3 WHERE title='Yes'")
    await site.execute("UPDATE poll_options SET votes_count=1 WHERE title='No'")
    await site.execute("UPDATE polls SET voters_count=4")
    page = await read(site, f"/@alice/{asked}")
    assert [(bar["value"], bar["max"]) for bar in Tags(page.text).find("progress")] == [("3", "4"), ("1", "4")]
    assert "75%" in page.text
    assert "4 people voted" in page.text
    secret = await post(site, alice, "Tea?", poll=PollDraft(["Yes", "No"], 3600, hide_totals=True))
    page = await read(site, f"/@alice/{secret}")
    assert "Yes" in page.text
    assert not Tags(page.text).find("progress")


@scene()
async def test_what_a_post_quotes_stands_in_it_if_everybody_may_see_it(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    line = "<p class='quote-inline'>RE: it</p>"
    tea = await post(site, bob, "Tea?", spoiler_text="Drinks", quote_policy=CHOICES["public"])
    shown = await post(site, alice, f"Yes!</p>{line}<p>", quote=QuoteDraft(tea))
    asked = await post(site, alice, "May I?", quote=QuoteDraft(tea))
    secret = await post(site, bob, "Between us", quote_policy=CHOICES["public"])
    hidden = await post(site, alice, "Look", quote=QuoteDraft(secret))
    await site.execute(f"UPDATE statuses SET visibility={int(Visibility.PRIVATE)} WHERE id={secret}")
    for status_id, state in ((shown, QuoteState.ACCEPTED), (asked, QuoteState.PENDING), (hidden, QuoteState.ACCEPTED)):
        await site.execute(f"UPDATE quotes SET state={int(state)} WHERE status_id={status_id}")
    page = await read(site, f"/@alice/{shown}")
    assert Tags(page.text).find("blockquote", **{"aria-label": "Quoted post by Bob"})
    quoted = page.text.partition("<blockquote")[2].partition("</blockquote>")[0]
    assert "Tea?" in quoted.partition("<details>")[2] and "Drinks</summary>" in quoted and f"/@bob/{tea}" in quoted
    for status_id, said in ((asked, "once its author agrees"), (hidden, "can't be shown")):
        page = await read(site, f"/@alice/{status_id}")
        assert said in page.text.replace("&#39;", "'")
        assert "Tea?" not in page.text and "Between us" not in page.text


@scene()
async def test_names_and_warnings_are_text(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    await site.execute("UPDATE accounts SET display_name='<script>alert(1)</script>', rev=rev+1")
    made = await post(site, alice, "Hi.", spoiler_text='"><script>', language='"><i>')
    for path in ("/", "/@alice", f"/@alice/{made}"):
        page = await read(site, path)
        assert "<script" not in page.text
        assert "<i>" not in page.text


@scene()
async def test_pages_may_be_kept_for_a_moment_unless_somebody_is_signed_in(site: Site) -> None:
    await site.member("alice")
    browser = site.browser()
    packed = await browser.get("/@alice", {"Accept-Encoding": "gzip"})
    assert packed.headers["cache-control"] == "public, max-age=15"
    assert packed.headers["content-encoding"] == "gzip"
    assert "Cookie" in packed.headers["vary"]
    await browser.sign_in("alice@mail.example")
    page = await browser.get("/@alice", {"Accept-Encoding": "gzip"})
    assert page.headers["cache-control"] == "private, no-store"
    assert "content-encoding" not in page.headers
    assert "Sign out" in page.text


def test_shortcodes_become_pictures_in_text_only() -> None:
    emojis = [Emoji("cat", f"{BASE}/media/cat.png"), Emoji("far", "https://elsewhere.example/far.png")]
    html = '<a href="https://a.example/:cat:>" class="x">:cat: :far: :dog:</a>'
    shown = emojify(BASE, html, emojis, is_html=True)
    picture = '<img class="emoji" src="/media/cat.png" alt=":cat:" title=":cat:" loading="lazy">'
    assert shown == f'<a href="https://a.example/:cat:>" class="x">{picture} :far: :dog:</a>'
    assert emojify(BASE, "<b>:cat:", emojis) == f"&lt;b&gt;{picture}"
    assert emojify(BASE, "<b>:cat:", []) == "&lt;b&gt;:cat:"


@contextmanager
def run_site(url: str, port: int) -> Iterator[dict[str, str]]:
    """Serves the pages; gives the paths of some of them."""
    made = dict[str, str]()

    @asynccontextmanager
    async def fill() -> AsyncIterator[Any]:
        async with open_site(url, public_url=f"http://127.0.0.1:{port}") as site:
            alice = await make_account(site.db, "alice")
            fields = [{"name": "W" * 255, "value": "", "html": "M" * 255, "verified_at": None}]
            await site.execute(
                "UPDATE accounts SET fields=:fields, display_name=:name, rev=rev+1",
                fields=msgspec.json.encode(fields).decode(),
                name="N" * 40,
            )
            text = "https://example.org/" + "a" * 200
            status = await post(site, alice, text, spoiler_text="Long", poll=PollDraft(["O" * 50, "Q"], 3600))
            await post(site, alice, text, tags=[("tea", "tea")], in_reply_to_id=status)
            made.update(profile="/@alice", status=f"/@alice/{status}", tag="/tags/tea", home="/")
            yield site.conductor.app

    with serve(port, fill):
        yield made


@pytest.mark.browser
def test_pages_fit_a_small_screen_in_the_light_and_in_the_dark(chromium: str, tmp_path: Path, free_port: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    url = f"sqlite:///{tmp_path / 'phiomia.sqlite3'}"
    asyncio.run(schema.upgrade(url))
    grounds = set()
    with run_site(url, free_port) as paths, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                java_script_enabled=False, viewport={"width": 320, "height": 640}, color_scheme=scheme
            )
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message, heard=complaints: heard.append(message.text))
            for path in paths.values():
                page.goto(f"http://127.0.0.1:{free_port}{path}")
                assert page.locator("html").evaluate("root => root.scrollWidth") <= 320, path
                assert page.locator("h1").count() == 1
            grounds.add(page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))
            page.goto(f"http://127.0.0.1:{free_port}{paths['status']}")
            poll = page.locator(".main .poll")
            assert not poll.is_visible()
            page.locator(".main summary").click()
            assert poll.is_visible()
            assert not [text for text in complaints if "Content Security Policy" in text]
        browser.close()
    assert len(grounds) == 2
