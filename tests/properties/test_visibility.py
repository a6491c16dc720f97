"""Who may see a status: every combination, on every way to it, against a model told in other words."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from phiomia.domain.statuses.models import status_mentions, statuses
from phiomia.domain.timelines.streams import find_audience
from phiomia.platform.clock import now_ms
from phiomia.platform.db import insert_into
from phiomia.platform.ids import new_id
from world import Account, World, story

WORDS = ("public", "unlisted", "private", "direct")
_STATUS = insert_into(statuses, "id", "account_id", "visibility", "content", "conversation_id", "created_at")
_MENTION = insert_into(status_mentions, "status_id", "account_id", "silent")


class Case(NamedTuple):
    """What holds between the viewer and the author of one status."""

    word: str
    follows: bool
    mentioned: bool
    blocked: bool
    suspended: bool
    own: bool


CASES = [
    Case(word, follows, mentioned, blocked, suspended, False)
    for word, follows, mentioned, blocked, suspended in product(WORDS, *[(False, True)] * 4)
] + [Case(word, False, False, False, False, True) for word in WORDS]


def may_see(case: Case, *, signed_in: bool) -> bool:
    """The reference: the rules of the documentation, as sentences."""
    if case.suspended:
        return False
    if not signed_in:
        return case.word in ("public", "unlisted")
    if case.own:
        return True
    if case.blocked:
        return False
    reasons = {
        "public": True,
        "unlisted": True,
        "private": case.follows or case.mentioned,
        "direct": case.mentioned,
    }
    return reasons[case.word]


async def _relate(world: World, table: str, one: Account, other: Account) -> None:
    columns = "(id, account_id, target_id, created_at, uri)"
    await world.execute(f"INSERT INTO {table} {columns} VALUES ({new_id()}, {one.id}, {other.id}, {now_ms()}, '')")


async def _arrange(world: World, viewer: Account) -> dict[str, Case]:
    made: dict[str, Case] = {}
    for number, case in enumerate(CASES):
        author = viewer if case.own else await world.account(f"author{number}", state=2 if case.suspended else 0)
        status_id, now = new_id(), now_ms()

        rows = {
            "id": status_id,
            "account_id": author.id,
            "visibility": WORDS.index(case.word),
            "content": "<p>hello</p>",
            "conversation_id": status_id,
            "created_at": now,
        }
        await world.write(lambda session, rows=rows: session.execute(_STATUS, **rows))
        if case.mentioned:
            mention = {"status_id": status_id, "account_id": viewer.id, "silent": False}
            await world.write(lambda session, mention=mention: session.execute(_MENTION, **mention))
        if case.follows:
            await _relate(world, "follows", viewer, author)
        if case.blocked:
            await _relate(world, "blocks", author, viewer)
        made[str(status_id)] = case
    return made


@story("statuses", "accounts", "timelines")
async def test_every_way_agrees(world: World) -> None:
    viewer = await world.account("viewer")
    cases = await _arrange(world, viewer)
    for signed_in in (True, False):
        who = viewer if signed_in else None
        public = set((await world.client.get("/api/v1/timelines/public", who, limit=40)).ids)
        older = await world.client.get("/api/v1/timelines/public", who, limit=40, max_id=min(public, default="1"))
        public |= set(older.ids)
        for status_id, case in cases.items():
            expected = may_see(case, signed_in=signed_in)
            one = await world.client.get(f"/api/v1/statuses/{status_id}", who)
            assert one.status == (200 if expected else 404), (case, signed_in, one.body)
            batch = await world.client.get("/api/v1/statuses", who, id=[status_id])
            assert batch.ids == ([status_id] if expected else []), case
            context = await world.client.get(f"/api/v1/statuses/{status_id}/context", who)
            assert context.status == (200 if expected else 404), case
            author = await world.value("SELECT account_id FROM statuses WHERE id = :id", id=int(status_id))
            listed = await world.client.get(f"/api/v1/accounts/{author}/statuses", who, limit=40)
            assert (status_id in (listed.ids if listed.status == 200 else [])) is expected, case
            if not expected:
                assert status_id not in public, case
            async with world.db.read() as session:
                heard = await find_audience(session, int(status_id), [viewer.id])
            assert (viewer.id in heard) is may_see(case, signed_in=True), case
