"""What can be done to statuses: rows, counters and events, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.mute import mute
from phiomia.domain.statuses import events
from phiomia.domain.statuses import thread as threads
from phiomia.domain.statuses.boost import boost, unboost
from phiomia.domain.statuses.compose import StatusText, compose
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.create_once import create_status_once, forget_keys
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.edit import Revision, edit_status
from phiomia.domain.statuses.end_polls import end_polls
from phiomia.domain.statuses.favourite import favourite, unfavourite
from phiomia.domain.statuses.history import load_history
from phiomia.domain.statuses.jobs import EndPolls, ForgetIdempotencyKeys, run_end_polls, run_forget_idempotency_keys
from phiomia.domain.statuses.pin import pin
from phiomia.domain.statuses.queries import load_status
from phiomia.domain.statuses.thread import load_thread
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.statuses.vote import vote
from phiomia.domain.statuses.whole import load_statuses
from phiomia.platform.db import WriteSession
from phiomia.platform.events import Event, SideEffects
from world import Account, World, story

POLL = PollDraft(["tea", "coffee"], expires_in=600)


def listen(world: World) -> list[Event]:
    """The events that follow from now on."""
    heard: list[Event] = []

    async def note(_session: WriteSession, event: Event) -> None:
        heard.append(event)

    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    world.db.services.side_effects = {kind: SideEffects(now=(note,)) for kind in kinds}
    return heard


async def make(world: World, who: Account, parent: int | None = None, **more: Any) -> int:
    """A new status."""
    draft = StatusDraft(who.id, "<p>Hi</p>", source="Hi", in_reply_to_id=parent, **more)
    return int(await world.write(lambda session: create_status(session, draft)))


async def people(world: World, *names: str) -> list[Account]:
    """Several members."""
    return [await world.account(name) for name in names]


async def at_once(world: World, *verbs: Callable[[WriteSession], Awaitable[Any]]) -> list[Any]:
    """What becomes of verbs in transactions of their own, side by side."""
    return await asyncio.gather(*(world.write(verb) for verb in verbs), return_exceptions=True)


async def counts(world: World, status_id: int) -> tuple[int, int, int]:
    """Replies, boosts and favourites."""
    async with world.db.read() as session:
        row = (await load_statuses(session, [status_id]))[status_id].row
    return row.replies_count, row.reblogs_count, row.favourites_count


async def statuses_of(world: World, who: Account) -> int:
    """The number that the account shows."""
    return int(await world.value("SELECT statuses_count FROM accounts WHERE id = :id", id=who.id))


async def write_text(world: World, who: Account, text: str, **more: Any) -> StatusDraft:
    """A draft of what somebody typed."""
    async with world.db.read() as session:
        typed = StatusText(text=text, **more)
        return await compose(session, who.id, typed, world.api.fragments.links, "phiomia.example")


@story()
async def test_deleting_lowers_every_counter(world: World) -> None:
    alice, bob, carol = await people(world, "alice", "bob", "carol")
    root = await make(world, alice)
    reply = await make(world, bob, root, mentions=[alice.id], tags=[("tea", "Tea")])
    answer = await make(world, carol, reply)
    await world.write(lambda session: boost(session, alice.id, reply))
    await world.write(lambda session: boost(session, carol.id, reply))
    remote = await world.account("dora", domain="elsewhere.example")
    await world.write(lambda session: boost(session, remote.id, reply, uri="https://elsewhere.example/1"))
    assert await counts(world, root) == (1, 0, 0)
    assert await counts(world, reply) == (1, 3, 0)
    assert [await statuses_of(world, who) for who in (alice, bob, carol)] == [2, 1, 2]
    heard = listen(world)
    with pytest.raises(NotFound):
        await world.write(lambda session: delete_status(session, alice.id, reply))
    await world.write(lambda session: delete_status(session, bob.id, reply))
    assert heard == [
        events.StatusDeleted(reply, bob.id, 0, True, tags=["tea"], mentions=[alice.id], remote_boosters=[remote.id])
    ]
    assert await counts(world, root) == (0, 0, 0)
    assert [await statuses_of(world, who) for who in (alice, bob, carol)] == [1, 0, 1]
    assert await world.value("SELECT count(*) FROM statuses WHERE reblog_of_id IS NOT NULL") == 0
    async with world.db.read() as session:
        row = await load_status(session, answer, carol.id)
    assert (row.in_reply_to_id, row.in_reply_to_account_id, row.rev) == (None, bob.id, 2)


@story()
async def test_counters_leave_out_what_not_all_may_see(world: World) -> None:
    (alice,) = await people(world, "alice")
    root = await make(world, alice)
    secret = await make(world, alice, root, visibility=Visibility.DIRECT)
    followers = await make(world, alice, root, visibility=Visibility.PRIVATE)
    assert await counts(world, root) == (0, 0, 0)
    assert await statuses_of(world, alice) == 2
    for gone in (secret, followers):
        await world.write(lambda session, gone=gone: delete_status(session, alice.id, gone))
    assert await counts(world, root) == (0, 0, 0)
    assert await statuses_of(world, alice) == 1


@story()
async def test_files_of_a_deleted_status(world: World) -> None:
    (alice,) = await people(world, "alice")
    media = await world.picture(alice)
    kept = await make(world, alice, media_ids=[media])
    await world.write(lambda session: delete_status(session, alice.id, kept))
    assert await world.value("SELECT status_id FROM media WHERE id = :id", id=media) is None
    gone = await make(world, alice, media_ids=[media])
    heard = listen(world)
    await world.write(lambda session: delete_status(session, alice.id, gone, delete_media=True))
    assert isinstance(heard[0], events.StatusDeleted)
    assert heard[0].media_keys == [f"media/{media}.webp", f"media/{media}-small.webp"]
    assert await world.value("SELECT count(*) FROM media") == 0
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'instance.delete_files'") == 1


@story()
async def test_deleting_twice_at_once_counts_once(world: World) -> None:
    (alice,) = await people(world, "alice")
    await make(world, alice)
    gone = await make(world, alice)
    verbs = [lambda session: delete_status(session, alice.id, gone)] * 4
    results = await at_once(world, *verbs)
    assert sorted(type(one).__name__ for one in results) == ["NoneType", "NotFound", "NotFound", "NotFound"]
    assert await statuses_of(world, alice) == 1


@story()
async def test_favouriting_at_once_counts_once(world: World) -> None:
    alice, bob = await people(world, "alice", "bob")
    liked = await make(world, alice)
    heard = listen(world)
    await at_once(world, *[lambda session: favourite(session, bob.id, liked)] * 4)
    assert await counts(world, liked) == (0, 0, 1)
    await at_once(world, *[lambda session: unfavourite(session, bob.id, liked)] * 4)
    assert await counts(world, liked) == (0, 0, 0)
    favourite_id = getattr(heard[0], "favourite_id", 0)
    assert heard == [
        events.StatusFavourited(liked, bob.id, alice.id, favourite_id),
        events.StatusUnfavourited(liked, bob.id, alice.id, favourite_id),
    ]
    assert favourite_id


@story()
async def test_boosting_at_once_boosts_once(world: World) -> None:
    alice, bob = await people(world, "alice", "bob")
    shared = await make(world, alice)
    heard = listen(world)
    ids = await at_once(world, *[lambda session: boost(session, bob.id, shared)] * 4)
    assert len(set(ids)) == 1
    assert await counts(world, shared) == (0, 1, 0)
    await world.write(lambda session: unboost(session, bob.id, ids[0]))
    assert await counts(world, shared) == (0, 0, 0)
    assert await statuses_of(world, bob) == 0
    assert heard == [
        events.StatusBoosted(ids[0], bob.id, shared, alice.id, 0, True),
        events.StatusDeleted(ids[0], bob.id, 0, True, reblog_of_id=shared),
    ]


@story()
async def test_pinning_at_once_keeps_to_the_limit(world: World) -> None:
    (alice,) = await people(world, "alice")
    ids = [await make(world, alice) for _ in range(8)]
    results = await at_once(world, *[lambda session, one=one: pin(session, alice.id, one) for one in ids])
    assert sum(isinstance(one, Invalid) for one in results) == 3
    assert await world.value("SELECT count(*) FROM pins") == 5


@story()
async def test_voting_at_once_counts_once(world: World) -> None:
    alice, bob = await people(world, "alice", "bob")
    status_id = await make(world, alice, poll=POLL)
    poll_id = await world.value("SELECT poll_id FROM statuses WHERE id = :id", id=status_id)
    before = await world.value("SELECT rev FROM statuses WHERE id = :id", id=status_id)
    heard = listen(world)
    verbs = [lambda session, choice=choice: vote(session, bob.id, poll_id, [choice]) for choice in (0, 1, 0, 1)]
    results = await at_once(world, *verbs)
    assert sum(isinstance(one, Invalid) for one in results) == 3
    assert await world.value("SELECT sum(votes_count) FROM poll_options") == 1
    assert await world.value("SELECT voters_count FROM polls") == 1
    assert await world.value("SELECT rev FROM statuses WHERE id = :id", id=status_id) == before + 1
    assert [type(one) for one in heard] == [events.PollVoted]


@story()
async def test_polls_end_once(world: World) -> None:
    (alice,) = await people(world, "alice")
    over, running = await make(world, alice, poll=POLL), await make(world, alice, poll=POLL)
    poll_id = await world.value("SELECT poll_id FROM statuses WHERE id = :id", id=over)
    await world.execute("UPDATE polls SET expires_at = 1 WHERE status_id = :id", id=over)
    heard = listen(world)
    await at_once(world, end_polls, end_polls)
    await run_end_polls(world, EndPolls())
    assert heard == [events.PollEnded(poll_id, over, alice.id)]
    assert running != over


@story()
async def test_keys_at_once_and_forgotten(world: World) -> None:
    (alice,) = await people(world, "alice")
    draft = StatusDraft(alice.id, "<p>Hi</p>", source="Hi")
    ids = await at_once(world, *[lambda session: create_status_once(session, draft, "key")] * 4)
    assert len(set(ids)) == 1
    assert await statuses_of(world, alice) == 1
    assert await world.write(forget_keys) == 0
    await world.execute("UPDATE idempotency_keys SET created_at = 1")
    await run_forget_idempotency_keys(world, ForgetIdempotencyKeys())
    assert await world.value("SELECT count(*) FROM idempotency_keys") == 0


@story()
async def test_edits_keep_what_was(world: World) -> None:
    alice, bob, carol = await people(world, "alice", "bob", "carol")
    first = await write_text(world, alice, "@bob #tea")
    status_id = await world.write(lambda session: create_status(session, first))
    heard = listen(world)
    assert not await world.write(lambda session: edit_status(session, alice.id, status_id, Revision(first)))
    assert heard == []
    second = await write_text(world, alice, "@bob @carol #coffee", poll=POLL)
    assert await world.write(lambda session: edit_status(session, alice.id, status_id, Revision(second)))
    assert heard == [events.StatusEdited(status_id, alice.id, 0, True, mentions=[carol.id])]
    third = await write_text(world, alice, "@carol")
    assert await world.write(lambda session: edit_status(session, alice.id, status_id, Revision(third)))
    async with world.db.read() as session:
        view = (await load_statuses(session, [status_id]))[status_id]
        history = await load_history(session, status_id, None)
    assert [one.id for one in view.mentions] == [carol.id]
    assert (view.tags, view.poll, view.row.poll_id) == ([], None, None)
    assert [one.poll_options for one in history.versions] == [None, ["tea", "coffee"], None]
    assert [one.created_at for one in history.versions] == sorted(one.created_at for one in history.versions)
    assert await world.value("SELECT silent FROM status_mentions WHERE account_id = :id", id=bob.id)
    with pytest.raises(NotFound):
        await world.write(lambda session: edit_status(session, bob.id, status_id, Revision(first)))
    shared = await world.write(lambda session: boost(session, alice.id, status_id))
    with pytest.raises(NotFound):
        await world.write(lambda session: edit_status(session, alice.id, shared, Revision(first)))


@story()
async def test_a_refused_edit_changes_nothing(world: World) -> None:
    alice, bob = await people(world, "alice", "bob")
    media, foreign = await world.picture(alice), await world.picture(bob)
    status_id = await make(world, alice, media_ids=[media])
    draft = await write_text(world, alice, "other", media_ids=[foreign])
    with pytest.raises(Invalid):
        await world.write(lambda session: edit_status(session, alice.id, status_id, Revision(draft)))
    assert await world.value("SELECT count(*) FROM status_edits") == 0
    assert await world.value("SELECT status_id FROM media WHERE id = :id", id=media) == status_id


class Tree:
    """A thread with names for its statuses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids: dict[str, int] = {}

    async def grow(self, name: str, who: Account, parent: str = "", **more: Any) -> None:
        """One more status."""
        self.ids[name] = await make(self.world, who, self.ids.get(parent), **more)

    async def around(self, name: str, viewer: Account | None) -> tuple[str, str]:
        """The names above and below, as the viewer sees them."""
        names = {id_: name for name, id_ in self.ids.items()}
        async with self.world.db.read() as session:
            found = await load_thread(session, self.ids[name], viewer.id if viewer else None)
        return "".join(names[row.id] for row in found.ancestors), "".join(names[row.id] for row in found.descendants)


