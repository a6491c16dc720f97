import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, NotAllowed, NotFound
from phiomia.domain.relationships import events
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.relationships.endorse import endorse, unendorse
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.follow_requests import authorize_follow_request, reject_follow_request
from phiomia.domain.relationships.models import endorsements, follow_requests, follows, list_accounts, lists, mutes
from phiomia.domain.relationships.mute import mute
from phiomia.domain.relationships.note import COMMENT_CHARACTERS, write_note
from phiomia.domain.relationships.queries import (
    are_blocked,
    find_follow,
    find_follow_between,
    is_following,
    list_blocks,
    list_endorsements,
    list_follow_requests,
    list_followers,
    list_following,
    list_mutes,
    load_relationships,
)
from phiomia.domain.relationships.remove_from_followers import remove_from_followers
from phiomia.domain.relationships.unblock import unblock
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.relationships.unmute import end_expired_mutes, unmute
from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.db import Database, P, Query, insert_into, open_database
from phiomia.platform.events import Event, Services, SideEffects
from phiomia.platform.paging import HIGHEST_ID, Page, Paged
from phiomia.upgrade import schema

ANN, BOB, EVE, LOCKED, REMOTE, LIMITED, GONE, MOVED = range(1, 9)
NOBODY_KNOWN = 999

_ACCOUNT = insert_into(
    accounts, "id", "username", "username_key", "domain", "locked", "state", "moved_to_id", "created_at"
)
_COUNTS = Query(
    select(accounts.c.following_count, accounts.c.followers_count, accounts.c.rev).where(accounts.c.id == P("id"))
)
EVENTS = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]


