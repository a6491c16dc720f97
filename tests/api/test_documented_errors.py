"""What Mastodon refuses is refused here for the same cause, with words that name it.

test_documented_statuses.py sees that every promised status can be reached; here is what each of them means.
"""

from __future__ import annotations

from typing import Any

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.routes import load_endpoints
from phiomia.domain.relationships.follow import follow
from phiomia.platform import limits
from world import Account, World, make_token, story

load_endpoints()
MODULES = sorted({one.handler.__module__.rpartition(".")[2] for one in ENDPOINTS})

Row = tuple[str, str, dict[str, Any], int, str]
GONE = "Record not found"
NOBODY = "1"


def _poll(*options: str, **more: Any) -> dict[str, Any]:
    return {"status": "x", "poll": {"options": options or ("a", "b"), "expires_in": 600, **more}}


def _statuses(it: dict[str, str]) -> list[Row]:
    post = "/api/v1/statuses"
    many = [str(number) for number in range(limits.POLL_OPTIONS + 1)]
    return [
        ("POST", post, {}, 422, "Text can't be blank"),
        ("POST", post, {"status": " \n"}, 422, "Text can't be blank"),
        ("POST", post, {"status": "x" * (limits.STATUS_CHARACTERS + 1)}, 422, "character limit of 500 exceeded"),
        ("POST", post, {"status": "x", "visibility": "all"}, 422, "visibility is not included in the list"),
        ("POST", post, _poll("a"), 422, "must have more than one item"),
        ("POST", post, _poll("a", "a"), 422, "contain duplicates"),
        ("POST", post, _poll(*many), 422, "can't contain more than 4 items"),
        ("POST", post, _poll("a", "b" * 51), 422, "can't be longer than 50 characters"),
        ("POST", post, _poll(expires_in=limits.POLL_MIN_SECONDS - 1), 422, "too soon"),
        ("POST", post, _poll(expires_in=limits.POLL_MAX_SECONDS + 1), 422, "too far into the future"),
        ("POST", post, {"status": "x", "scheduled_at": "soon"}, 422, "is no date and time"),
        ("POST", post, {"status": "x", "in_reply_to_id": NOBODY}, 404, "trying to reply to does not appear to exist"),
        ("POST", post, {"status": "x", "quoted_status_id": NOBODY}, 404, "trying to quote does not appear to exist"),
        ("POST", post, {"status": "x", "media_ids": [NOBODY]}, 422, "Media with IDs 1 not found"),
        ("POST", post, {"status": "x", "media_ids": list("12345")}, 422, "Cannot attach more than 4 files"),
        ("GET", f"{post}/{NOBODY}", {}, 404, GONE),
        ("GET", f"{post}/{it['secret']}", {}, 404, GONE),
        ("PUT", f"{post}/{it['his']}", {"status": "mine now"}, 404, GONE),
        ("DELETE", f"{post}/{it['his']}", {}, 404, GONE),
        ("PUT", f"{post}/{it['hers']}", {"status": ""}, 422, "Text can't be blank"),
        ("POST", f"{post}/{it['his']}/pin", {}, 422, "one's own"),
        ("POST", f"{post}/{it['direct']}/pin", {}, 422, "can't be pinned"),
        ("POST", f"{post}/{it['unpinned']}/pin", {}, 422, f"No more than {limits.PINNED_STATUSES}"),
        ("POST", f"{post}/{it['direct']}/reblog", {}, 403, "not allowed"),
        ("POST", f"{post}/{NOBODY}/favourite", {}, 404, GONE),
        ("POST", f"{post}/{it['secret']}/bookmark", {}, 404, GONE),
        ("POST", f"/api/v1/polls/{it['poll']}/votes", {}, 422, "Choices can't be blank"),
        ("POST", f"/api/v1/polls/{it['poll']}/votes", {"choices": [9]}, 422, "no such choice"),
        ("POST", f"/api/v1/polls/{it['poll']}/votes", {"choices": [0, 1]}, 422, "one choice only"),
        ("POST", f"/api/v1/polls/{it['voted']}/votes", {"choices": [0]}, 422, "already voted"),
        ("POST", f"/api/v1/polls/{it['own_poll']}/votes", {"choices": [0]}, 422, "one's own poll"),
        ("GET", f"/api/v1/polls/{NOBODY}", {}, 404, GONE),
    ]