@pytest.mark.parametrize("long", [False, True])
def test_threads(migrated_database_url: str, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    """A long conversation is loaded in another way, and looks the same."""
    if long:
        monkeypatch.setattr(threads, "_FOR_ANYBODY", threads._FOR_ANYBODY._replace(conversation=1))
        monkeypatch.setattr(threads, "_FOR_VIEWER", threads._FOR_VIEWER._replace(conversation=1))
    _tell_threads(migrated_database_url)


@story()
async def _tell_threads(world: World) -> None:
    alice, bob, carol = await people(world, "alice", "bob", "carol")
    dora = await world.account("dora", state=1)
    tree = Tree(world)
    await tree.grow("a", alice)
    await tree.grow("b", bob, "a")
    await tree.grow("c", carol, "b")
    await tree.grow("d", alice, "a")  # alice goes on: first
    await tree.grow("e", bob, "d")
    await tree.grow("f", alice, "d")
    await tree.grow("g", bob, "b", visibility=Visibility.DIRECT)
    await tree.grow("h", carol, "a")
    await tree.grow("i", dora, "c")
    await tree.grow("z", alice)
    assert await tree.around("a", alice) == ("", "dfebch")
    assert await tree.around("a", bob) == ("", "dfebgch")
    assert await tree.around("a", None) == ("", "dfebch")
    assert await tree.around("c", alice) == ("ab", "")
    assert await tree.around("b", dora) == ("a", "ci")
    assert await tree.around("i", alice) == ("abc", "")
    assert await tree.around("z", alice) == ("", "")
    await world.write(lambda session: mute(session, carol.id, bob.id))
    assert await tree.around("a", carol) == ("", "dfch")
    assert await tree.around("c", carol) == ("a", "")
    assert await tree.around("b", carol) == ("a", "c")
    await world.write(lambda session: block(session, alice.id, bob.id))
    assert await tree.around("h", bob) == ("", "")
    with pytest.raises(NotFound):
        await tree.around("a", bob)
    with pytest.raises(NotFound):
        await tree.around("g", None)
    await world.write(lambda session: delete_status(session, bob.id, tree.ids.pop("b")))
    assert await tree.around("c", None) == ("", "")
    assert await tree.around("a", None) == ("", "dfeh")


@pytest.mark.parametrize("long", [False, True])
def test_limits_of_threads(migrated_database_url: str, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    """Those who are not signed in get the nearest."""
    limits = threads._FOR_ANYBODY._replace(ancestors=2, descendants=3, depth=2, conversation=1 if long else 100)
    monkeypatch.setattr(threads, "_FOR_ANYBODY", limits)
    _tell_limits(migrated_database_url)


@story()
async def _tell_limits(world: World) -> None:
    alice, bob = await people(world, "alice", "bob")
    tree = Tree(world)
    for name, parent in zip("abcdefg", " abcdef", strict=True):
        await tree.grow(name, alice, parent)
    assert await tree.around("d", None) == ("bc", "ef")
    assert await tree.around("d", bob) == ("abc", "efg")
    for name in "hijk":
        await tree.grow(name, bob, "g")
    assert await tree.around("g", None) == ("ef", "hij")
