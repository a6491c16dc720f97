from typing import Any

from contract import assert_entity, assert_returns
from phiomia.domain.accounts.events import AccountUpdated
from phiomia.platform.db import WriteSession
from phiomia.platform.events import SideEffects
from world import BASE, World, story

from .test_media import PNG, draw_png, furnished, send

UPDATE = "PATCH /api/v1/accounts/update_credentials"
VERIFY = "GET /api/v1/accounts/verify_credentials"


@story("accounts_update")
async def test_own_account(world: World) -> None:
    alice = await world.account("alice", role=3)
    entity = await world.client.check(VERIFY, alice)
    assert entity["id"] == str(alice.id) and entity["acct"] == "alice"
    assert entity["role"]["name"] == "Owner"
    source = entity["source"]
    assert (source["privacy"], source["sensitive"], source["language"]) == ("public", False, None)
    assert source["note"] == "" and source["fields"] == [] and source["follow_requests_count"] == 0
    assert (await world.client.get("/api/v1/accounts/verify_credentials")).status == 401


@story("accounts_update")
async def test_every_parameter(world: World) -> None:
    alice = await world.account("alice")
    await world.account("Bob")
    form = [
        ("display_name", "  Alice   Liddell "),
        ("note", "Hi @bob and @nobody, see #Wonder\nhttps://example.org/x"),
        ("locked", "true"),
        ("bot", "1"),
        ("discoverable", "true"),
        ("hide_collections", "true"),
        ("indexable", "true"),
        ("avatar_description", "a girl"),
        ("header_description", "a garden"),
        ("attribution_domains[]", "https://Example.org/"),
        ("attribution_domains[]", "*.blog.example"),
        ("fields_attributes[1][name]", "Second"),
        ("fields_attributes[1][value]", "two"),
        ("fields_attributes[0][name]", "Site"),
        ("fields_attributes[0][value]", "https://alice.example"),
        ("fields_attributes[2][name]", ""),
        ("fields_attributes[2][value]", ""),
        ("source[privacy]", "private"),
        ("source[sensitive]", "true"),
        ("source[language]", "de"),
        ("source[quote_policy]", "nobody"),
    ]
    entity = await world.client.check(UPDATE, alice, form=form)
    assert entity["display_name"] == "Alice Liddell"
    assert f'<a href="{BASE}/@Bob" class="u-url mention">@<span>Bob</span></a>' in entity["note"]
    assert "@nobody" in entity["note"] and f"{BASE}/tags/wonder" in entity["note"] and "<br />" in entity["note"]
    assert [field["name"] for field in entity["fields"]] == ["Site", "Second"]
    assert 'rel="me nofollow noopener noreferrer"' in entity["fields"][0]["value"]
    assert all(entity[name] is True for name in ("locked", "bot", "discoverable", "indexable", "hide_collections"))
    assert (entity["avatar_description"], entity["header_description"]) == ("a girl", "a garden")
    assert entity["source"] == {
        "privacy": "private",
        "sensitive": True,
        "language": "de",
        "note": "Hi @bob and @nobody, see #Wonder\nhttps://example.org/x",
        "fields": [
            {"name": "Site", "value": "https://alice.example", "verified_at": None},
            {"name": "Second", "value": "two", "verified_at": None},
        ],
        "follow_requests_count": 0,
        "hide_collections": True,
        "discoverable": True,
        "indexable": True,
        "attribution_domains": ["example.org", "blog.example"],
        "quote_policy": "nobody",
    }
    assert await world.client.check(VERIFY, alice) == entity
    # What is not named stays; fields may also come as a list.
    fields = [{"name": "Only", "value": "one"}]
    entity = await world.client.check(UPDATE, alice, json={"fields_attributes": fields, "source": {"language": ""}})
    assert [field["name"] for field in entity["fields"]] == ["Only"]
    assert entity["display_name"] == "Alice Liddell" and entity["locked"] is True
    assert entity["source"]["language"] is None and entity["source"]["privacy"] == "private"
    entity = await world.client.check(UPDATE, alice, json={"fields_attributes": {"0": {"name": "A", "value": "b"}}})
    assert [field["name"] for field in entity["fields"]] == ["A"]
    entity = await world.client.check(
        UPDATE, alice, form=[("note", ""), ("bot", "false"), ("attribution_domains[]", "")]
    )
    assert (entity["note"], entity["bot"], entity["source"]["attribution_domains"]) == ("", False, [])
    assert (await world.client.request("PATCH", "/api/v1/accounts/update_credentials", alice)).status == 200


