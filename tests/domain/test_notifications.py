import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.notifications import effects
from phiomia.domain.notifications.clear import clear
from phiomia.domain.notifications.dismiss import dismiss, dismiss_group
from phiomia.domain.notifications.events import Notified
from phiomia.domain.notifications.group import SPAN, group_key
from phiomia.domain.notifications.models import notification_permissions
from phiomia.domain.notifications.notify import (
    notify,
    notify_edited,
    notify_followers_with_bell,
    notify_mentioned,
    notify_poll_ended,
)
from phiomia.domain.notifications.queries import (
    Selection,
    count_unread,
    find_notification,
    list_group,
    list_notifications,
)
from phiomia.domain.notifications.retract import retract, retract_from, retract_from_all, retract_sender
from phiomia.domain.notifications.types import NotificationType
from phiomia.domain.notifications.views import NotificationRow
from phiomia.domain.relationships import events as relationship_events
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.follow_requests import authorize_follow_request, reject_follow_request
from phiomia.domain.relationships.mute import mute
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.statuses import events as status_events
from phiomia.domain.statuses.models import (
    conversation_mutes,
    poll_options,
    poll_votes,
    polls,
    status_mentions,
    statuses,
)
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.timelines.markers import load_markers, set_marker
from phiomia.domain.users.models import users
from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.db import Conflict, Database, Query, insert_into, open_database
from phiomia.platform.events import Event, Services, SideEffects, read_stream, record
from phiomia.platform.json import decode
from phiomia.platform.paging import Page

ANN, BOB, EVE, LOCKED, LIMITED, REMOTE = range(1, 7)
LOCALS = (ANN, BOB, EVE, LOCKED, LIMITED)
POST = 100

_ACCOUNT = insert_into(accounts, "id", "username", "username_key", "domain", "locked", "state", "created_at")
_USER = insert_into(users, "id", "account_id", "email", "email_key", "created_at")
_STATUS = insert_into(
    statuses,
    "id",
    "account_id",
    "conversation_id",
    "visibility",
    "reblog_of_id",
    "in_reply_to_account_id",
    "created_at",
)
_MENTION = insert_into(status_mentions, "status_id", "account_id", "silent")
_PERMISSION = insert_into(notification_permissions, "account_id", "from_account_id", "created_at")
_MUTED_THREAD = insert_into(conversation_mutes, "account_id", "conversation_id")

EFFECTS: dict[type[Event], Any] = {
    relationship_events.Followed: effects.on_followed,
    relationship_events.Unfollowed: effects.on_unfollowed,
    relationship_events.FollowRequested: effects.on_follow_requested,
    relationship_events.FollowAccepted: effects.on_request_over,
    relationship_events.FollowRejected: effects.on_request_over,
    relationship_events.FollowWithdrawn: effects.on_request_over,
    relationship_events.Blocked: effects.on_blocked,
    relationship_events.Muted: effects.on_muted,
    status_events.StatusCreated: effects.on_status_created,
    status_events.StatusEdited: effects.on_status_edited,
    status_events.StatusBoosted: effects.on_status_boosted,
    status_events.StatusDeleted: effects.on_status_deleted,
    status_events.StatusFavourited: effects.on_status_favourited,
    status_events.StatusUnfavourited: effects.on_status_unfavourited,
    status_events.PollEnded: effects.on_poll_ended,
}