class World:
    """A database with some accounts, and the events that were recorded."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.events: list[Event] = []
        db.services = Services(side_effects={kind: SideEffects(now=[self._hear]) for kind in EVENTS})

    async def _hear(self, _session: Any, event: Event) -> None:
        self.events.append(event)

    async def do(self, verb: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> list[Event]:
        """Runs a verb in a transaction; gives what it recorded."""
        self.events = []
        await self.db.write(lambda session: verb(session, *args, **more))
        return self.events

    async def ask(self, question: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        async with self.db.read() as session:
            return await question(session, *args, **more)

    async def between(self, viewer: int, other: int) -> Any:
        return (await self.ask(load_relationships, viewer, [other]))[0]

    async def counts(self, account: int) -> tuple[int, int]:
        """Follows and followers."""
        async with self.db.read() as session:
            row = await session.one(_COUNTS, id=account)
        assert row is not None
        return row[0], row[1]

    async def rows(self, table: Table) -> int:
        async with self.db.read() as session:
            return int(await session.value(Query(select(func.count()).select_from(table))))


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def tell(migrated_database_url: str) -> Callable[[Story], None]:
    """Runs a story in a fresh world."""

    async def run(story: Story) -> None:
        db = open_database(migrated_database_url)
        await db.start()
        try:
            await db.write(_people)
            await story(World(db))
        finally:
            await db.close()

    return lambda story: asyncio.run(run(story))


async def _people(session: Any) -> None:
    people: Sequence[tuple[int, dict[str, Any]]] = [
        (ANN, {}),
        (BOB, {}),
        (EVE, {}),
        (LOCKED, {"locked": True}),
        (REMOTE, {"domain": "remote.example"}),
        (LIMITED, {"state": AccountState.LIMITED}),
        (GONE, {"state": AccountState.SUSPENDED}),
        (MOVED, {"moved_to_id": ANN}),
    ]
    usual = {"domain": "", "locked": False, "state": 0, "moved_to_id": None, "created_at": 0}
    rows = [{**usual, "id": id_, "username": f"u{id_}", "username_key": f"u{id_}", **more} for id_, more in people]
    await session.execute_many(_ACCOUNT, rows)


def test_follow_counts_once_and_changes_options(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        (event,) = await world.do(follow, ANN, BOB)
        assert isinstance(event, events.Followed) and (event.account_id, event.target_id) == (ANN, BOB)
        assert await world.do(follow, ANN, BOB, notify=True, languages=["de", "en"]) == []
        assert await world.do(follow, ANN, BOB, reblogs=False) == []
        assert await world.counts(ANN) == (1, 0)
        assert await world.counts(BOB) == (0, 1)
        seen = await world.between(ANN, BOB)
        assert seen.following and seen.notifying and not seen.showing_reblogs and seen.languages == ("de", "en")
        await world.do(follow, ANN, BOB, languages=[])
        assert (await world.between(ANN, BOB)).languages is None
        assert (await world.between(BOB, ANN)).followed_by
        found = await world.ask(find_follow, event.follow_id)
        assert found == (event.follow_id, ANN, BOB, "", False)
        assert await world.ask(is_following, ANN, BOB) and not await world.ask(is_following, BOB, ANN)

    tell(story)


def test_follow_raises_the_revision_of_both(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, BOB)
        async with world.db.read() as session:
            assert [(await session.one(_COUNTS, id=id_) or [])[2] for id_ in (ANN, BOB, EVE)] == [2, 2, 1]

    tell(story)


@pytest.mark.parametrize(
    ("target", "refusal"), [(ANN, NotFound), (NOBODY_KNOWN, NotFound), (GONE, NotFound), (MOVED, NotAllowed)]
)
def test_who_can_not_be_followed(tell: Callable[[Story], None], target: int, refusal: type[Exception]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(refusal):
            await world.do(follow, ANN, target)
        assert await world.rows(follows) == await world.rows(follow_requests) == 0

    tell(story)


@pytest.mark.parametrize(("blocker", "blocked"), [(ANN, BOB), (BOB, ANN)])
def test_no_follow_across_a_block(tell: Callable[[Story], None], blocker: int, blocked: int) -> None:
    async def story(world: World) -> None:
        await world.do(block, blocker, blocked)
        with pytest.raises(NotAllowed):
            await world.do(follow, ANN, BOB)
        assert await world.ask(are_blocked, ANN, BOB) and not await world.ask(are_blocked, ANN, EVE)

    tell(story)


@pytest.mark.parametrize(
    ("follows_now", "followers", "allowed"),
    [(7_499, 0, True), (7_500, 0, False), (8_000, 8_000, True), (8_800, 8_000, False)],
)
def test_follow_limit(tell: Callable[[Story], None], follows_now: int, followers: int, allowed: bool) -> None:
    set_counts = Query(
        update(accounts)
        .where(accounts.c.id == P("who"))
        .values(following_count=P("follows_now"), followers_count=P("followers_now"))
    )

    async def story(world: World) -> None:
        await world.db.write(
            lambda session: session.execute(set_counts, who=ANN, follows_now=follows_now, followers_now=followers)
        )
        if allowed:
            await world.do(follow, ANN, BOB)
        else:
            with pytest.raises(Invalid):
                await world.do(follow, ANN, BOB)

    tell(story)


@pytest.mark.parametrize(("actor", "target"), [(ANN, LOCKED), (ANN, REMOTE), (LIMITED, ANN)])
def test_some_follows_are_asked_for(tell: Callable[[Story], None], actor: int, target: int) -> None:
    async def story(world: World) -> None:
        (event,) = await world.do(follow, actor, target, languages=["fr"])
        assert isinstance(event, events.FollowRequested)
        assert await world.do(follow, actor, target, notify=True) == []
        seen = await world.between(actor, target)
        assert seen.requested and not seen.following and seen.notifying and seen.languages == ("fr",)
        assert (await world.between(target, actor)).requested_by
        assert await world.counts(target) == (0, 0)
        assert (await world.ask(find_follow, event.follow_id)).pending
        assert [e.account_id for e in await world.ask(list_follow_requests, target, Page())] == [actor]

        followed, accepted = await world.do(authorize_follow_request, target, actor)
        assert isinstance(followed, events.Followed) and isinstance(accepted, events.FollowAccepted)
        assert followed.follow_id == event.follow_id
        seen = await world.between(actor, target)
        assert seen.following and not seen.requested and seen.notifying and seen.languages == ("fr",)
        assert await world.counts(target) == (0, 1)
        with pytest.raises(NotFound):
            await world.do(authorize_follow_request, target, actor)

    tell(story)


def test_follower_from_elsewhere_is_told(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        _, accepted = await world.do(follow, REMOTE, ANN, uri="https://remote.example/1")
        assert isinstance(accepted, events.FollowAccepted) and accepted.uri == "https://remote.example/1"
        (again,) = await world.do(follow, REMOTE, ANN, uri="https://remote.example/2")
        assert isinstance(again, events.FollowAccepted) and again.follow_id == accepted.follow_id
        assert (await world.ask(find_follow_between, REMOTE, ANN)).uri == "https://remote.example/2"
        assert await world.counts(ANN) == (0, 1)
        ended, rejected = await world.do(remove_from_followers, ANN, REMOTE)
        assert isinstance(ended, events.Unfollowed) and ended.by_target
        assert isinstance(rejected, events.FollowRejected) and rejected.uri == "https://remote.example/2"
        assert await world.do(remove_from_followers, ANN, REMOTE) == []
        assert await world.counts(ANN) == (0, 0)

    tell(story)


def test_request_rejected_or_withdrawn(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, LOCKED)
        (rejected,) = await world.do(reject_follow_request, LOCKED, ANN)
        assert isinstance(rejected, events.FollowRejected)
        with pytest.raises(NotFound):
            await world.do(reject_follow_request, LOCKED, ANN)
        await world.do(follow, ANN, LOCKED)
        (withdrawn,) = await world.do(unfollow, ANN, LOCKED)
        assert isinstance(withdrawn, events.FollowWithdrawn)
        assert await world.rows(follow_requests) == 0

    tell(story)


def test_unfollow_takes_endorsement_and_list_places(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, BOB)
        await world.do(follow, ANN, EVE)
        await world.do(endorse, ANN, BOB)
        new_list, place = (
            insert_into(lists, "id", "account_id", "title"),
            insert_into(list_accounts, "list_id", "account_id"),
        )
        for list_id, owner in ((1, ANN), (2, EVE)):
            await world.db.write(lambda s, i=list_id, o=owner: s.execute(new_list, id=i, account_id=o, title="x"))
            await world.db.write(lambda s, i=list_id: s.execute(place, list_id=i, account_id=BOB))
        (event,) = await world.do(unfollow, ANN, BOB)
        assert isinstance(event, events.Unfollowed) and not event.by_target
        assert await world.do(unfollow, ANN, BOB) == []
        assert await world.rows(endorsements) == 0
        assert await world.rows(list_accounts) == 1
        assert await world.counts(ANN) == (1, 0)
        assert await world.counts(BOB) == (0, 0)
        with pytest.raises(NotFound):
            await world.do(unfollow, ANN, NOBODY_KNOWN)

    tell(story)


def test_block_ends_everything_between_the_two(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for one, other in ((ANN, BOB), (BOB, ANN), (EVE, ANN), (ANN, EVE)):
            await world.do(follow, one, other)
            await world.do(endorse, one, other)
        recorded = await world.do(block, ANN, BOB, uri="")
        kinds = [type(event).__name__ for event in recorded]
        assert kinds == ["Unfollowed", "Unfollowed", "FollowRejected", "Blocked"]
        assert await world.do(block, ANN, BOB) == []
        assert await world.rows(follows) == await world.rows(endorsements) == 2
        assert await world.counts(ANN) == (1, 1)
        assert await world.counts(BOB) == (0, 0)
        assert (await world.between(ANN, BOB)).blocking and (await world.between(BOB, ANN)).blocked_by
        assert [e.account_id for e in await world.ask(list_blocks, ANN, Page())] == [BOB]
        (event,) = await world.do(unblock, ANN, BOB)
        assert isinstance(event, events.Unblocked)
        assert await world.do(unblock, ANN, BOB) == []
        assert not (await world.between(ANN, BOB)).blocking

    tell(story)


def test_block_ends_requests(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, LOCKED)
        rejected, blocked = await world.do(block, LOCKED, ANN)
        assert isinstance(rejected, events.FollowRejected) and isinstance(blocked, events.Blocked)
        await world.do(follow, ANN, REMOTE)
        withdrawn, _ = await world.do(block, ANN, REMOTE)
        assert isinstance(withdrawn, events.FollowWithdrawn)
        assert await world.rows(follow_requests) == 0
        assert await world.do(block, ANN, ANN) == []

    tell(story)


def test_mute_for_a_time(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        until = now_ms() + HOUR
        (event,) = await world.do(mute, ANN, BOB, hide_notifications=False, expires_at=until)
        assert isinstance(event, events.Muted) and not event.hide_notifications
        seen = await world.between(ANN, BOB)
        assert seen.muting and not seen.muting_notifications and seen.muting_expires_at == until
        await world.do(mute, ANN, BOB)
        seen = await world.between(ANN, BOB)
        assert seen.muting and seen.muting_notifications and seen.muting_expires_at is None
        assert [(e.account_id, e.expires_at) for e in await world.ask(list_mutes, ANN, Page())] == [(BOB, None)]
        assert await world.do(end_expired_mutes) == []

        await world.do(mute, ANN, BOB, expires_at=now_ms() - 1)
        await world.do(mute, ANN, EVE)
        seen = await world.between(ANN, BOB)
        assert not seen.muting and not seen.muting_notifications and seen.muting_expires_at is None
        assert [e.account_id for e in await world.ask(list_mutes, ANN, Page())] == [EVE]
        (ended,) = await world.do(end_expired_mutes)
        assert isinstance(ended, events.Unmuted) and ended.target_id == BOB
        assert await world.rows(mutes) == 1
        (ended,) = await world.do(unmute, ANN, EVE)
        assert isinstance(ended, events.Unmuted)
        assert await world.do(unmute, ANN, EVE) == []
        assert await world.do(mute, ANN, ANN) == []

    tell(story)


def test_endorse_whom_one_follows(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(Invalid):
            await world.do(endorse, ANN, BOB)
        await world.do(follow, ANN, BOB)
        await world.do(endorse, ANN, BOB)
        await world.do(endorse, ANN, BOB)
        assert (await world.between(ANN, BOB)).endorsed
        assert [e.account_id for e in await world.ask(list_endorsements, ANN, Page())] == [BOB]
        await world.do(unendorse, ANN, BOB)
        await world.do(unendorse, ANN, BOB)
        assert not (await world.between(ANN, BOB)).endorsed

    tell(story)


def test_notes(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for comment in ("met in Ghent", "met in Gent", ""):
            await world.do(write_note, ANN, BOB, comment)
            assert (await world.between(ANN, BOB)).note == comment
        with pytest.raises(Invalid):
            await world.do(write_note, ANN, BOB, "x" * (COMMENT_CHARACTERS + 1))
        with pytest.raises(NotFound):
            await world.do(write_note, ANN, NOBODY_KNOWN, "who?")

    tell(story)


def test_relationships_come_in_the_order_asked(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, EVE)
        asked = [EVE, NOBODY_KNOWN, GONE, ANN, BOB, EVE]
        views = await world.ask(load_relationships, ANN, asked)
        assert [view.id for view in views] == [EVE, GONE, ANN, BOB]
        assert [view.following for view in views] == [True, False, False, False]
        views = await world.ask(load_relationships, ANN, asked, with_suspended=False)
        assert [view.id for view in views] == [EVE, ANN, BOB]
        assert await world.ask(load_relationships, ANN, []) == []

    tell(story)


def test_lists_show_what_the_viewer_may_know(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for follower in (BOB, EVE, REMOTE):
            await world.do(follow, follower, ANN)
        await world.do(mute, BOB, EVE)
        await world.do(block, REMOTE, LIMITED)

        async def followers(viewer: int) -> list[int]:
            return [entry.account_id for entry in await world.ask(list_followers, ANN, Page(), viewer)]

        assert await followers(0) == await followers(ANN) == [REMOTE, EVE, BOB]
        assert await followers(BOB) == [REMOTE, BOB]
        assert await followers(LIMITED) == [EVE, BOB]
        assert [e.account_id for e in await world.ask(list_following, EVE, Page(), BOB)] == [ANN]

        suspend = Query(update(accounts).where(accounts.c.id == EVE).values(state=AccountState.SUSPENDED))
        await world.db.write(lambda session: session.execute(suspend))
        assert await followers(0) == [REMOTE, BOB]
        assert await world.ask(list_following, EVE, Page()) == []

        hide = Query(update(accounts).where(accounts.c.id == ANN).values(hide_collections=True))
        await world.db.write(lambda session: session.execute(hide))
        assert await followers(0) == await followers(BOB) == []
        assert await followers(ANN) == [REMOTE, BOB]

    tell(story)


def test_condition_hides_blocks_and_lasting_mutes(tell: Callable[[Story], None]) -> None:
    shown = Query(select(accounts.c.id).where(not_blocked_or_muted(accounts.c.id, P("viewer"))).order_by(accounts.c.id))

    async def story(world: World) -> None:
        await world.do(block, ANN, BOB)
        await world.do(block, EVE, ANN)
        await world.do(mute, ANN, LOCKED, expires_at=now_ms() + HOUR)
        await world.do(mute, ANN, REMOTE, expires_at=now_ms() - 1)
        await world.do(mute, LIMITED, ANN)
        async with world.db.read() as session:
            assert await session.column(shown, viewer=ANN, now=now_ms()) == [ANN, REMOTE, LIMITED, GONE, MOVED]
            assert await session.column(shown, viewer=0, now=now_ms()) == list(range(1, 9))

    tell(story)


def test_condition_looks_up_indexes(tmp_path: Any) -> None:
    async def story() -> str:
        url = f"sqlite:///{tmp_path}/plan.sqlite3"
        await schema.upgrade(url)
        db = open_database(url)
        await db.start()
        plan = Query(select(accounts.c.id).where(not_blocked_or_muted(accounts.c.id, P("viewer"))))
        explained = Query.raw(sqlite="EXPLAIN QUERY PLAN " + plan.for_sqlite().sql.replace("?", "1"))
        try:
            async with db.read() as session:
                return "\n".join(str(row[3]) for row in await session.all(explained))
        finally:
            await db.close()

    plan = asyncio.run(story())
    assert plan.count("uq_blocks_pair (account_id=? AND target_id=?)") == 2, plan
    assert plan.count("uq_mutes_pair (account_id=? AND target_id=?)") == 1, plan


_NUMBERS = Paged(select(accounts.c.id, accounts.c.username), accounts.c.id)

bound = st.none() | st.integers(-2, 12) | st.sampled_from([HIGHEST_ID, HIGHEST_ID + 5, -(2**70)])
pages = st.builds(Page, bound, bound, bound, st.integers(0, 10))


@pytest.fixture(scope="module")
def few_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with the accounts 1 to 8 for many questions."""
    url = f"sqlite:///{tmp_path_factory.mktemp('paging')}/few.sqlite3"
    db = open_database(url)

    async def begin() -> None:
        await schema.upgrade(url)
        await db.start()
        await db.write(_people)

    asyncio.run(begin())
    yield db
    asyncio.run(db.close())