def _people(it: dict[str, str]) -> list[Row]:
    mine, them = "/api/v1/accounts/update_credentials", "/api/v1/accounts"
    fields = [{"name": str(number), "value": "x"} for number in range(limits.PROFILE_FIELDS + 1)]
    return [
        ("GET", f"{them}/{NOBODY}", {}, 404, GONE),
        ("POST", f"{them}/{NOBODY}/follow", {}, 404, GONE),
        ("POST", f"{them}/{it['alice']}/follow", {}, 404, GONE),
        ("POST", f"{them}/{it['bob']}/note", {"comment": "x" * 2_001}, 422, "is too long (maximum is 2000"),
        ("POST", f"{them}/{it['bob']}/endorse", {}, 422, "accounts that you follow"),
        ("PATCH", mine, {"display_name": "x" * 41}, 422, "Display name is too long (maximum is 40"),
        ("PATCH", mine, {"note": "x" * 501}, 422, "Note is too long (maximum is 500"),
        ("PATCH", mine, {"fields_attributes": fields}, 422, "Fields are too many (maximum is 4)"),
        ("PATCH", mine, {"fields_attributes": [{"name": "x" * 256, "value": "x"}]}, 422, "maximum is 255"),
        ("PATCH", mine, {"source": {"privacy": "all"}}, 422, "source.privacy is not included in the list"),
        ("PATCH", mine, {"source": {"language": "xx"}}, 422, "Language is not known"),
        ("PATCH", mine, {"attribution_domains": ["a b"]}, 422, "no domain"),
        ("POST", "/api/v1/reports", {}, 422, "account_id can't be blank"),
        ("POST", "/api/v1/reports", {"account_id": NOBODY}, 404, GONE),
        ("POST", "/api/v1/reports", {"account_id": it["bob"], "comment": "x" * 1_001}, 422, "maximum is 1000"),
        ("POST", "/api/v1/reports", {"account_id": it["bob"], "status_ids": [it["hers"]]}, 404, GONE),
        (
            "POST", "/api/v1/reports", {"account_id": it["bob"], "category": "violation", "rule_ids": ["9"]}, 422,
            "valid rules",
        ),
        ("POST", f"/api/v1/follow_requests/{NOBODY}/authorize", {}, 404, GONE),
        ("POST", "/api/v1/domain_blocks", {}, 422, "domain can't be blank"),
        ("POST", "/api/v1/domain_blocks", {"domain": "a b"}, 422, "not a valid domain name"),
        ("POST", "/api/v1/collections", {}, 422, "name can't be blank"),
        ("POST", "/api/v1/collections", {"name": "x" * 41}, 422, "Name is too long (maximum is 40"),
    ]  # fmt: skip


def _keeping(it: dict[str, str]) -> list[Row]:
    lists, filters = "/api/v1/lists", "/api/v2/filters"
    return [
        ("POST", lists, {}, 422, "title can't be blank"),
        ("POST", lists, {"title": " "}, 422, "Title can't be blank"),
        ("POST", lists, {"title": "x" * 257}, 422, "Title is too long"),
        ("POST", lists, {"title": "x", "replies_policy": "all"}, 422, "replies_policy is not included in the list"),
        ("PUT", f"{lists}/{NOBODY}", {"title": "x"}, 404, GONE),
        ("GET", f"{lists}/{it['his_list']}", {}, 404, GONE),
        ("GET", f"/api/v1/timelines/list/{it['his_list']}", {}, 404, GONE),
        ("POST", f"{lists}/{it['list']}/accounts", {"account_ids": [it["bob"]]}, 404, GONE),
        ("POST", f"{lists}/{it['list']}/accounts", {"account_ids": [it["carol"]]}, 422, "already been taken"),
        ("POST", filters, {"title": "x"}, 422, "context can't be blank"),
        ("POST", filters, {"context": ["home"]}, 422, "title can't be blank"),
        ("POST", filters, {"title": "x", "context": ["away"]}, 422, "context[0] is not included in the list"),
        (
            "POST", filters, {"title": "x", "context": ["home"], "filter_action": "burn"}, 422,
            "filter_action is not included in the list",
        ),
        ("GET", f"{filters}/{NOBODY}", {}, 404, GONE),
        ("POST", f"{filters}/{it['filter']}/keywords", {}, 422, "keyword can't be blank"),
        ("POST", f"{filters}/{it['filter']}/statuses", {"status_id": NOBODY}, 404, GONE),
        ("POST", f"{filters}/{it['filter']}/statuses", {"status_id": it["his"]}, 422, "in this filter already"),
        ("POST", "/api/v1/filters", {"phrase": "x"}, 422, "context can't be blank"),
        ("POST", "/api/v1/filters", {"context": ["home"]}, 422, "phrase can't be blank"),
        ("POST", "/api/v1/featured_tags", {}, 422, "name can't be blank"),
        ("POST", "/api/v1/featured_tags", {"name": "a b"}, 422, "Tag is invalid"),
        ("DELETE", f"/api/v1/featured_tags/{NOBODY}", {}, 404, GONE),
        ("GET", "/api/v1/tags/a b", {}, 404, GONE),
        ("DELETE", f"/api/v1/scheduled_statuses/{NOBODY}", {}, 404, GONE),
        ("POST", f"/api/v1/conversations/{NOBODY}/read", {}, 404, GONE),
        ("GET", f"/api/v1/notifications/{NOBODY}", {}, 404, GONE),
        ("GET", "/api/v2/notifications/nothing", {}, 404, GONE),
        ("PATCH", "/api/v2/notifications/policy", {"for_bots": "burn"}, 422, "for_bots is not included in the list"),
        ("POST", "/api/v1/markers", {"home": {"last_read_id": "x"}}, 422, "home.last_read_id"),
        ("GET", f"/api/v1/media/{NOBODY}", {}, 404, GONE),
        ("POST", "/api/v1/push/subscription", {}, 422, "subscription can't be blank"),
    ]  # fmt: skip


