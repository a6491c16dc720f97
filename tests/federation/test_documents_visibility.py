"""Random people and posts: every document and collection shows what a small model says, to everybody who asks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.visibility import Visibility
from world import Account, make_account

from .fake_peer import FakeActor, FakePeer
from .published import Site, publishing
from .strict import check

_OPEN = (Visibility.PUBLIC, Visibility.UNLISTED)


@dataclass
class Post:
    """What the model knows of a status."""

    uri: str
    author: str
    visibility: Visibility
    named: set[str]
    answers: str | None


@dataclass
class Model:
    """Who follows and blocks whom, by name, and what was said."""

    follows: set[tuple[str, str]] = field(default_factory=set)
    blocks: set[tuple[str, str]] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)

    def may_see(self, viewer: str | None, post: Post) -> bool:
        """The rules as sentences. What anybody may see, a blocked person sees without signing."""
        if post.visibility in _OPEN:
            return True
        if viewer is None or (post.author, viewer) in self.blocks:
            return False
        if viewer in post.named:
            return True
        return post.visibility == Visibility.PRIVATE and (viewer, post.author) in self.follows

    def outbox(self, author: str) -> set[str]:
        """The ids that everybody finds in somebody's outbox."""
        return {post.uri for post in self.posts if post.author == author and post.visibility in _OPEN}

    def replies(self, parent: Post) -> set[str]:
        """The ids that everybody finds below a status."""
        return {post.uri for post in self.posts if post.answers == parent.uri and post.visibility in _OPEN}


@pytest.fixture(scope="module")
def peer() -> Iterator[FakePeer]:
    """The server of those who ask."""
    with FakePeer() as running:
        yield running


@pytest.mark.parametrize("seed", range(3))
def test_documents_show_what_the_model_says(migrated_database_url: str, peer: FakePeer, seed: int) -> None:
    async def play(site: Site) -> None:
        model, viewers = await _populate(site, peer, random.Random(seed))
        for viewer in (None, *viewers):
            get = _asker(site, viewer)
            name = viewer.name if viewer is not None else None
            for post in model.posts:
                expected = 200 if model.may_see(name, post) else 404
                for path in (post.uri, f"{post.uri}/activity"):
                    assert (await get(path)).status == expected, (name, post, path)
                await _check_replies(get, model, name, post)
            for author in ("alice", "bob"):
                page = (await get(f"/users/{author}/outbox?page=true")).document
                assert {_named(item) for item in page["orderedItems"]} == model.outbox(author), (name, author)

    publishing()(play)(migrated_database_url)


async def _check_replies(get: Callable[[str], Any], model: Model, name: str | None, post: Post) -> None:
    answer = await get(f"{post.uri}/replies?page=true")
    if not model.may_see(name, post):
        assert answer.status == 404, (name, post)
        return
    check(answer.document)
    found = {_named(item) for item in answer.document.get("items", answer.document.get("orderedItems", []))}
    assert found <= model.replies(post), (name, post)


async def _populate(site: Site, peer: FakePeer, chance: random.Random) -> tuple[Model, list[FakeActor]]:
    model = Model()
    authors = {name: await make_account(site.db, name) for name in ("alice", "bob")}
    viewers = [peer.add_actor(f"{name}{chance.randrange(10**9)}") for name in ("carol", "dave", "erin")]
    people: dict[str, Account] = {viewer.name: await site.meet(viewer) for viewer in viewers}
    for viewer in people:
        for author in authors:
            fate = chance.random()
            if fate < 0.45:
                await site.db.write(lambda session: follow(session, people[viewer].id, authors[author].id))  # noqa: B023
                model.follows.add((viewer, author))
            elif fate < 0.65:
                await site.db.write(lambda session: block(session, authors[author].id, people[viewer].id))  # noqa: B023
                model.blocks.add((author, viewer))
    for _ in range(12):
        await _say(site, model, authors, people, chance)
    return model, viewers


async def _say(
    site: Site, model: Model, authors: dict[str, Account], people: dict[str, Account], chance: random.Random
) -> None:
    author = chance.choice(list(authors))
    visibility = chance.choice([Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE, Visibility.DIRECT])
    named = {name for name in people if chance.random() < 0.3 and (author, name) not in model.blocks}
    parent = chance.choice([None, *(post for post in model.posts if post.author == author)])
    more: dict[str, Any] = {"visibility": visibility, "mentions": [people[name].id for name in sorted(named)]}
    if parent is not None:
        more["in_reply_to_id"] = int(parent.uri.rpartition("/")[2])
    status_id = await site.post(authors[author], **more)
    answers = parent.uri if parent is not None else None
    model.posts.append(Post(site.uri(author, status_id), author, visibility, named, answers))


def _asker(site: Site, viewer: FakeActor | None) -> Callable[[str], Any]:
    return site.get if viewer is None else lambda path: site.get_as(viewer, path)


def _named(item: Any) -> str:
    """The id of the status that an item of a collection stands for."""
    if isinstance(item, dict):
        return _named(item.get("object", item.get("id")))
    return str(item).removesuffix("/activity")