class World:
    """A database with some accounts and a public post of Ann's."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.notified: list[Notified] = []
        table = {kind: SideEffects(now=[effect]) for kind, effect in EFFECTS.items()}
        db.services = Services(side_effects={**table, Notified: SideEffects(now=[self._hear])})

    async def _hear(self, _session: Any, event: Notified) -> None:
        self.notified.append(event)

    async def do(self, verb: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> None:
        await self.db.write(lambda session: verb(session, *args, **more))

    async def put(self, query: Query, **values: Any) -> None:
        await self.db.write(lambda session: session.execute(query, **values))

    async def post(self, id_: int, account: int = ANN, visibility: Visibility = Visibility.PUBLIC, **more: Any) -> int:
        values = {"conversation_id": id_, "reblog_of_id": None, "in_reply_to_account_id": None, "created_at": 0}
        await self.put(_STATUS, **{**values, "id": id_, "account_id": account, "visibility": int(visibility), **more})
        return id_

    async def ask(self, question: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        async with self.db.read() as session:
            return await question(session, *args, **more)

    async def inbox(self, account: int, **more: Any) -> list[NotificationRow]:
        found: list[NotificationRow] = await self.ask(list_notifications, account, Page(), Selection(**more))
        return found

    async def told(self, account: int) -> list[tuple[str, int, int | None]]:
        return [(row.type, row.from_account_id, row.status_id) for row in await self.inbox(account)]

    async def stream(self) -> list[str]:
        return [event.body for event in await self.ask(read_stream, 0)]


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def tell(migrated_database_url: str) -> Callable[[Story], None]:
    """Runs a story in a fresh world."""

    async def run(story: Story) -> None:
        db = open_database(migrated_database_url)
        await db.start()
        try:
            await db.write(_people)
            world = World(db)
            await world.post(POST)
            await story(world)
        finally:
            await db.close()

    return lambda story: asyncio.run(run(story))


async def _people(session: Any) -> None:
    for id_ in (*LOCALS, REMOTE):
        await session.execute(
            _ACCOUNT,
            id=id_,
            username=f"u{id_}",
            username_key=f"u{id_}",
            domain="remote.example" if id_ == REMOTE else "",
            locked=id_ == LOCKED,
            state=AccountState.LIMITED if id_ == LIMITED else AccountState.ACTIVE,
            created_at=0,
        )
        if id_ in LOCALS:
            email = f"u{id_}@here.example"
            await session.execute(_USER, id=id_, account_id=id_, email=email, email_key=email, created_at=0)


def test_notify_writes_once_and_streams(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for _ in range(2):
            await world.do(notify, ANN, NotificationType.FAVOURITE, BOB, POST)
        (row,) = await world.inbox(ANN)
        assert (row.type, row.from_account_id, row.status_id, row.filtered) == ("favourite", BOB, POST, False)
        assert row.group_key == f"favourite-{POST}-{row.created_at // SPAN}"
        assert await world.stream() == [f'{{"id":{row.id},"account":{ANN}}}']
        assert world.notified == [Notified("favourite", BOB, POST, [(row.id, ANN)])]
        assert await world.ask(find_notification, ANN, row.id) == row
        with pytest.raises(NotFound):
            await world.ask(find_notification, BOB, row.id)
        await world.do(notify, ANN, NotificationType.REBLOG, BOB, POST)
        await world.do(notify, ANN, NotificationType.FAVOURITE, EVE, POST)
        assert len(await world.inbox(ANN)) == 3

    tell(story)


def test_nobody_is_told(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(notify, ANN, "favourite", ANN, POST)
        await world.do(notify, REMOTE, "follow", ANN)
        await world.do(block, ANN, BOB)
        await world.do(notify, ANN, "favourite", BOB, POST)
        await world.do(notify, BOB, "follow", ANN)
        await world.do(mute, ANN, EVE)
        await world.do(notify, ANN, "favourite", EVE, POST)
        await world.do(notify, ANN, "follow", EVE)
        secret = await world.post(101, BOB, Visibility.DIRECT)
        await world.do(notify, ANN, "mention", BOB, secret)
        await world.put(Query(update(accounts).where(accounts.c.id == LOCKED).values(state=AccountState.SUSPENDED)))
        await world.do(notify, LOCKED, "follow", ANN)
        for account in LOCALS:
            assert await world.inbox(account, include_filtered=True) == []
        assert await world.stream() == [] and world.notified == []

    tell(story)


def test_mutes_that_do_not_hide_notifications(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(mute, ANN, BOB, hide_notifications=False)
        await world.do(mute, ANN, EVE, expires_at=now_ms() - HOUR)
        await world.do(notify, ANN, "favourite", BOB, POST)
        await world.do(notify, ANN, "favourite", EVE, POST)
        assert await world.told(ANN) == [("favourite", EVE, POST), ("favourite", BOB, POST)]

    tell(story)


def test_muted_conversation(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        answer = await world.post(101, BOB, conversation_id=POST)
        await world.put(_MENTION, status_id=answer, account_id=ANN, silent=False)
        await world.put(_MENTION, status_id=answer, account_id=EVE, silent=False)
        await world.put(_MUTED_THREAD, account_id=ANN, conversation_id=POST)
        await world.do(notify_mentioned, answer)
        await world.do(notify, ANN, "favourite", BOB, POST)
        await world.do(notify, ANN, "follow", BOB)
        assert await world.told(ANN) == [("follow", BOB, None)]
        assert await world.told(EVE) == [("mention", BOB, answer)]

    tell(story)


def test_limited_accounts_are_filtered_unless_followed(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.put(_MENTION, status_id=await world.post(101, LIMITED), account_id=ANN, silent=False)
        await world.put(_MENTION, status_id=101, account_id=EVE, silent=False)
        await world.do(follow, EVE, LIMITED)
        world.notified.clear()
        await world.do(notify_mentioned, 101)
        assert await world.inbox(ANN) == []
        (held,) = await world.inbox(ANN, include_filtered=True)
        assert held.filtered is True
        (seen,) = await world.inbox(EVE)
        assert seen.filtered is False
        assert [event.pairs for event in world.notified] == [[(seen.id, EVE)]]

    tell(story)


@pytest.mark.parametrize("visibility", list(Visibility))
def test_mentions(tell: Callable[[Story], None], visibility: Visibility) -> None:
    async def story(world: World) -> None:
        await world.post(101, REMOTE, visibility)
        for account in (ANN, BOB):  # else a direct one would wait to be asked for
            await world.put(_PERMISSION, account_id=account, from_account_id=REMOTE, created_at=0)
        for account, silent in ((ANN, False), (BOB, False), (EVE, True), (REMOTE, False)):
            await world.put(_MENTION, status_id=101, account_id=account, silent=silent)
        for _ in range(2):
            await world.do(notify_mentioned, 101)
        for account, expected in ((ANN, 1), (BOB, 1), (EVE, 0), (LOCKED, 0)):
            assert await world.told(account) == [("mention", REMOTE, 101)] * expected
        (body,) = await world.stream()
        pairs = [[(await world.inbox(account))[0].id, account] for account in (ANN, BOB)]
        assert sorted(map(str, pairs)) == sorted(map(str, decode(body)["ids"]))
        assert len({row.group_key for account in (ANN, BOB) for row in await world.inbox(account)}) == 2
        await world.do(notify_mentioned, 999)

    tell(story)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"visibility": Visibility.PRIVATE}, True),
        ({"visibility": Visibility.DIRECT}, False),
        ({"reblog_of_id": POST}, False),
        ({"in_reply_to_account_id": EVE}, False),
        ({"in_reply_to_account_id": BOB}, True),
    ],
)
def test_bell(tell: Callable[[Story], None], more: dict[str, Any], told: bool) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, BOB, notify=True)
        await world.do(follow, EVE, BOB)
        await world.post(101, BOB, **more)
        for _ in range(2):
            await world.do(notify_followers_with_bell, 101)
        assert [each for each in await world.told(ANN) if each[0] == "status"] == [("status", BOB, 101)] * told
        assert await world.told(EVE) == []

    tell(story)


def test_poll_ended_tells_voters_and_author(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        new_poll = insert_into(polls, "id", "status_id", "account_id", "multiple")
        await world.put(new_poll, id=1, status_id=POST, account_id=ANN, multiple=True)
        for position in (0, 1):
            await world.put(insert_into(poll_options, "poll_id", "position"), poll_id=1, position=position)
        vote = insert_into(poll_votes, "poll_id", "account_id", "choice")
        for account, choice in ((BOB, 0), (BOB, 1), (REMOTE, 1)):
            await world.put(vote, poll_id=1, account_id=account, choice=choice)
        for _ in range(2):
            await world.do(notify_poll_ended, POST)
        assert await world.told(ANN) == await world.told(BOB) == [("poll", ANN, POST)]
        assert await world.told(EVE) == []

    tell(story)


def test_edit_tells_boosters_anew(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for id_, booster in ((101, BOB), (102, EVE), (103, ANN), (104, REMOTE)):
            await world.post(id_, booster, reblog_of_id=POST)
        await world.do(notify_edited, POST)
        (first,) = await world.inbox(BOB)
        await world.do(notify_edited, POST)
        (second,) = await world.inbox(BOB)
        assert second.type == "update" and second.id > first.id
        assert await world.told(EVE) == [("update", ANN, POST)]
        assert await world.told(ANN) == []

    tell(story)


def test_retract(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        async def fill() -> None:
            for sender in (BOB, EVE):
                await world.do(notify, ANN, "favourite", sender, POST)
                await world.do(notify, ANN, "reblog", sender, POST)
                await world.do(notify, ANN, "follow", sender)
            assert len(await world.inbox(ANN)) == 6

        await fill()
        await world.do(retract, ANN, "favourite", BOB, POST)
        await world.do(retract, ANN, "follow", BOB)
        await world.do(retract_from, "reblog", BOB, POST)
        assert {each[1] for each in await world.told(ANN)} == {EVE}
        await fill()
        await world.do(retract_from_all, "favourite", POST)
        assert {each[0] for each in await world.told(ANN)} == {"reblog", "follow"}
        await fill()
        await world.do(retract_sender, ANN, BOB)
        assert {each[1] for each in await world.told(ANN)} == {EVE}
        await fill()
        await world.put(Query(delete(statuses).where(statuses.c.id == POST)))
        assert {each[0] for each in await world.told(ANN)} == {"follow"}

    tell(story)


def test_relationships_notify(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(follow, ANN, BOB)
        assert await world.told(BOB) == [("follow", ANN, None)]
        await world.do(unfollow, ANN, BOB)
        assert await world.told(BOB) == []
        await world.do(follow, ANN, LOCKED)
        await world.do(follow, EVE, LOCKED)
        await world.do(follow, BOB, LOCKED)
        assert await world.told(LOCKED) == [("follow_request", account, None) for account in (BOB, EVE, ANN)]
        await world.do(authorize_follow_request, LOCKED, ANN)
        await world.do(reject_follow_request, LOCKED, EVE)
        await world.do(unfollow, BOB, LOCKED)
        assert await world.told(LOCKED) == [("follow", ANN, None)]

    tell(story)


@pytest.mark.parametrize(
    ("verb", "more", "left"),
    [(block, {}, [EVE]), (mute, {}, [EVE]), (mute, {"hide_notifications": False}, [EVE, BOB])],
)
def test_blocks_and_mutes_take_notifications(
    tell: Callable[[Story], None], verb: Any, more: dict[str, Any], left: list[int]
) -> None:
    async def story(world: World) -> None:
        for sender in (BOB, EVE):
            await world.do(notify, ANN, "favourite", sender, POST)
        await world.do(verb, ANN, BOB, **more)
        assert [each[1] for each in await world.told(ANN)] == left

    tell(story)


def test_statuses_notify(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        public = int(Visibility.PUBLIC)
        await world.post(101, BOB, reblog_of_id=POST)
        await world.do(record, status_events.StatusBoosted(101, BOB, POST, ANN, public, True))
        await world.do(record, status_events.StatusFavourited(POST, EVE, ANN))
        assert await world.told(ANN) == [("favourite", EVE, POST), ("reblog", BOB, POST)]
        await world.put(_MENTION, status_id=POST, account_id=EVE, silent=False)
        created = status_events.StatusCreated(
            status_id=POST,
            account_id=ANN,
            visibility=public,
            local=True,
            in_reply_to_account_id=None,
            language=None,
            with_media=False,
        )
        await world.do(record, created)
        await world.do(record, status_events.StatusEdited(POST, ANN, public, True))
        assert await world.told(EVE) == [("mention", ANN, POST)]
        assert await world.told(BOB) == [("update", ANN, POST)]
        await world.do(record, status_events.StatusUnfavourited(POST, EVE, ANN))
        await world.do(record, status_events.StatusDeleted(101, BOB, public, True, reblog_of_id=POST))
        assert await world.told(ANN) == []

    tell(story)


def test_dismiss_and_clear(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for sender in (BOB, EVE, LOCKED):
            await world.do(notify, ANN, "favourite", sender, POST)
            await world.do(notify, ANN, "follow_request", sender)
        first = (await world.inbox(ANN))[0]
        with pytest.raises(NotFound):
            await world.do(dismiss, BOB, first.id)
        await world.do(dismiss, ANN, first.id)
        with pytest.raises(NotFound):
            await world.do(dismiss, ANN, first.id)
        grouped = next(row for row in await world.inbox(ANN) if row.type == "favourite")
        group = await world.ask(list_group, ANN, grouped.group_key, Page())
        assert [row.from_account_id for row in group] == [LOCKED, EVE, BOB]
        await world.do(dismiss_group, BOB, grouped.group_key)
        await world.do(dismiss_group, ANN, grouped.group_key)
        assert [row.type for row in await world.inbox(ANN)] == ["follow_request"] * 2
        await world.do(notify, BOB, "follow", EVE)
        await world.do(clear, ANN)
        assert await world.inbox(ANN) == [] and len(await world.inbox(BOB)) == 1

    tell(story)


def test_list_by_type_sender_and_page(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for sender in (BOB, EVE):
            for type_, status in (("favourite", POST), ("reblog", POST), ("follow", None)):
                await world.do(notify, ANN, type_, sender, status)
        rows = await world.inbox(ANN)
        assert len(rows) == 6 and [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)

        async def types(**more: Any) -> list[str]:
            return [row.type for row in await world.inbox(ANN, **more)]

        assert await types(types=["follow", "favourite"]) == ["follow", "favourite"] * 2
        assert await types(exclude_types=["follow"]) == ["reblog", "favourite"] * 2
        assert await types(types=["follow", "reblog"], exclude_types=["reblog"]) == ["follow"] * 2
        assert await types(from_account_id=EVE) == ["follow", "reblog", "favourite"]
        assert await types(from_account_id=EVE, types=["reblog"]) == ["reblog"]
        assert await types(types=["no such type"]) == []

        older = await world.ask(list_notifications, ANN, Page(max_id=rows[1].id, limit=2))
        assert older == rows[2:4]
        assert await world.ask(list_notifications, ANN, Page(min_id=rows[4].id, limit=2)) == rows[2:4]

        assert await world.ask(count_unread, ANN) == 6
        assert await world.ask(count_unread, ANN, rows[2].id) == 2
        assert await world.ask(count_unread, ANN, 0, 4) == 4
        assert await world.ask(count_unread, ANN, wanted=Selection(types=["follow"])) == 2
        assert await world.ask(count_unread, ANN, wanted=Selection((), ["follow"], EVE)) == 2

        await world.put(Query(update(accounts).where(accounts.c.id == BOB).values(state=AccountState.SUSPENDED)))
        assert {row.from_account_id for row in await world.inbox(ANN)} == {EVE}
        assert await world.ask(count_unread, ANN) == 3

    tell(story)


def test_group_keys() -> None:
    assert group_key("reblog", 7, 9, 3 * SPAN + 5) == "reblog-9-3"
    assert group_key(NotificationType.FOLLOW, 7, None, 2 * SPAN) == "follow-2"
    assert group_key("mention", 7, 9, 0) == "ungrouped-7"


def test_stored_values_are_plain(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(notify, ANN, NotificationType.FOLLOW, BOB)
        (row,) = await world.inbox(ANN, types=[NotificationType.FOLLOW])
        assert row.type == "follow" and type(row.type) is str

    tell(story)


def test_markers(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        assert await world.ask(load_markers, ANN) == {}
        await world.do(set_marker, ANN, "home", 5, version=0)
        await world.do(set_marker, ANN, "notifications", 6)
        await world.do(set_marker, ANN, "home", 7)
        await world.do(set_marker, BOB, "home", 1)
        found = await world.ask(load_markers, ANN)
        assert {name: (m.last_read_id, m.version) for name, m in found.items()} == {
            "home": (7, 2),
            "notifications": (6, 1),
        }
        assert found["home"].updated_at <= now_ms()
        assert list(await world.ask(load_markers, ANN, ["home"])) == ["home"]
        with pytest.raises(Invalid):
            await world.do(set_marker, ANN, "public", 5)
        for stale in (0, 1):
            with pytest.raises(Conflict):
                await world.do(set_marker, ANN, "home", 8, version=stale)
        await world.do(set_marker, ANN, "home", 8, version=2)
        assert (await world.ask(load_markers, ANN))["home"][1:3] == (8, 3)

    tell(story)


def test_simultaneous_markers_lose_no_conflict(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.do(set_marker, ANN, "home", 1)
        moves = [world.do(set_marker, ANN, "home", read, version=1) for read in range(2, 10)]
        outcomes = await asyncio.gather(*moves, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 7 + ["NoneType"]

    tell(story)


def test_a_page_of_many_recipients_is_few_statements(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        statements = 0

        class Counting:
            def __init__(self, session: Any) -> None:
                self.session = session

            def __getattr__(self, name: str) -> Any:
                nonlocal statements
                statements += name in ("all", "one", "execute", "execute_many")
                return getattr(self.session, name)

        async def counted(session: Any) -> None:
            counting: Any = Counting(session)
            await notify_mentioned(counting, 101)

        await world.post(101, REMOTE)
        for account in LOCALS:
            await world.put(_MENTION, status_id=101, account_id=account, silent=False)
        await world.db.write(counted)
        assert statements <= 5
        assert await world.ask(count_unread, EVE) == 1

    tell(story)
