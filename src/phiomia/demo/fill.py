"""Fills a new server with invented people, by the same verbs that real ones use."""

import asyncio
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from phiomia.demo.belongings import hand_out
from phiomia.demo.film import draw_film
from phiomia.demo.scenes import HEADER_SIZE, SCENE_SIZE, draw_avatar, draw_scene
from phiomia.demo.script import Person, Post, Script, read_script
from phiomia.domain.accounts.pictures import StoredPicture, store_picture
from phiomia.domain.accounts.queries import find_by_handle
from phiomia.domain.accounts.update import ProfileChange, update_profile
from phiomia.domain.accounts.views import AccountField
from phiomia.domain.instance.secrets import find_fact, keep_fact, note_fact
from phiomia.domain.media.kinds import MediaKind
from phiomia.domain.media.process import process_media
from phiomia.domain.media.upload import NewMedia, create_media, keep_source
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.compose import StatusText, compose
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.favourite import favourite
from phiomia.domain.statuses.pin import pin
from phiomia.domain.statuses.queries import load_status
from phiomia.domain.statuses.quote_policy import CHOICES
from phiomia.domain.statuses.text import MentionTarget, Targets, render_field, render_note
from phiomia.domain.statuses.visibility import WORDS
from phiomia.domain.statuses.vote import vote
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.users.create import UserDraft, create_user
from phiomia.domain.users.events import UserSignedUp
from phiomia.domain.users.passwords import hash_password, make_password
from phiomia.domain.users.queries import UserView, list_users
from phiomia.domain.users.reset_password import store_password
from phiomia.entities.links import Links
from phiomia.first_run import OWNER, name_command
from phiomia.platform.clock import DAY, HOUR, MINUTE, SECOND, now_ms
from phiomia.platform.config import Config
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.storage import Storage

_BEGUN: Final = "demo-begun"
_COMPLETE: Final = "demo"
_GUEST: Final = "ada"
_MINUTES_TO_BOOST: Final = 95
_STRANGERS: Final = 0.12  # how many of all pairs do not follow each other


async def fill_demo(config: Config, db: Database, storage: Storage, links: Links) -> None:
    """Makes the demonstration, or finishes one that was broken off, and prints a sign-in for it.

    Says so when it is complete, or where people are already.
    """
    if await find_fact(db, _COMPLETE) is not None:
        command = f"{name_command(config)} accounts reset-password {_GUEST}"
        print(f"\n  The demonstration is here already. Another password to look around:\n  {command}\n", flush=True)
        return
    script, password = read_script(), make_password()
    stage = _Stage(config, db, storage, links, random.Random(len(script.posts)), now_ms())
    if not await _begin(stage, script):
        print("\n  The demonstration needs a new server; here are people already.\n", flush=True)
        return
    if stage.users:
        print("\n  The demonstration was broken off; it is finished now.\n", flush=True)
    with _progress(len(script.people) * 2 + len(script.posts) * 2) as advance:
        await _create_people(stage, script, password, advance)
        await _introduce(stage)
        posts = _in_order(stage, script.posts)
        await asyncio.gather(*(_illustrate(stage, post, advance) for post in posts))
        await db.write(lambda session: _complete(session, stage, posts, script, advance))
    print(f"\n  Look around as\n\n    e-mail    {_email(config, _GUEST)}\n    password  {password}\n", flush=True)


@dataclass
class _Stage:
    config: Config
    db: Database
    storage: Storage
    links: Links
    chance: random.Random
    now: int
    users: dict[str, UserView] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    bots: set[str] = field(default_factory=set)
    follows: set[tuple[str, str]] = field(default_factory=set)
    statuses: dict[str, int] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, list[int]] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        return self.config.data_dir / "tmp"

    def tag(self, name: str) -> str:
        return self.links.tag(normalise_tag(name))


async def _begin(stage: _Stage, script: Script) -> bool:
    """Whether this is the place for a demonstration; who of it is there already is noted."""
    begun = await find_fact(stage.db, _BEGUN) is not None
    invented = {_email(stage.config, person.username) for person in script.people} if begun else set()
    async with stage.db.read() as session:
        there = await list_users(session, limit=len(invented) + 2)
    stage.users = {user.username: user for user in there if user.email in invented}
    if len(there) - len(stage.users) > 1:
        return False
    await keep_fact(stage.db, _BEGUN, lambda: b"1")
    return True


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import Progress  # 30 ms that an ordinary start saves

    with Progress(transient=True) as progress:
        task = progress.add_task("Inventing people", total=total)
        yield lambda: progress.advance(task)


