"""Servers that are limited, shut out or allowed: at the inbox, at the gate, and for what is here already."""

from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.api.instance_domain_blocks import obscure
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.domain_blocks import (
    ApplyDomainRule,
    DomainBlock,
    allow_domain,
    block_domain,
    clean_domain,
    disallow_domain,
    measure,
    purge_some,
    run_apply_domain_rule,
    unblock_domain,
)
from phiomia.domain.peers.rules import DomainRules, levels
from phiomia.domain.peers.severity import Severity
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.federation.inbox.context import Unresolved
from world import BASE, World, story

from .attacks.ground import say
from .receiving import INBOX, Here, receiving, receiving_with


async def _rule(world: World, domain: str, severity: Severity, **more: Any) -> None:
    await world.write(lambda session: block_domain(session, DomainBlock(domain, severity, **more)))
    await run_apply_domain_rule(SimpleNamespace(db=world.db), ApplyDomainRule(domain))


async def _state(world: World, account_id: int) -> AccountState:
    return AccountState(await world.value("SELECT state FROM accounts WHERE id = :id", id=account_id))


@receiving
async def test_nothing_is_exchanged_with_suspended_servers(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    like = alice.activity("Like", f"{BASE}/users/x/statuses/1")
    assert (await here.deliver(alice.sign_post(INBOX, like))).status_code == 202
    await _rule(here.world, peer.domain, Severity.SUSPEND)
    asked = len(peer.requests)
    assert (await here.deliver(alice.sign_post(INBOX, like))).status_code == 403
    await here.work()
    for asking in (
        here.exchange.resolver.account(alice.uri),
        here.exchange.resolver.account_of_handle(alice.handle),
        here.exchange.resolver.status(f"{alice.uri}/statuses/1"),
    ):
        with pytest.raises(Unresolved):
            await asking
    assert len(peer.requests) == asked
    await here.world.write(lambda session: unblock_domain(session, peer.domain))
    assert (await here.deliver(alice.sign_post(INBOX, {**like, "id": f"{alice.uri}/2"}))).status_code == 202


@receiving_with(mode="allowlist")
async def test_only_those_allowed_are_let_in(here: Here) -> None:
    one, other = here.peer(), here.peer()
    alice, bob = one.add_actor("alice"), other.add_actor("bob")
    await here.world.write(lambda session: allow_domain(session, one.domain))
    for actor, status in ((alice, 202), (bob, 403)):
        like = actor.activity("Like", f"{BASE}/users/x/statuses/1")
        assert (await here.deliver(actor.sign_post(INBOX, like))).status_code == status
    assert other.requests == []
    await here.world.write(lambda session: disallow_domain(session, one.domain))
    assert (
        await here.deliver(alice.sign_post(INBOX, alice.activity("Like", "https://x.example/1")))
    ).status_code == 403


@receiving
async def test_new_people_of_silenced_servers_are_limited(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    await _rule(here.world, peer.domain, Severity.SILENCE)
    found = await here.exchange.resolver.account(alice.uri)
    assert found.state == AccountState.LIMITED


@receiving
async def test_who_is_met_is_judged_by_the_rule_of_that_moment(here: Here) -> None:
    """By what the process has last read, people would stay limited though their server is free again."""
    peer = here.peer()
    alice, bob, carol, dora = (peer.add_actor(name) for name in ("alice", "bob", "carol", "dora"))
    resolver = here.exchange.resolver
    here.exchange.rules._look_every_s = 3600.0
    assert (await resolver.account(alice.uri)).state == AccountState.ACTIVE
    await _rule(here.world, peer.domain, Severity.SILENCE)
    assert (await resolver.account(bob.uri)).state == AccountState.LIMITED
    await here.world.write(lambda session: unblock_domain(session, peer.domain))
    assert (await resolver.account(carol.uri)).state == AccountState.ACTIVE
    await _rule(here.world, peer.domain, Severity.SUSPEND)
    with pytest.raises(Unresolved):
        await resolver.account(dora.uri)


@story("instance_domain_blocks", effects=True)
async def test_accounts_that_are_here_follow_the_rule(world: World) -> None:
    me = await world.account("me")
    there = await world.account("there", domain="bad.example")
    below = await world.account("below", domain="sub.bad.example")
    spared = await world.account("spared", domain="good.bad.example")
    other = await world.account("other", domain="notbad.example")
    judged = await world.account("judged", domain="bad.example", state=int(AccountState.SUSPENDED))
    await world.write(lambda session: follow(session, there.id, me.id))
    await _rule(world, "good.bad.example", Severity.NOOP)
    everybody = (there, below, spared, other, judged)

    async def states() -> list[str]:
        return [(await _state(world, one.id)).name[0] for one in everybody]

    await _rule(world, "bad.example", Severity.SILENCE)
    assert await states() == ["L", "L", "A", "A", "S"]
    assert await world.value("SELECT count(*) FROM follows") == 1
    await _rule(world, "bad.example", Severity.SUSPEND)
    assert await states() == ["S", "S", "A", "A", "S"]
    assert await world.value("SELECT count(*) FROM follows") == 0
    await _rule(world, "bad.example", Severity.SILENCE)
    assert await states() == ["L", "L", "A", "A", "S"]
    await world.write(lambda session: unblock_domain(session, "bad.example"))
    await run_apply_domain_rule(SimpleNamespace(db=world.db), ApplyDomainRule("bad.example"))
    assert await states() == ["A", "A", "A", "A", "S"]
    with pytest.raises(NotFound):
        await world.write(lambda session: unblock_domain(session, "bad.example"))


@story("instance_domain_blocks", effects=True)
async def test_purging_erases_a_server_and_nothing_else(world: World) -> None:
    me = await world.account("me")
    keep = await world.account("keep", domain="good.example")
    for number in range(3):
        there = await world.account(f"there{number}", domain="bad.example")
        await world.write(lambda session, by=there.id: follow(session, by, me.id))
        for count in range(2):
            draft = StatusDraft(account_id=there.id, content="<p>x</p>", uri=f"https://bad.example/{number}/{count}")
            await world.write(lambda session, what=draft: create_status(session, what))
    async with world.db.read() as session:
        extent = await measure(session, "bad.example")
    assert (extent.accounts, extent.statuses, extent.follows) == (3, 6, 3)
    judged = await world.account("judged", domain="bad.example", state=int(AccountState.SUSPENDED))
    await _rule(world, "bad.example", Severity.SUSPEND)
    last = await purge_some(world.db, "bad.example")
    while last is not None:
        last = await purge_some(world.db, "bad.example", last)
    assert await world.value("SELECT id FROM accounts WHERE domain = 'bad.example'") == judged.id
    assert await world.value("SELECT count(*) FROM statuses") == 0
    assert await world.value("SELECT followers_count FROM accounts WHERE id = :id", id=me.id) == 0
    assert await _state(world, keep.id) == AccountState.ACTIVE


@story("instance_domain_blocks")
async def test_the_list_is_shown(world: World) -> None:
    await _rule(world, "noop.example", Severity.NOOP, reject_media=True)
    await _rule(world, "hidden.example.org", Severity.SUSPEND, obfuscate=True, public_comment="Spam")
    await _rule(world, "Quiet.Example.", Severity.SILENCE)
    shown = await world.client.check("GET /api/v1/instance/domain_blocks")
    told = [(one["domain"], one["severity"], one["comment"]) for one in shown]
    assert told == [("hidd**.*******.org", "suspend", "Spam"), ("quiet.example", "silence", None)]


@story("instance_domain_blocks")
async def test_rules_hold_for_what_lies_below(world: World) -> None:
    rules = DomainRules(world.db, look_every_s=0.0)
    await _rule(world, "bad.example", Severity.SUSPEND)
    await _rule(world, "pictures.example", Severity.NOOP, reject_media=True, reject_reports=True)
    assert [await rules.is_blocked(host) for host in ("bad.example", "x.BAD.example", "bad.example:8443")] == [True] * 3
    assert not await rules.is_blocked("notbad.example")
    assert not await rules.is_blocked("example")
    assert (rules.rejects_media("a.pictures.example"), rules.rejects_reports("pictures.example")) == (True, True)
    assert (rules.rejects_media("bad.example"), rules.rejects_media("good.example")) == (True, False)


def test_names_of_servers() -> None:
    assert levels("a.b.example:8443") == ["a.b.example:8443", "a.b.example", "b.example", "example"]
    assert levels("127.0.0.1:80") == ["127.0.0.1:80", "127.0.0.1"]
    assert levels("[::1]:80") == ["[::1]:80"]
    assert clean_domain(" https://*.Bücher.Example/x ") == "xn--bcher-kva.example"
    assert obscure("ab") == "**"
    for wrong in ("", "no domain", "a..b", "x" * 300, "-\0"):
        with pytest.raises(Invalid):
            clean_domain(wrong)


@receiving
async def test_who_was_refused_may_ask_again_as_soon_as_it_is_let_in(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    peer.documents["/users/alice"] = say(status=403)
    with pytest.raises(Unresolved):
        await here.exchange.resolver.account(alice.uri)
    peer.put(alice.document)
    assert (await here.exchange.resolver.account(alice.uri)).uri == alice.uri
    # What is not there, on the other hand, is not asked for again for a while.
    peer.documents["/users/bob"] = say(status=404)
    for _ in range(2):
        with pytest.raises(Unresolved):
            await here.exchange.resolver.account(f"{peer.url}/users/bob")
    assert peer.asked("/users/bob") == 1