@settings(max_examples=200, deadline=None)
@given(pages)
def test_a_page_is_a_window(few_accounts: Database, page: Page) -> None:
    above = max(0, page.since_id or 0, page.min_id or 0)
    within = [n for n in range(1, 9) if n > above and (page.max_id is None or n < page.max_id)]
    chosen = within[: page.limit] if page.min_id is not None else within[max(len(within) - page.limit, 0) :]

    async def ask() -> list[int]:
        async with few_accounts.read() as session:
            return [row[0] for row in await _NUMBERS.rows(session, page)]

    assert asyncio.run(ask()) == chosen[::-1]


def test_pages_follow_each_other(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for follower in (BOB, EVE, REMOTE, MOVED, LOCKED):
            await world.do(follow, follower, ANN)
        first = await world.ask(list_followers, ANN, Page(limit=2))
        second = await world.ask(list_followers, ANN, Page(max_id=first[-1].id, limit=2))
        third = await world.ask(list_followers, ANN, Page(max_id=second[-1].id, limit=2))
        assert [e.account_id for e in [*first, *second, *third]] == [LOCKED, MOVED, REMOTE, EVE, BOB]
        assert await world.ask(list_followers, ANN, Page(min_id=second[0].id, limit=2)) == first
        assert await world.ask(list_followers, ANN, Page(min_id=third[0].id, limit=2)) == second
        assert await world.ask(list_followers, ANN, Page(since_id=third[0].id, limit=2)) == first

    tell(story)


def test_simultaneous_follows_count_right(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        pairs = [(one, other) for one in (ANN, BOB, EVE) for other in (ANN, BOB, EVE) if one != other]
        doing = [world.db.write(lambda s, p=pair: follow(s, *p)) for pair in pairs * 3]
        await asyncio.gather(*doing)
        assert [await world.counts(id_) for id_ in (ANN, BOB, EVE)] == [(2, 2)] * 3

    tell(story)