@story("accounts_update")
async def test_limits(world: World) -> None:
    alice = await world.account("alice")
    wrong: list[dict[str, Any]] = [
        {"display_name": "x" * 41},
        {"note": "x" * 501},
        {"avatar_description": "x" * 151},
        {"fields_attributes": [{"name": f"n{number}", "value": "v"} for number in range(5)]},
        {"fields_attributes": [{"name": "x" * 256, "value": "v"}]},
        {"fields_attributes": [{"name": "", "value": "v"}]},
        {"fields_attributes": "x"},
        {"attribution_domains": ["not a domain"]},
        {"source": {"privacy": "direct"}},
        {"source": {"language": "klingon!"}},
    ]
    for body in wrong:
        answer = await world.client.request("PATCH", "/api/v1/accounts/update_credentials", alice, json=body)
        assert answer.status == 422, body
        assert_entity("ValidationError" if "details" in answer.json else "Error", answer.json)
    # A link counts as 23 characters.
    note = f"https://example.org/{'x' * 490} {'y' * 470}"
    assert (await world.client.check(UPDATE, alice, json={"note": note}))["source"]["note"] == note


@story("accounts_update")
async def test_pictures(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world):
        path = "/api/v1/accounts/update_credentials"
        files = {"avatar": PNG, "header": ("h.png", "image/png", draw_png(90, 30))}
        answer = await send(world, "PATCH", path, alice, files=files, display_name="A", avatar_description="me")
        assert answer.status == 200, answer.body
        first = answer.json
        assert_returns(UPDATE, first)
        storage = world.api.storage
        for name in ("avatar", "avatar_static", "header"):
            assert storage.path(first[name].removeprefix(f"{BASE}/media/")) is not None
        answer = await send(world, "PATCH", path, alice, files={"avatar": PNG})
        assert answer.json["avatar"] != first["avatar"] and answer.json["header"] == first["header"]
        assert await world.value("SELECT count(*) FROM jobs WHERE type = 'instance.delete_files'") == 1
        # A file field that was left alone comes empty.
        same = await send(world, "PATCH", path, alice, files={"avatar": ("", "application/octet-stream", b"")})
        assert same.json["avatar"] == answer.json["avatar"]
        files_before = (await storage.usage()).files
        bad = {"avatar": PNG, "header": ("h.png", "image/png", b"no picture")}
        answer = await send(world, "PATCH", path, alice, files=bad)
        assert answer.status == 422 and "header" in answer.json["details"]
        assert (await storage.usage()).files == files_before
        entity = await world.client.check("DELETE /api/v1/profile/avatar", alice)
        assert entity["avatar"].startswith(f"{BASE}/avatars/original/missing") and entity["avatar_description"] == ""
        assert entity["header"] == first["header"]
        entity = await world.client.check("DELETE /api/v1/profile/header", alice)
        assert entity["header"].startswith(f"{BASE}/headers/original/missing")
        assert [entry.name for entry in world.api.temporary.glob("*")] == []


