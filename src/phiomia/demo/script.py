"""The people and posts of the demonstration, as they stand in `world.toml`."""

import tomllib
from importlib.resources import files

import msgspec


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody invented. `joined` is days ago, `colours` those of background, skin, hair and clothes."""

    username: str
    name: str
    joined: int
    note: str
    fields: list[tuple[str, str]]
    colours: tuple[str, str, str, str]
    scene: str
    bot: bool = False


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A poll; `votes` are who chose each option."""

    options: list[str]
    days: int
    votes: list[list[str]]
    multiple: bool = False


class Post(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something said `ago` hours ago, or `after` minutes behind the post named in `reply_to`.

    `film` describes the film that it shows, `quotes` names another post.
    """

    by: str
    text: str
    ago: float = 0.0
    after: int = 0
    name: str = ""
    reply_to: str = ""
    spoiler: str = ""
    visibility: str = "public"
    pictures: list[tuple[str, str]] = []
    film: str = ""
    quotes: str = ""
    poll: Question | None = None
    likes: int = 0
    boosts: list[str] = []
    pinned: bool = False


class Collected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People whom somebody recommends together."""

    by: str
    name: str
    description: str
    people: list[str]
    tag: str = ""


class Filtered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody would rather be warned of."""

    by: str
    title: str
    contexts: list[str]
    keywords: list[str]


class Later(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A post that waits for its day."""

    by: str
    days: int
    text: str


class Announced(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What those who run the server have to say; `reactions` are who has answered with which emoji."""

    text: str
    reactions: dict[str, list[str]]


class Belongings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is there beside people and posts."""

    collections: list[Collected]
    filters: list[Filtered]
    later: list[Later]
    announcements: list[Announced]


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    people: list[Person]
    posts: list[Post]
    belongings: Belongings


def read_script() -> Script:
    """The script, checked."""
    text = files("phiomia.demo").joinpath("world.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Script)