def _email(config: Config, username: str) -> str:
    return f"{username}@{config.domain.partition(':')[0]}"


async def _create_people(stage: _Stage, script: Script, password: str, advance: Callable[[], None]) -> None:
    for person in script.people:
        await _create_person(stage, person, password)
        advance()
    async with stage.db.read() as session:
        owner = await find_by_handle(session, OWNER)
    if owner is not None:
        stage.accounts[OWNER] = owner.id

    async def dress(person: Person) -> None:
        await _dress(stage, person)
        advance()

    await asyncio.gather(*(dress(person) for person in script.people))


async def _create_person(stage: _Stage, person: Person, password: str) -> None:
    hashed = await hash_password(password if person.username == _GUEST else make_password())
    known = stage.users.get(person.username)
    if known is not None:
        # The password was not told to anybody yet.
        await stage.db.write(lambda session: store_password(session, known.id, hashed))
        account_id = known.account_id
    else:
        account_id = await stage.db.write(lambda session: _sign_up(session, stage, person, hashed))
    stage.accounts[person.username] = account_id
    if person.bot:
        stage.bots.add(person.username)


async def _sign_up(session: WriteSession, stage: _Stage, person: Person, hashed: str) -> int:
    draft = UserDraft(
        person.username,
        _email(stage.config, person.username),
        hashed,
        confirmed=True,
        approved=True,
        created_at=stage.now - person.joined * DAY,
    )
    created = await create_user(session, draft)
    await record(session, UserSignedUp(created.user_id, created.account_id, pending=False))
    return created.account_id


async def _dress(stage: _Stage, person: Person) -> None:
    """Gives somebody a face, a header and words about themselves."""
    account_id, seed = stage.accounts[person.username], len(person.note)
    avatar, header = await asyncio.gather(
        _store(stage, "avatar", account_id, lambda file: draw_avatar(person.colours, seed, file)),
        _store(stage, "header", account_id, lambda file: draw_scene(person.scene, seed, HEADER_SIZE, file)),
    )
    people: Targets = {
        (name, None): MentionTarget(f"{stage.links.base}/@{name}", name, name) for name in stage.accounts
    }
    change = ProfileChange(
        display_name=person.name,
        note_source=person.note,
        note=render_note(person.note, people, stage.tag),
        fields=[AccountField(name, value, render_field(value, people, stage.tag)) for name, value in person.fields],
        avatar=avatar,
        header=header,
        bot=person.bot,
        discoverable=True,
        indexable=True,
    )
    await stage.db.write(lambda session: update_profile(session, account_id, change))


async def _store(stage: _Stage, place: str, account_id: int, draw: Callable[[Path], None]) -> StoredPicture:
    with tempfile.TemporaryDirectory(dir=stage.temporary, prefix="demo-") as folder:
        file = Path(folder) / "drawn.png"
        await asyncio.to_thread(draw, file)
        return await store_picture(
            stage.storage, stage.temporary, "avatar" if place == "avatar" else "header", account_id, file
        )


async def _introduce(stage: _Stage) -> None:
    """Lets most follow most, and all of them the owner, who follows all of them."""
    pairs = [
        (one, other)
        for one in stage.accounts
        for other in stage.accounts
        if one != other and (OWNER in (one, other) or stage.chance.random() > _STRANGERS)
    ]

    stage.follows = {(one, other) for one, other in pairs if one not in stage.bots}

    async def write(session: WriteSession) -> None:
        for one, other in pairs:
            if one not in stage.bots:
                await follow(session, stage.accounts[one], stage.accounts[other])

    await stage.db.write(write)


def _in_order(stage: _Stage, posts: list[Post]) -> list[Post]:
    """The posts from the oldest to the newest; each one's moment is noted under its name."""
    dated: list[tuple[int, Post]] = []
    for number, post in enumerate(posts):
        named = post if post.name else msgspec.structs.replace(post, name=f"post {number}")
        if post.reply_to:
            moment = stage.moments[post.reply_to] + post.after * MINUTE
        else:
            moment = stage.now - round(post.ago * HOUR)
        # Not on the minute, as nobody is.
        stage.moments[named.name] = min(moment + stage.chance.randrange(50) * SECOND, stage.now)
        dated.append((stage.moments[named.name], named))
    return [post for _, post in sorted(dated, key=lambda entry: entry[0])]