@story("accounts_update")
async def test_profile(world: World) -> None:
    alice = await world.account("alice")
    body = {"note": "**hi**", "fields_attributes": [{"name": "a", "value": "https://b.example"}]}
    entity = await world.client.check("PATCH /api/v1/profile", alice, json=body)
    assert entity["note"] == "**hi**" and entity["formatted_note"] == "<p>**hi**</p>" and entity["avatar"] is None
    assert entity["fields"][0]["value"] == "https://b.example" and "<a " in entity["formatted_fields"][0]["value"]
    assert await world.client.check("GET /api/v1/profile", alice) == entity


@story("accounts_update", "accounts", "featured_tags")
async def test_parts_of_the_profile(world: World) -> None:
    alice = await world.account("alice")
    tabs = ("show_media", "show_media_replies", "show_featured")
    shown = await world.client.check("GET /api/v1/profile", alice)
    assert [shown[name] for name in tabs] == [True, True, True]
    hidden = await world.client.check(
        "PATCH /api/v1/profile", alice, form={"show_media_replies": "false", "show_featured": "0"}
    )
    assert [hidden[name] for name in tabs] == [True, False, False]
    seen = await world.client.check("GET /api/v1/accounts/:id", None, id=alice.id)
    assert [seen[name] for name in tabs] == [True, False, False]
    again = await world.client.check("PATCH /api/v1/profile", alice, json={"show_featured": True})
    assert [again[name] for name in tabs] == [True, False, True]
    featured = await world.client.check("POST /api/v1/featured_tags", alice, json={"name": "Moss"})
    assert (await world.client.check("GET /api/v1/profile", alice))["featured_tags"] == [featured]


@story("accounts_update")
async def test_what_is_kept_is_never_stale(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    assert (await world.client.check(VERIFY, alice))["followers_count"] == 0
    await world.execute("UPDATE accounts SET followers_count = 7, rev = rev + 1 WHERE id = :id", id=alice.id)
    assert (await world.client.check(VERIFY, alice))["followers_count"] == 7
    await world.execute(
        "INSERT INTO follow_requests (id, account_id, target_id, created_at) VALUES (1, :bob, :alice, 0)",
        bob=bob.id,
        alice=alice.id,
    )
    assert (await world.client.check(VERIFY, alice))["source"]["follow_requests_count"] == 1
    await world.execute("UPDATE users SET role = 1, rev = rev + 1 WHERE id = :id", id=alice.user_id)
    assert (await world.client.check(VERIFY, alice))["role"]["name"] == "Moderator"
    assert (await world.client.check(VERIFY, bob))["username"] == "bob"


@story("accounts_update")
async def test_others_are_told(world: World) -> None:
    alice = await world.account("alice")
    told: list[AccountUpdated] = []

    async def tell(_session: WriteSession, event: AccountUpdated) -> None:
        told.append(event)

    world.db.services.side_effects = {AccountUpdated: SideEffects(now=(tell,))}
    await world.client.check(UPDATE, alice, json={"indexable": True})
    await world.client.check(UPDATE, alice, json={"indexable": True, "display_name": "A"})
    await world.client.check("DELETE /api/v1/profile/header", alice)
    assert [(event.account_id, event.indexable_changed) for event in told] == [
        (alice.id, True),
        (alice.id, False),
        (alice.id, False),
    ]


@story("preferences", "accounts_update")
async def test_preferences(world: World) -> None:
    alice = await world.account("alice")
    chosen = await world.client.check("GET /api/v1/preferences", alice)
    assert chosen["posting:default:visibility"] == "public" and chosen["reading:expand:media"] == "default"
    await world.client.check(UPDATE, alice, json={"source": {"privacy": "unlisted", "sensitive": True}})
    await world.execute(
        "UPDATE users SET settings = :settings", settings='{"expand_media":"show_all","expand_spoilers":true,"x":1}'
    )
    chosen = await world.client.check("GET /api/v1/preferences", alice)
    assert chosen["posting:default:visibility"] == "unlisted" and chosen["posting:default:sensitive"] is True
    assert chosen["reading:expand:media"] == "show_all" and chosen["reading:expand:spoilers"] is True
