"""What scopes mean, for people who never heard the word."""

from typing import NamedTuple

_WHOLE = {
    "read": "Read everything of your account: posts, messages, notifications, settings",
    "write": "Do everything in your name: post, delete, follow, change your profile",
    "follow": "See and change whom you follow, block and mute",
    "push": "Send you notifications",
    "profile": "See your name and picture only",
    "admin:read": "See everything that moderators of this server see",
    "admin:write": "Do everything that moderators of this server do",
}
_READ = {
    "accounts": "See your profile and those of others",
    "blocks": "See whom you block",
    "bookmarks": "See your bookmarks",
    "collections": "See your collections",
    "favourites": "See your favourites",
    "filters": "See your filters",
    "follows": "See whom you follow",
    "lists": "See your lists",
    "mutes": "See whom you mute",
    "notifications": "See your notifications",
    "search": "Search in your name",
    "statuses": "See every post that you may see, private ones too",
}
_WRITE = {
    "accounts": "Change your profile",
    "blocks": "Block and unblock people and servers",
    "bookmarks": "Bookmark posts",
    "collections": "Change your collections",
    "conversations": "Mute and delete conversations",
    "favourites": "Favourite posts",
    "filters": "Change your filters",
    "follows": "Follow and unfollow people",
    "lists": "Change your lists",
    "media": "Upload pictures and videos",
    "mutes": "Mute people and conversations",
    "notifications": "Clear your notifications",
    "reports": "Report people",
    "statuses": "Write and delete posts",
}


class ScopeWords(NamedTuple):
    """A scope and what it lets an app do. `grave`: more than most apps need."""

    name: str
    words: str
    grave: bool


def describe_scopes(names: list[str]) -> list[ScopeWords]:
    """What each scope means; what a wider one among them includes is left out."""
    wide = {name for name in names if name in _WHOLE}
    shown = [name for name in names if name in wide or name.rpartition(":")[0] not in wide]
    return [ScopeWords(name, _describe(name), name.startswith("admin")) for name in shown]


def _describe(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    kind, _, thing = name.rpartition(":")
    noun = thing.replace("_", " ")
    plain = {"read": _READ, "write": _WRITE}.get(kind, {}).get(thing)
    if plain is not None:
        return plain
    return f"{'See' if kind.endswith('read') else 'Change'} {noun} as moderators do"
