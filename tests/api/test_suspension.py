"""Accounts that moderators suspend or limit: out of sight at once, and there again when it ends."""

from functools import partial
from typing import Any

import pytest

from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.account_state import (
    limit_account,
    suspend_account,
    unlimit_account,
    unsuspend_account,
)
from phiomia.domain.moderation.leave import leave
from phiomia.domain.relationships.follow import follow
from world import Account, World, story

from .test_scheduled_statuses import come, find, publish_it, schedule

MODULES = (
    "accounts",
    "accounts_update",
    "statuses",
    "search",
    "timelines",
    "notifications",
    "account_lists",
    "scheduled_statuses",
)


@story(*MODULES, effects=True)
async def test_a_suspended_member_is_nowhere_and_comes_back_whole(world: World) -> None:
    alice, fan = await world.account("alice"), await world.account("fan")
    await world.write(lambda session: follow(session, fan.id, alice.id))
    ask = world.client.check
    status = await ask("POST /api/v1/statuses", alice, form={"status": "Findable #words", "visibility": "public"})
    await ask("POST /api/v1/statuses", alice, form={"status": "@fan hello"})

    async def is_seen() -> dict[str, bool]:
        get = world.client.get
        pages = {
            "home": (await get("/api/v1/timelines/home", fan)).json,
            "public": (await get("/api/v1/timelines/public")).json,
            "tag": (await get("/api/v1/timelines/tag/words")).json,
            "told": [one for one in (await get("/api/v1/notifications", fan)).json if one["type"] == "mention"],
            "followed": (await get(f"/api/v1/accounts/{fan.id}/following")).json,
            "found": (await get("/api/v2/search", fan, q="alice")).json["accounts"],
        }
        seen = {name: bool(page) for name, page in pages.items()}
        seen["status"] = (await get(f"/api/v1/statuses/{status['id']}", fan)).status == 200
        seen["page"] = bool((await get(f"/api/v1/accounts/{alice.id}/statuses", fan)).json)
        seen["acts"] = (await get("/api/v1/accounts/verify_credentials", alice)).status == 200
        seen["profile"] = (await get(f"/api/v1/accounts/{alice.id}")).json["note"] is not None
        return seen

    assert all((await is_seen()).values()), await is_seen()
    await world.write(lambda session: suspend_account(session, alice.id))
    seen = await is_seen()
    assert seen.pop("profile") is True  # that there is such an account is said, and nothing else
    assert not any(seen.values()), seen
    shown = await ask("GET /api/v1/accounts/:id", fan, id=alice.id)
    assert (
        shown["suspended"] is True and shown["note"] == "" and shown["avatar"].endswith("/avatars/original/missing.png")
    )
    await world.write(lambda session: suspend_account(session, alice.id))
    await world.write(lambda session: unsuspend_account(session, alice.id))
    assert all((await is_seen()).values()), await is_seen()
    sent = "SELECT count(*) FROM jobs WHERE type = 'outbox.send_profile'"
    assert await world.value(sent) == 2, "other servers hear of both"


@story(*MODULES, effects=True)
async def test_who_is_limited_is_shown_to_followers_alone(world: World) -> None:
    alice, fan = await world.account("alice"), await world.account("fan")
    await world.write(lambda session: follow(session, fan.id, alice.id))
    post = partial(world.client.check, "POST /api/v1/statuses", alice)
    await post(form={"status": "one #words", "visibility": "public"})
    await world.write(lambda session: limit_account(session, alice.id))

    async def count() -> list[int]:
        places = ("home", "public", "tag/words")
        return [len((await world.client.get(f"/api/v1/timelines/{place}", fan)).json) for place in places]

    assert await count() == [1, 0, 0]
    assert (await post(form={"status": "two #words", "visibility": "public"}))["visibility"] == "unlisted"
    assert await count() == [2, 0, 0]
    assert (await world.client.check("GET /api/v1/accounts/:id", fan, id=alice.id))["limited"] is True
    await world.write(lambda session: unlimit_account(session, alice.id))
    assert await count() == [2, 1, 1]


@story(*MODULES, effects=True)
async def test_nothing_of_somebody_suspended_is_published_later(world: World) -> None:
    alice = await world.account("alice")
    kept = await schedule(world, alice, "later")
    await come(world, kept)
    view = await find(world, alice, kept)
    await world.write(lambda session: suspend_account(session, alice.id))
    assert await publish_it(world, view) is None
    assert await world.value("SELECT count(*) FROM statuses") == 0
    assert await world.value("SELECT count(*) FROM scheduled_statuses") == 0


@story(*MODULES)
async def test_what_does_not_fit_is_refused(world: World) -> None:
    alice, remote = await world.account("alice"), await world.account("remote", domain="there.example")
    gone = await world.account("gone")
    await world.write(lambda session: leave(session, gone.id))

    async def refuse(verb: Any, account: Account, fault: type[Exception]) -> None:
        with pytest.raises(fault):
            await world.write(lambda session: verb(session, account.id))

    for verb in (unsuspend_account, unlimit_account):
        await refuse(verb, alice, Invalid)
    for verb in (suspend_account, limit_account, unsuspend_account, unlimit_account):
        await refuse(verb, gone, NotFound)
    await world.write(lambda session: suspend_account(session, alice.id))
    await refuse(limit_account, alice, Invalid)
    # What their own server has decided is not ours to take back; what we decide beside it is.
    await world.execute(
        "UPDATE accounts SET state = :state, state_origin = :origin WHERE id = :id",
        id=remote.id,
        state=int(AccountState.SUSPENDED),
        origin=int(StateOrigin.REMOTE),
    )
    await refuse(unsuspend_account, remote, Invalid)
    await world.write(lambda session: suspend_account(session, remote.id))
    await world.write(lambda session: unsuspend_account(session, remote.id))
    # The rule for their server holds for them again.
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'moderation.apply_domain_rule'") == 1
