"""Filters over the API: kept by their owners, and held against every status that these are shown."""

import json
from typing import Any

import msgspec
import pytest

from contract import assert_entity
from phiomia.domain.filters.known import KnownFilters
from phiomia.entities.fragments import Fragments
from phiomia.platform import limits
from phiomia.platform.events import read_stream
from phiomia.streaming.log_events import StatusEvent
from phiomia.streaming.ports import StreamViewer
from phiomia.streams import Renderings
from world import Account, Answer, World, make_token, story

MODULES = (
    "accounts", "bookmarks", "favourites", "filters", "filters_v1", "follow_requests", "notification_groups",
    "notifications", "search", "statuses", "timelines",
)  # fmt: skip
V2 = "/api/v2/filters"
V1 = "/api/v1/filters"


async def _post(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, json={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _make(world: World, who: Account, *keywords: str, **more: Any) -> Any:
    form = {"title": "Unwanted", "context": ["home"], "keywords_attributes": [{"keyword": one} for one in keywords]}
    answer = await world.client.post(V2, who, json=form | more)
    assert answer.status == 200, answer.body
    assert_entity("Filter", answer.json)
    return answer.json


def _matches(status: Any) -> list[tuple[str, Any, Any]]:
    for result in status["filtered"]:
        assert_entity("FilterResult", result)
        assert "keywords" not in result["filter"] and "statuses" not in result["filter"]
    return [(one["filter"]["id"], one["keyword_matches"], one["status_matches"]) for one in status["filtered"]]


async def _see(world: World, who: Account | None, status_id: str) -> list[tuple[str, Any, Any]]:
    answer = await world.client.get(f"/api/v1/statuses/{status_id}", who)
    assert answer.status == 200, answer.body
    assert_entity("Status", answer.json)
    return _matches(answer.json)


@story(*MODULES, effects=True)
async def test_a_filter_is_made_changed_and_removed(world: World) -> None:
    alice = await world.account("alice")
    assert (await world.client.get(V2, alice)).json == []
    made = await world.client.check(
        "POST /api/v2/filters",
        alice,
        form=[
            ("title", "Sports"),
            ("context[]", "account"),
            ("context[]", "home"),
            ("filter_action", "blur"),
            ("expires_in", "3600"),
            ("keywords_attributes[][keyword]", "Goal"),
            ("keywords_attributes[][whole_word]", "false"),
            ("keywords_attributes[][keyword]", "match day"),
        ],
    )
    assert made["context"] == ["home", "account"] and made["filter_action"] == "blur" and made["expires_at"]
    assert [(one["keyword"], one["whole_word"]) for one in made["keywords"]] == [("Goal", False), ("match day", True)]
    first, second = [one["id"] for one in made["keywords"]]
    assert await world.client.check("GET /api/v2/filters/:id", alice, id=made["id"]) == made
    assert await world.client.check("GET /api/v2/filters", alice) == [made]

    changed = await world.client.check(
        "PUT /api/v2/filters/:id",
        alice,
        id=made["id"],
        form={
            "title": "Sport",
            "expires_in": "",
            "keywords_attributes[0][id]": first,
            "keywords_attributes[0][keyword]": "goals",
            "keywords_attributes[1][id]": second,
            "keywords_attributes[1][_destroy]": "1",
            "keywords_attributes[2][keyword]": "referee",
        },
    )
    assert changed["title"] == "Sport" and changed["expires_at"] is None and changed["filter_action"] == "blur"
    assert [(one["keyword"], one["whole_word"]) for one in changed["keywords"]] == [("goals", False), ("referee", True)]
    kept = (await world.client.request("PATCH", f"{V2}/{made['id']}", alice, json={"context": ["thread"]})).json
    assert kept["context"] == ["thread"] and kept["keywords"] == changed["keywords"]

    assert await world.client.check("DELETE /api/v2/filters/:id", alice, id=made["id"]) == {}
    assert (await world.client.get(V2, alice)).json == []
    assert (await world.client.get(f"{V2}/keywords/{first}", alice)).status == 404


@story(*MODULES, effects=True)
async def test_keywords_and_statuses_are_put_in_and_taken_out(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    one = await _make(world, alice)
    at = f"{V2}/{one['id']}"
    keyword = (await world.client.post(f"{at}/keywords", alice, form={"keyword": "Cat"})).json
    assert_entity("FilterKeyword", keyword)
    assert keyword["whole_word"] is True
    assert await world.client.check("GET /api/v2/filters/keywords/:id", alice, id=keyword["id"]) == keyword
    changed = await world.client.check(
        "PUT /api/v2/filters/keywords/:id", alice, id=keyword["id"], form={"keyword": "dog", "whole_word": "false"}
    )
    assert changed == {"id": keyword["id"], "keyword": "dog", "whole_word": False}
    assert (await world.client.get(f"{at}/keywords", alice)).json == [changed]
    assert await world.client.check("DELETE /api/v2/filters/keywords/:id", alice, id=keyword["id"]) == {}
    assert (await world.client.get(f"{at}/keywords", alice)).json == []

    shown, hidden = await _post(world, bob, "look"), await _post(world, bob, "a secret", visibility="private")
    entry = (await world.client.post(f"{at}/statuses", alice, form={"status_id": shown})).json
    assert_entity("FilterStatus", entry)
    assert entry["status_id"] == shown
    assert (await world.client.post(f"{at}/statuses", alice, form={"status_id": shown})).status == 422
    for unseen in (hidden, "12345"):
        assert (await world.client.post(f"{at}/statuses", alice, form={"status_id": unseen})).status == 404
    assert await world.client.check("GET /api/v2/filters/statuses/:id", alice, id=entry["id"]) == entry
    assert (await world.client.get(f"{at}/statuses", alice)).json == [entry]
    assert await _see(world, alice, shown) == [(one["id"], None, [shown])]
    assert (await world.client.get(V2, alice)).json[0]["statuses"] == [entry]
    assert await world.client.check("DELETE /api/v2/filters/statuses/:id", alice, id=entry["id"]) == {}
    assert await _see(world, alice, shown) == []


@story(*MODULES, effects=True)
async def test_what_is_somebody_elses_is_not_there(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    one = await _make(world, alice, "cat")
    shown = await _post(world, bob, "look")
    entry = (await world.client.post(f"{V2}/{one['id']}/statuses", alice, form={"status_id": shown})).json
    keyword = one["keywords"][0]["id"]
    full: dict[str, Any] = {"title": "x", "phrase": "x", "keyword": "x", "context": ["home"], "status_id": shown}
    tries = [
        *((method, f"{V2}/{one['id']}") for method in ("GET", "PUT", "DELETE")),
        *((method, f"{V2}/keywords/{keyword}") for method in ("GET", "PUT", "DELETE")),
        *((method, f"{V2}/statuses/{entry['id']}") for method in ("GET", "DELETE")),
        *((method, f"{V1}/{keyword}") for method in ("GET", "PUT", "DELETE")),
        *((method, f"{V2}/{one['id']}/{part}") for method in ("GET", "POST") for part in ("keywords", "statuses")),
    ]
    for method, path in tries:
        body = full if method in ("PUT", "POST") else None
        for who, path_tried in ((bob, path), (alice, path.replace(one["id"], "77").replace(keyword, "77"))):
            if who is alice and path_tried == path:
                continue
            answer = await world.client.request(method, path_tried, who, json=body)
            assert answer.status == 404, (method, path_tried, answer.body)
        assert (await world.client.request(method, path, None, json=body)).status == 401
    stranger = await _make(world, bob)
    stolen = {"keywords_attributes": [{"id": keyword, "keyword": "x"}]}
    assert (await world.client.put(f"{V2}/{stranger['id']}", bob, json=stolen)).status == 404
    assert (await world.client.post(V2, bob, json={"title": "x", "context": ["home"], **stolen})).status == 404
    assert len((await world.client.get(V2, bob)).json) == 1
    reader = await make_token(world.db, alice, "read:filters")
    assert (await world.client.get(V2, reader)).status == 200
    for method, path in (("POST", V2), ("POST", V1), ("DELETE", f"{V2}/{one['id']}")):
        assert (await world.client.request(method, path, reader, json=full)).status == 403
    assert (await world.client.get(V2, await make_token(world.db, alice, "read:lists"))).status == 403


@story(*MODULES, effects=True)
async def test_what_makes_no_filter_is_refused(world: World) -> None:
    alice = await world.account("alice")
    good: dict[str, Any] = {"title": "x", "context": ["home"]}
    long = "x" * (limits.FILTER_KEYWORD + 1)
    refused: list[dict[str, Any]] = [
        {"title": None},
        {"title": " "},
        {"title": "x" * (limits.FILTER_TITLE + 1)},
        {"context": None},
        {"context": []},
        {"context": ["everywhere"]},
        {"filter_action": "burn"},
        {"expires_in": "soon"},
        {"expires_in": -1},
        {"keywords_attributes": [{"keyword": ""}]},
        {"keywords_attributes": [{"whole_word": True}]},
        {"keywords_attributes": [{"keyword": long}]},
    ]
    for wrong in refused:
        form = {name: value for name, value in (good | wrong).items() if value is not None}
        answer = await world.client.post(V2, alice, json=form)
        assert answer.status == 422, (wrong, answer.body)
    one = await _make(world, alice, "cat")
    changes: list[dict[str, Any]] = [{"title": ""}, {"context": []}, *refused[2:3], *refused[5:]]
    for wrong in changes:
        assert (await world.client.put(f"{V2}/{one['id']}", alice, json=wrong)).status == 422, wrong
    wrong_keywords: list[dict[str, Any]] = [{}, {"keyword": " "}, {"keyword": long}]
    for body in wrong_keywords:
        assert (await world.client.post(f"{V2}/{one['id']}/keywords", alice, json=body)).status == 422
        assert (await world.client.put(f"{V2}/keywords/{one['keywords'][0]['id']}", alice, json=body)).status == 422
    phrases: list[dict[str, Any]] = [{"phrase": "x"}, {"context": ["home"]}, {"phrase": long, "context": ["home"]}]
    for body in phrases:
        assert (await world.client.post(V1, alice, json=body)).status == 422
    assert (await world.client.get(V2, alice)).json == [one]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FILTERS", "FILTER_KEYWORDS"):
            patch.setattr(limits, name, 1)
        assert (await world.client.post(V2, alice, json=good)).status == 422
        assert (await world.client.post(f"{V2}/{one['id']}/keywords", alice, json={"keyword": "x"})).status == 422


@story(*MODULES, effects=True)
async def test_older_apps_have_phrases(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    form = {"phrase": "Cat food", "context": ["home", "thread"], "irreversible": "true", "expires_in": "600"}
    made = await world.client.check("POST /api/v1/filters", alice, form=form)
    assert made["phrase"] == "Cat food" and made["irreversible"] is True and made["whole_word"] is False
    assert await world.client.check("GET /api/v1/filters/:id", alice, id=made["id"]) == made
    answer = await world.client.get(V1, alice)
    assert answer.json == [made] and answer.headers["deprecation"] == "@1668384000"
    (view,) = (await world.client.get(V2, alice)).json
    assert view["title"] == "Cat food" and view["filter_action"] == "hide"
    assert [one["id"] for one in view["keywords"]] == [made["id"]]
    status = await _post(world, bob, "I sell CAT FOODS")
    assert await _see(world, alice, status) == [(view["id"], ["Cat food"], None)]

    form = {"phrase": "cat", "context": ["home"], "whole_word": "true", "expires_in": ""}
    changed = await world.client.check("PUT /api/v1/filters/:id", alice, id=made["id"], form=form)
    assert changed["expires_at"] is None and changed["irreversible"] is False and changed["context"] == ["home"]
    assert (await world.client.get(V2, alice)).json[0]["title"] == "cat"
    await world.client.post(f"{V2}/{view['id']}/keywords", alice, form={"keyword": "dog"})
    assert len((await world.client.get(V1, alice)).json) == 2
    # What holds for both keywords can't be changed by somebody who sees one of them; the keyword can.
    refused = await world.client.put(f"{V1}/{made['id']}", alice, form=form | {"context": ["public"]})
    assert refused.status == 422
    form = {"phrase": "cats", "context": ["home"]}
    assert (await world.client.put(f"{V1}/{made['id']}", alice, form=form)).json["phrase"] == "cats"
    for phrase in (await world.client.get(V1, alice)).json:
        assert await world.client.check("DELETE /api/v1/filters/:id", alice, id=phrase["id"]) == {}
    assert (await world.client.get(V2, alice)).json == []


@story(*MODULES, effects=True)
async def test_statuses_say_what_filters_meet_them_everywhere(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    for other in (bob, carol):
        await world.client.post(f"/api/v1/accounts/{other.id}/follow", alice)
    question = await _post(world, alice, "what do you eat, with cheese?")
    root = await _post(world, bob, "Cheese for @alice and all #food", in_reply_to_id=question)
    plain, alone = await _post(world, bob, "bread"), await _post(world, bob, "a cheese, alone")
    boost = (await world.client.post(f"/api/v1/statuses/{root}/reblog", carol)).json["id"]
    await world.client.post(f"/api/v1/statuses/{root}/favourite", alice)
    await world.client.post(f"/api/v1/statuses/{root}/bookmark", alice)

    before = (await world.client.get("/api/v1/timelines/home", alice)).json
    assert all(_matches(status) == [] for status in before)
    one = await _make(world, alice, "cheese", filter_action="hide")
    wanted = [(one["id"], ["cheese"], None)]

    pages = {
        "/api/v1/timelines/home": {root, plain, alone, question},
        "/api/v1/timelines/public": {plain, alone},
        "/api/v1/timelines/tag/food": {root},
        f"/api/v1/accounts/{bob.id}/statuses": {root, plain, alone},
        f"/api/v1/accounts/{carol.id}/statuses": {boost},
        "/api/v1/favourites": {root},
        "/api/v1/bookmarks": {root},
    }
    for path, ids in pages.items():
        for _ in range(2):
            found = {status["id"]: status for status in (await world.client.get(path, alice)).json}
            # Apps hide what shall be hidden; the server never leaves anything out.
            assert ids <= set(found), path
            for id_, status in found.items():
                assert _matches(status) == (wanted if id_ in (root, boost, alone) else []), (path, id_)
                if id_ == boost:
                    assert _matches(status["reblog"]) == wanted
    context = (await world.client.get(f"/api/v1/statuses/{question}/context", alice)).json
    assert [_matches(status) for status in context["descendants"]] == [wanted]
    assert await _see(world, alice, root) == await _see(world, alice, boost) == wanted
    assert await _see(world, alice, question) == []
    search = (await world.client.get("/api/v2/search", alice, q="cheese", type="statuses")).json["statuses"]
    assert {status["id"]: _matches(status) for status in search}.get(root, wanted) == wanted
    told = (await world.client.get("/api/v1/notifications", alice)).json
    assert [_matches(one["status"]) for one in told if one["type"] == "mention"] == [wanted]
    groups = (await world.client.get("/api/v2/notifications", alice)).json
    assert {status["id"]: _matches(status) for status in groups["statuses"]}[root] == wanted

    # Nobody else's business; and who looks at nothing but what anybody sees has no filters.
    assert await _see(world, carol, root) == []
    assert "filtered" not in (await world.client.get(f"/api/v1/statuses/{root}")).json
    await world.client.delete(f"{V2}/{one['id']}", alice)
    assert await _see(world, alice, root) == []


@story(*MODULES, effects=True)
async def test_filters_read_all_that_a_person_reads(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    picture = await world.picture(bob, description="a Giraffe in a tree")
    one = await _make(world, alice, "giraffe", "banana", "warning", "öl", "हिन्दी", "bad word", "#tagged", "नम")
    seen = {
        "giraffe": await _post(world, bob, "look", media_ids=[str(picture)]),
        "banana": await _post(world, bob, "which?", poll={"options": ["apple", "Banana!"], "expires_in": 600}),
        "warning": await _post(world, bob, "…", spoiler_text="Warning: spoilers"),
        "öl": await _post(world, bob, "mehr O\u0308L!"),
        "हिन्दी": await _post(world, bob, "मैं हिन्दी बोलता हूँ"),
        "bad word": await _post(world, bob, "a BAD\nword"),
        "#tagged": await _post(world, bob, "so #Tagged"),
    }
    for keyword, status in seen.items():
        assert await _see(world, alice, status) == [(one["id"], [keyword], None)], keyword
    for harmless in (
        "girafferies",
        "bananas",
        "forewarning",
        "mehr Röl",
        "badword",
        "#taggedly",
        "नमस्ते",
        "script p br",
    ):
        assert await _see(world, alice, await _post(world, bob, harmless)) == [], harmless
    await world.client.put(f"/api/v1/statuses/{seen['banana']}", bob, json={"status": "which banana? bad word?"})
    assert await _see(world, alice, seen["banana"]) == [(one["id"], ["banana", "bad word"], None)]


@story(*MODULES, effects=True)
async def test_what_is_quoted_says_so_itself(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    quoted = await _post(world, bob, "cheese", quote_approval_policy="public")
    quoting = await _post(world, bob, "look at this", quoted_status_id=quoted)
    one = await _make(world, alice, "cheese")
    status = (await world.client.get(f"/api/v1/statuses/{quoting}", alice)).json
    assert _matches(status) == []
    assert _matches(status["quote"]["quoted_status"]) == [(one["id"], ["cheese"], None)]


@story(*MODULES, effects=True)
async def test_a_filter_ends_when_its_time_is_over(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    world.api.fragments = Fragments(world.api.fragments.links, filters=KnownFilters(world.api.bus))
    status = await _post(world, bob, "cheese")
    one = await _make(world, alice, "cheese", expires_in=3600)
    assert len(await _see(world, alice, status)) == 1
    matcher = await _matcher(world, alice)
    assert matcher is await _matcher(world, alice)
    matcher.keep_time(msgspec.convert(2**60, int))
    assert matcher.match("cheese", []) == []
    await world.client.put(f"{V2}/{one['id']}", alice, json={"expires_in": 0})
    assert await _see(world, alice, status) == []
    assert len((await world.client.get(V2, alice)).json) == 1


@story(*MODULES, effects=True)
async def test_a_process_that_knows_filters_learns_of_changes(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    world.api.fragments = Fragments(world.api.fragments.links, filters=KnownFilters(world.api.bus))
    status = await _post(world, bob, "cheese and bread")
    assert await _see(world, alice, status) == []
    for number in range(3):
        one = await _make(world, alice, "cheese", "bread")
        assert await _see(world, alice, status) == [(one["id"], ["cheese", "bread"], None)], number
        await world.client.delete(f"{V2}/keywords/{one['keywords'][0]['id']}", alice)
        assert await _see(world, alice, status) == [(one["id"], ["bread"], None)]
        await world.client.delete(f"{V2}/{one['id']}", alice)
        assert await _see(world, alice, status) == []
    async with world.db.read() as session:
        assert await world.api.fragments.filtering.known.of_many(session, [alice.id, bob.id]) == {}


@story(*MODULES, effects=True)
async def test_every_change_is_told_to_streams(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    status = await _post(world, bob, "cheese")
    one = await _make(world, alice, "cheese")
    at = f"{V2}/{one['id']}"
    entry = (await world.client.post(f"{at}/statuses", alice, json={"status_id": status})).json["id"]
    changes: list[tuple[str, str, Any]] = [
        ("PUT", at, {"title": "Food"}),
        ("POST", f"{at}/keywords", {"keyword": "x"}),
        ("PUT", f"{V2}/keywords/{one['keywords'][0]['id']}", {"keyword": "y"}),
        ("DELETE", f"{V2}/keywords/{one['keywords'][0]['id']}", None),
        ("DELETE", f"{V2}/statuses/{entry}", None),
        ("DELETE", at, None),
    ]
    for number, (method, path, body) in enumerate(changes, 2):
        assert await _told(world) == [{"account": alice.id}] * number
        answer: Answer = await world.client.request(method, path, alice, json=body)
        assert answer.status == 200, answer.body
    assert await _told(world) == [{"account": alice.id}] * 8
    assert (await world.client.delete(at, alice)).status == 404
    assert len(await _told(world)) == 8


async def _told(world: World) -> list[Any]:
    async with world.db.read() as session:
        return [json.loads(event.body) for event in await read_stream(session, 0) if event.kind == "filters"]


async def _matcher(world: World, who: Account) -> Any:
    async with world.db.read() as session:
        return await world.api.fragments.filtering.known.of(session, who.id)


@story(*MODULES, effects=True)
async def test_streams_say_what_filters_meet(world: World) -> None:
    alice, bob, carol, dave = [await world.account(name) for name in ("alice", "bob", "carol", "dave")]
    world.api.fragments = Fragments(world.api.fragments.links, filters=KnownFilters(world.api.bus))
    renderings = Renderings(world.db, world.api.fragments)
    status = await _post(world, bob, "cheese for @alice")
    viewers = [StreamViewer(one.id, one.id, frozenset({"read"}), None) for one in (alice, bob, carol, dave)]
    posted = StatusEvent(id=int(status), account=bob.id, visibility="public", local=True)

    async def shown() -> tuple[list[Any], list[Any]]:
        private = await renderings.statuses(int(status), [alice.id, bob.id, carol.id, dave.id])
        audience = await renderings.public_audience(posted, viewers)
        assert set(private) == set(audience) == {alice.id, bob.id, carol.id, dave.id}
        public = [{"filtered": json.loads(audience[one.account_id])} for one in viewers]
        return [_matches(json.loads(private[one.account_id])) for one in viewers], [_matches(one) for one in public]

    assert await shown() == ([[], [], [], []], [[], [], [], []])
    one, own = await _make(world, alice, "cheese"), await _make(world, bob, "cheese")
    other = await _make(world, carol, "bread")
    wanted = [[(one["id"], ["cheese"], None)], [], [], []]
    assert await shown() == (wanted, wanted)
    await world.client.post(f"{V2}/{other['id']}/keywords", carol, json={"keyword": "CHEESE"})
    wanted[2] = [(other["id"], ["CHEESE"], None)]
    assert await shown() == (wanted, wanted)
    told = (await world.client.get("/api/v1/notifications", alice)).json[0]
    payload = await renderings.notification(int(told["id"]), alice.id)
    assert payload is not None and _matches(json.loads(payload)["status"]) == wanted[0]
    for who, made in ((alice, one), (bob, own), (carol, other)):
        await world.client.delete(f"{V2}/{made['id']}", who)
    assert await shown() == ([[], [], [], []], [[], [], [], []])
