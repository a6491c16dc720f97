"""Notifications that are about no post: reports, follows that ended with a server, words from the moderators."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.account_state import EndTiesOfSuspended, run_end_ties, suspend_account
from phiomia.domain.moderation.domain_blocks import ApplyDomainRule, DomainBlock, block_domain, run_apply_domain_rule
from phiomia.domain.moderation.report import NewReport, file_report, resolve_report
from phiomia.domain.moderation.warn import NewWarning, warn_account
from phiomia.domain.peers.severity import Severity
from phiomia.domain.relationships.domain_block import EndTies, block_domain_for
from phiomia.domain.relationships.domain_block import run_end_ties as run_end_ties_of_server
from phiomia.domain.relationships.follow import follow
from phiomia.domain.users.jobs import SendWarning, send_warning
from phiomia.domain.users.mail_alerts import choose_mail_alerts, load_mail_alerts, stop_mail_alerts
from phiomia.domain.users.roles import Role
from world import Account, World, story

MODULES = ("accounts", "statuses", "notifications", "notification_groups", "reports")
V1, V2 = "GET /api/v1/notifications", "GET /api/v2/notifications"
THERE = "there.example"


async def _told(world: World, who: Account, type_: str) -> list[Any]:
    """What the account is told, the same in both forms; each alone, too."""
    query = {"types": [type_]}
    found: list[Any] = await world.client.check(V1, who, query=query)
    grouped = await world.client.check(V2, who, query=query)
    field = {"admin.report": "report", "severed_relationships": "event", "moderation_warning": "moderation_warning"}
    name = field[type_]
    assert [one[name] for one in found] == [group[name] for group in grouped["notification_groups"]]
    for one, group in zip(found, grouped["notification_groups"], strict=True):
        assert await world.client.check(f"{V1}/:id", who, id=one["id"]) == one
        answer = await world.client.get(f"/api/v2/notifications/{group['group_key']}", who)
        assert answer.json["notification_groups"][0][name] == one[name]
    return found


@story(*MODULES, effects=True)
async def test_staff_hears_of_reports(world: World) -> None:
    owner = await world.account("owner", role=Role.OWNER)
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    form = {"account_id": bob.id, "category": "spam", "comment": "It is spam"}
    report = await world.client.check("POST /api/v1/reports", alice, form=form)
    (one,) = await _told(world, owner, "admin.report")
    assert (one["report"], one["account"]["id"], one["report"]["target_account"]["id"]) == (
        report,
        str(alice.id),
        str(bob.id),
    )
    assert await _told(world, alice, "admin.report") == [] == await _told(world, bob, "admin.report")
    mails = "SELECT count(*) FROM jobs WHERE type = 'notifications.mail'"
    assert await world.value(mails) == 1
    # While it waits, others about the same account are not told of; those about others are.
    await world.client.check("POST /api/v1/reports", carol, form=form)
    assert len(await _told(world, owner, "admin.report")) == 1
    await world.client.check("POST /api/v1/reports", alice, form={"account_id": carol.id})
    assert len(await _told(world, owner, "admin.report")) == 2
    number = int(report["id"])
    await world.write(lambda session: resolve_report(session, number))
    assert (await _told(world, owner, "admin.report"))[1]["report"]["action_taken"] is True
    fallback = await world.client.check(V1, owner, query={"supported_types": ["mention"]})
    assert all("report" in one["fallback"]["title"] for one in fallback)
    await world.execute("DELETE FROM reports WHERE id = :id", id=number)
    assert len(await _told(world, owner, "admin.report")) == 1


@story(*MODULES, effects=True)
async def test_staff_chooses_mails_about_reports(world: World) -> None:
    owner, alice = await world.account("owner", role=Role.OWNER), await world.account("alice")

    async def wants() -> dict[str, bool]:
        async with world.db.read() as session:
            return await load_mail_alerts(session, owner.user_id)

    async def report(target: Account) -> int:
        await world.execute("DELETE FROM jobs")
        await world.write(lambda session: file_report(session, alice.id, NewReport(target.id)))
        return int(await world.value("SELECT count(*) FROM jobs WHERE type = 'notifications.mail'"))

    assert (await wants())["admin.report"] is True and (await wants())["mention"] is True
    assert await report(await world.account("bob")) == 1
    await world.write(lambda session: stop_mail_alerts(session, owner.user_id, "admin.report"))
    assert (await wants())["admin.report"] is False and (await wants())["admin.sign_up"] is True
    assert await report(await world.account("carol")) == 0
    await world.write(lambda session: choose_mail_alerts(session, owner.user_id, ["admin.report"]))
    assert [type_ for type_, on in (await wants()).items() if on] == ["admin.report"]
    assert await report(await world.account("dave")) == 1


@story(*MODULES, effects=True)
async def test_a_member_hears_that_a_server_was_blocked(world: World) -> None:
    alice, bob, idle = [await world.account(name) for name in ("alice", "bob", "idle")]
    there = [await world.account(f"friend{number}", domain=THERE) for number in range(3)]
    for friend in there:
        await world.write(partial(follow, actor_id=friend.id, target_id=alice.id))
    for who in (alice, bob):
        await _let_follow(world, who, there[0])
    await world.write(lambda session: block_domain(session, DomainBlock(THERE, Severity.SUSPEND)))
    for _ in range(2):
        await run_apply_domain_rule(SimpleNamespace(db=world.db), ApplyDomainRule(THERE))
    (told,) = await _told(world, alice, "severed_relationships")
    event = told["event"]
    assert (event["type"], event["target_name"], event["purged"]) == ("domain_block", THERE, True)
    assert (event["followers_count"], event["following_count"]) == (3, 1)
    assert told["account"]["id"] == str(alice.id)
    (told,) = await _told(world, bob, "severed_relationships")
    assert (told["event"]["followers_count"], told["event"]["following_count"]) == (0, 1)
    assert await _told(world, idle, "severed_relationships") == []


@story(*MODULES, effects=True)
async def test_a_member_hears_what_blocking_a_server_ended(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    friend = await world.account("friend", domain=THERE)
    await world.write(lambda session: follow(session, friend.id, alice.id))
    for who in (alice, bob):
        await _let_follow(world, who, friend)
    await world.write(lambda session: block_domain_for(session, alice.id, THERE))
    for _ in range(2):
        await run_end_ties_of_server(SimpleNamespace(db=world.db), EndTies(alice.id, THERE))
    (told,) = await _told(world, alice, "severed_relationships")
    assert (told["event"]["type"], told["event"]["target_name"]) == ("user_domain_block", THERE)
    assert (told["event"]["followers_count"], told["event"]["following_count"]) == (1, 1)
    assert await _told(world, bob, "severed_relationships") == []
    await world.write(lambda session: block_domain_for(session, alice.id, "empty.example"))
    await run_end_ties_of_server(SimpleNamespace(db=world.db), EndTies(alice.id, "empty.example"))
    assert len(await _told(world, alice, "severed_relationships")) == 1


@story(*MODULES, effects=True)
async def test_moderators_warn_a_member(world: World) -> None:
    alice, remote = await world.account("alice"), await world.account("remote", domain=THERE)
    for text in ("Please be kind.", "Please!"):
        await world.write(partial(warn_account, new=NewWarning(alice.id, f" {text} ")))
    second, first = await _told(world, alice, "moderation_warning")
    warning = first["moderation_warning"]
    assert (warning["action"], warning["text"], warning["appeal"]) == ("none", "Please be kind.", None)
    assert warning["target_account"]["id"] == str(alice.id) == second["account"]["id"]
    mails: list[Any] = []

    async def send(mail: Any) -> None:
        mails.append(mail)

    context: Any = SimpleNamespace(db=world.db, config=world.api.config, mailer=SimpleNamespace(send=send))
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'users.send_warning'") == 2
    await send_warning(context, SendWarning(alice.user_id, "Please be kind."))
    await send_warning(context, SendWarning(1, "Nobody"))
    assert len(mails) == 1 and "Please be kind." in mails[0].text
    for account_id, text, fault in (
        (alice.id, " ", Invalid),
        (alice.id, "x" * 5001, Invalid),
        (remote.id, "x", NotFound),
    ):
        with pytest.raises(fault):
            await world.write(partial(warn_account, new=NewWarning(account_id, text)))


@story(*MODULES, effects=True)
async def test_a_member_hears_that_somebody_was_suspended(world: World) -> None:
    alice, bob, idle = [await world.account(name) for name in ("alice", "bob", "idle")]
    friend, other = [await world.account(name, domain=THERE) for name in ("friend", "other")]
    for who in (friend, other):
        await world.write(partial(follow, actor_id=who.id, target_id=alice.id))
    for who in (alice, bob):
        await _let_follow(world, who, friend)
    await world.write(lambda session: follow(session, idle.id, friend.id))
    await world.write(lambda session: suspend_account(session, friend.id))
    for _ in range(2):
        await run_end_ties(SimpleNamespace(db=world.db), EndTiesOfSuspended(friend.id))
    (told,) = await _told(world, alice, "severed_relationships")
    event = told["event"]
    assert (event["type"], event["target_name"]) == ("account_suspension", f"friend@{THERE}")
    assert (event["followers_count"], event["following_count"]) == (1, 1)
    (told,) = await _told(world, bob, "severed_relationships")
    assert (told["event"]["followers_count"], told["event"]["following_count"]) == (0, 1)
    assert await _told(world, idle, "severed_relationships") == [], "a request is no follow"
    assert await world.value("SELECT count(*) FROM follow_requests") == 0
    assert await world.value("SELECT count(*) FROM follows") == 1, "the other one goes on following"


async def _let_follow(world: World, who: Account, friend: Account) -> None:
    """As if the other server had accepted."""
    await world.execute(
        "INSERT INTO follows (id, account_id, target_id, created_at) VALUES (:id, :account, :target, 1)",
        id=who.id + 1_000_000,
        account=who.id,
        target=friend.id,
    )
