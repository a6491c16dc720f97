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
    """Something said `ago` hours ago, or `after` minutes behind the post named in `reply_to`."""

    by: str
    text: str
    ago: float = 0.0
    after: int = 0
    name: str = ""
    reply_to: str = ""
    spoiler: str = ""
    visibility: str = "public"
    pictures: list[tuple[str, str]] = []
    poll: Question | None = None
    likes: int = 0
    boosts: list[str] = []
    pinned: bool = False


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    people: list[Person]
    posts: list[Post]


def read_script() -> Script:
    """The script, checked."""
    text = files("phiomia.demo").joinpath("world.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Script)
