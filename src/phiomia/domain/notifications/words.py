"""What a notification says in one line, for those who can't show it otherwise: old apps, devices, mails."""

from typing import Final

_SAID: Final = {
    "mention": "{who} mentioned you",
    "status": "{who} posted",
    "reblog": "{who} boosted your post",
    "follow": "{who} followed you",
    "follow_request": "{who} asked to follow you",
    "favourite": "{who} favourited your post",
    "poll": "A poll by {who} has ended",
    "update": "{who} edited a post",
    "quote": "{who} quoted your post",
    "quoted_update": "{who} edited a post you have quoted",
    "admin.sign_up": "{who} signed up",
    "admin.report": "A new report involves {who}",
    "severed_relationships": "Follows of yours have ended",
    "added_to_collection": "{who} added you to a collection",
    "collection_update": "{who} edited a collection that you are in",
    "moderation_warning": "The moderators have something to say to you",
}


def say(type_: str, name: str, others: int = 0) -> str:
    """The line: who did what. `others`: how many more did the same."""
    who = name if others <= 0 else f"{name} and one more" if others == 1 else f"{name} and {others} more"
    return _SAID.get(type_, "Something happened that concerns {who}").format(who=who)