async def _furnish(world: World) -> tuple[Account, dict[str, str]]:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.write(lambda session: follow(session, alice.id, carol.id))

    async def post(who: Account, **form: Any) -> Any:
        return await world.client.check("POST /api/v1/statuses", who, json={"status": "Hello", **form})

    async def make(path: str, who: Account, **form: Any) -> str:
        return str((await world.client.check(f"POST {path}", who, json=form))["id"])

    it = {"alice": str(alice.id), "bob": str(bob.id), "carol": str(carol.id)}
    it["hers"], it["his"] = (await post(alice))["id"], (await post(bob))["id"]
    it["secret"] = (await post(bob, visibility="private"))["id"]
    it["direct"] = (await post(alice, status="@bob hi", visibility="direct"))["id"]
    it["poll"], it["voted"] = [(await post(bob, **_poll()))["poll"]["id"] for _ in range(2)]
    it["own_poll"] = (await post(alice, **_poll()))["poll"]["id"]
    await world.client.check("POST /api/v1/polls/:id/votes", alice, id=it["voted"], json={"choices": [1]})
    for _ in range(limits.PINNED_STATUSES):
        await world.client.check("POST /api/v1/statuses/:id/pin", alice, id=(await post(alice))["id"])
    it["unpinned"] = (await post(alice))["id"]
    it["list"], it["his_list"] = (
        await make("/api/v1/lists", alice, title="L"),
        await make("/api/v1/lists", bob, title="L"),
    )
    await world.client.check("POST /api/v1/lists/:id/accounts", alice, id=it["list"], json={"account_ids": [carol.id]})
    it["filter"] = await make("/api/v2/filters", alice, title="F", context=["home"])
    await world.client.post(f"/api/v2/filters/{it['filter']}/statuses", alice, json={"status_id": it["his"]})
    return alice, it


@story(*MODULES)
async def test_each_cause_is_named(world: World) -> None:
    alice, it = await _furnish(world)
    faults = []
    for method, path, form, status, words in [*_statuses(it), *_people(it), *_keeping(it)]:
        more: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": form}
        answer = await world.client.request(method, path.replace(" ", "%20"), alice, **more)
        if answer.status != status or words not in answer.json["error"]:
            faults.append(f"{method} {path} {form}: {answer.status} {answer.body!r}")
    assert faults == [], "\n".join(faults)


@story(*MODULES)
async def test_who_may_not(world: World) -> None:
    alice = await world.account("alice")
    reader = await make_token(world.db, alice, "read")
    app = await make_token(world.db, None, "read write")
    ask = world.client.request
    for who, status in ((None, 401), ("no-such-token", 401), (reader, 403), (app, 422)):
        answer = await ask("POST", "/api/v1/statuses", who, json={"status": "x"})
        assert answer.status == status, (who, answer.body)
    for query, status in (("", 400), ("?q=x&type=all", 422)):
        assert (await ask("GET", f"/api/v2/search{query}", alice)).status == status
    for query in ("resolve=1", "offset=1"):
        assert (await ask("GET", f"/api/v2/search?q=x&{query}", None)).status == 401
    for form, words in (
        ({}, "client_name"),
        ({"client_name": "x", "redirect_uris": "javascript:alert(1)"}, "redirect_uris"),
        ({"client_name": "x", "redirect_uris": "https://x.example", "scopes": "all"}, "scopes"),
    ):
        answer = await ask("POST", "/api/v1/apps", None, json=form)
        assert answer.status == 422 and words in answer.json["error"]
