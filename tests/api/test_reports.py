"""Reports: by members, from other servers, and on their way to them."""

from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.domain.errors import NotFound
from phiomia.domain.moderation.report import list_reports, resolve_report
from phiomia.federation.inbox.context import Activity, Result
from phiomia.federation.inbox.flag import handle_flag
from world import BASE, Account, World, story

MODULES = ("reports", "statuses", "accounts", "collections")


async def _post(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


@story(*MODULES, effects=True)
async def test_a_member_reports_another(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    bad, other = await _post(world, bob, "bad"), await _post(world, carol, "fine")
    hidden = await _post(world, bob, "not for alice", visibility="private")
    form = {"account_id": bob.id, "status_ids": [bad], "category": "spam", "comment": "It is spam", "forward": True}
    report = await world.client.check("POST /api/v1/reports", alice, form=form)
    assert (report["category"], report["status_ids"], report["forwarded"]) == ("spam", [bad], False)
    assert report["target_account"]["id"] == str(bob.id) and report["action_taken"] is False
    for wrong in ([other], [hidden], ["1"]):
        answer = await world.client.post("/api/v1/reports", alice, form={"account_id": bob.id, "status_ids": wrong})
        assert answer.status == 404
    for faults in ({"category": "boring"}, {"comment": "x" * 1001}, {"rule_ids": ["7"]}):
        assert (await world.client.post("/api/v1/reports", alice, form={"account_id": bob.id, **faults})).status == 422
    assert (await world.client.post("/api/v1/reports", alice, form={"account_id": 1})).status == 404
    assert (await world.client.post("/api/v1/reports", alice, form={})).status == 422
    assert (await world.client.post("/api/v1/reports", form={"account_id": bob.id})).status == 401
    form = {"account_id": bob.id, "collection_ids": ["5"]}
    assert (await world.client.post("/api/v1/reports", alice, form=form)).status == 404
    number = int(report["id"])
    async with world.db.read() as session:
        assert [one.id for one in await list_reports(session)] == [number]
    await world.write(lambda session: resolve_report(session, number))
    async with world.db.read() as session:
        assert await list_reports(session) == []
        assert [one.id for one in await list_reports(session, resolved=True)] == [number]
    with pytest.raises(NotFound):
        await world.write(lambda session: resolve_report(session, number))


@story(*MODULES, effects=True)
async def test_a_report_is_forwarded_to_the_server_of_who_is_reported(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob", domain="there.example")
    form = {"account_id": bob.id}
    assert (await world.client.check("POST /api/v1/reports", alice, form=form))["forwarded"] is False
    count = "SELECT count(*) FROM jobs WHERE type = 'outbox.send_flag'"
    assert await world.value(count) == 0
    elsewhere = {**form, "forward": True, "forward_to_domains": ["elsewhere.example"]}
    assert (await world.client.check("POST /api/v1/reports", alice, form=elsewhere))["forwarded"] is False
    forwarded = await world.client.check("POST /api/v1/reports", alice, form={**form, "forward": True})
    assert forwarded["forwarded"] is True and await world.value(count) == 1


@story(*MODULES, effects=True)
async def test_another_server_reports_one_of_ours(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    stranger = await world.account("stranger", domain="there.example")
    post = await _post(world, alice, "hello")
    await world.client.post("/api/v1/statuses", bob, form={"status": "other"})
    uri = "https://there.example/flags/1"
    named = [f"{BASE}/users/alice", f"{BASE}/users/alice/statuses/{post}", "https://there.example/x"]
    actor = SimpleNamespace(id=stranger.id, domain="there.example", uri="https://there.example/users/stranger")
    rules = SimpleNamespace(rejects_reports=lambda host: False)
    links = world.api.fragments.links
    context: Any = SimpleNamespace(db=world.db, links=links, rules=rules, config=world.api.config, resolver=None)

    async def flag(uri: str, about: list[str]) -> str:
        who: Any = actor
        activity = Activity(uri, "Flag", who, about, {"content": "He is <b>rude</b>"})
        return (await handle_flag(context, activity)).result

    assert await flag(uri, named) == Result.PROCESSED
    assert await flag(uri, named) == Result.IGNORED
    assert await flag(uri + "0", ["https://there.example/x"]) == Result.IGNORED
    async with world.db.read() as session:
        (report,) = await list_reports(session)
    assert (report.target_id, report.status_ids, report.from_domain) == (alice.id, [int(post)], "there.example")
    assert (report.account_id, "rude" in report.comment) == (stranger.id, True)
    rules.rejects_reports = lambda host: True
    assert await flag(uri + "2", named) == Result.IGNORED