async def _illustrate(stage: _Stage, post: Post, advance: Callable[[], None]) -> None:
    author = stage.accounts[post.by]
    uploads = [_upload_scene(stage, author, scene, description) for scene, description in post.pictures]
    if post.film:
        film = NewMedia(author, MediaKind.VIDEO, "video/mp4", description=post.film)
        uploads.append(_upload(stage, film, lambda file: draw_film(len(post.film), file)))
    stage.pictures[post.name] = list(await asyncio.gather(*uploads))
    advance()


async def _complete(
    session: WriteSession, stage: _Stage, posts: list[Post], script: Script, advance: Callable[[], None]
) -> None:
    """Lets people write and act, all at once: what is broken off here has not begun."""
    if not await note_fact(session, _COMPLETE, b"1"):
        return
    for post in posts:
        await _publish(session, stage, post)
        advance()
    await hand_out(session, stage.accounts, script.belongings, stage.config.base_url, stage.now)


async def _publish(session: WriteSession, stage: _Stage, post: Post) -> None:
    """Writes a post, and what others made of it."""
    if f"@{OWNER}" in post.text and OWNER not in stage.accounts:
        return
    author = stage.accounts[post.by]
    status_id = await create_status(session, await _compose(session, stage, post, author))
    stage.statuses[post.name] = status_id
    if post.pinned:
        await pin(session, author, status_id)
    await _applaud(session, stage, post, status_id)


async def _compose(session: WriteSession, stage: _Stage, post: Post, author: int) -> StatusDraft:
    asked = post.poll
    poll = PollDraft(asked.options, asked.days * DAY // SECOND, asked.multiple) if asked else None
    typed = StatusText(
        text=post.text,
        spoiler_text=post.spoiler,
        visibility=WORDS[post.visibility],
        language="en",
        in_reply_to_id=stage.statuses[post.reply_to] if post.reply_to else None,
        media_ids=stage.pictures[post.name],
        poll=poll,
        quoted_status_id=stage.statuses[post.quotes] if post.quotes else None,
        quote_policy=CHOICES["public"],
    )
    draft = await compose(session, author, typed, stage.links, stage.config.domain)
    return msgspec.structs.replace(draft, created_at=stage.moments[post.name])


async def _upload_scene(stage: _Stage, author: int, scene: str, description: str) -> int:
    picture = NewMedia(author, content_type="image/png", description=description)
    return await _upload(stage, picture, lambda file: draw_scene(scene, len(description), SCENE_SIZE, file))


async def _upload(stage: _Stage, new: NewMedia, draw: Callable[[Path], None]) -> int:
    """What is drawn, ready to be attached; gives its id."""
    media_id = new_id()
    with tempfile.TemporaryDirectory(dir=stage.temporary, prefix="demo-") as folder:
        file = Path(folder) / "drawn.png"
        await asyncio.to_thread(draw, file)
        new = msgspec.structs.replace(new, size=file.stat().st_size)
        await asyncio.to_thread(keep_source, stage.temporary, media_id, file)
    await stage.db.write(lambda session: create_media(session, media_id, new))
    await process_media(stage.db, stage.storage, stage.temporary, media_id)
    return media_id


async def _applaud(session: WriteSession, stage: _Stage, post: Post, status_id: int) -> None:
    """Favourites, boosts and votes."""
    crowd = [name for name in stage.accounts if name not in (OWNER, post.by) and name not in stage.bots]
    if post.visibility != "public":
        crowd = [name for name in crowd if (name, post.by) in stage.follows]
    for name in stage.chance.sample(crowd, min(post.likes, len(crowd))):
        await favourite(session, stage.accounts[name], status_id)
    moment = stage.moments[post.name]
    for name in post.boosts:
        moment = min(moment + stage.chance.randint(3, _MINUTES_TO_BOOST) * MINUTE, stage.now)
        await boost(session, stage.accounts[name], status_id, created_at=moment)
    if post.poll is not None:
        await _vote(session, stage, post.poll.votes, status_id, stage.accounts[post.by])


async def _vote(session: WriteSession, stage: _Stage, votes: list[list[str]], status_id: int, author: int) -> None:
    poll_id = (await load_status(session, status_id, author)).poll_id
    assert poll_id is not None
    choices: dict[str, list[int]] = {}
    for choice, names in enumerate(votes):
        for name in names:
            choices.setdefault(name, []).append(choice)
    for name, chosen in choices.items():
        if stage.accounts[name] != author:
            await vote(session, stage.accounts[name], poll_id, chosen)
