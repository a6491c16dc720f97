"""The page of a collection, as strangers see it."""

from __future__ import annotations

from typing import Any

from phiomia.domain.collections.edit import CollectionDraft, create_collection
from phiomia.domain.collections.fill import add_to_collection
from web.browser import BASE, Site, scene
from world import Account, make_account

from .test_public_pages import Tags, read


async def _make(site: Site, owner: Account, *people: Account, **more: Any) -> int:
    draft = CollectionDraft(**{"name": "Moss people", "description": "They know <moss>", **more})
    made = await site.db.write(lambda session: create_collection(session, owner.id, draft))
    for one in people:
        await site.execute("UPDATE accounts SET discoverable = true, rev = rev + 1 WHERE id = :id", id=one.id)
        await site.db.write(lambda session, who=one.id: add_to_collection(session, owner.id, made, who))  # type: ignore[misc]
    return int(made)


@scene()
async def test_a_collection_names_who_is_in_it(site: Site) -> None:
    alice, bob, carol = [await make_account(site.db, name) for name in ("alice", "bob", "carol")]
    made = await _make(site, alice, bob, carol, language="en", tag_name="Moss", discoverable=True)
    page = await read(site, f"/collections/{made}")
    assert "<h1><bdi>Moss people</bdi></h1>" in page.text and "They know &lt;moss&gt;" in page.text
    tags = Tags(page.text)
    people = [given["href"] for given in tags.find("a", **{"class": "author"})]
    assert people == ["/@bob", "/@carol"]
    assert tags.find("a", href="/@alice") and tags.find("a", href="/tags/moss")
    assert tags.find("link", rel="canonical", href=f"{BASE}/collections/{made}")
    uri = f"{BASE}/users/alice/collections/{made}"
    assert f'<{uri}>; rel="alternate"; type="application/activity+json"' in page.headers["link"]
    await site.execute("UPDATE accounts SET state = 2, rev = rev + 1 WHERE id = :id", id=bob.id)
    assert "/@bob" not in (await read(site, f"/collections/{made}")).text


@scene()
async def test_what_is_sensitive_is_folded_away(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    made = await _make(site, alice, sensitive=True)
    page = await read(site, f"/collections/{made}")
    assert "<details><summary>Sensitive</summary>" in page.text
    (described,) = Tags(page.text).find("meta", name="description")
    assert "moss" not in described["content"].lower()
    assert Tags(page.text).find("meta", name="robots"), "what is not to be found is not to be indexed"


@scene()
async def test_who_may_not_be_seen_has_no_collections(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    stranger = await make_account(site.db, "stranger", domain="far.example")
    made, elsewhere = await _make(site, alice), await _make(site, stranger)
    browser = site.browser()
    moved = await browser.get(f"/users/Alice/collections/{made}")
    assert (moved.status, moved.location) == (302, f"/collections/{made}")
    for path in (f"/users/bob/collections/{made}", f"/collections/{elsewhere}", "/collections/1", "/collections/x"):
        await read(site, path, 404)
    await site.execute("UPDATE accounts SET state = 2, rev = rev + 1 WHERE id = :id", id=alice.id)
    await read(site, f"/collections/{made}", 404)
