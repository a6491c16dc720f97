"""What is shown from other servers through this one: its kinds, and the addresses that it comes from."""

from collections.abc import Mapping
from enum import IntEnum
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Column, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.instance.models import custom_emojis
from phiomia.domain.media.models import media
from phiomia.platform.db import P, Query
from phiomia.platform.jail.result import AVATAR_LIMITS, HEADER_LIMITS, ImageLimits, Kind
from phiomia.platform.limits import EMOJI_BYTES, IMAGE_BYTES, VIDEO_BYTES
from phiomia.platform.storage import MediaKind as Folder


class RemoteKind(IntEnum):
    """Of what a file of another server is. The numbers are stored; the names stand in addresses."""

    ATTACHMENT = 1
    PREVIEW = 2
    AVATAR = 3
    HEADER = 4
    EMOJI = 5
    CARD = 6


# Emoji are often larger elsewhere than what we take from members.
_EMOJI_LIMITS: Final = ImageLimits(source_bytes=8 * EMOJI_BYTES)

FOLDERS: Final[Mapping[RemoteKind, Folder]] = {
    RemoteKind.ATTACHMENT: "attachment",
    RemoteKind.PREVIEW: "attachment",
    RemoteKind.AVATAR: "avatar",
    RemoteKind.HEADER: "header",
    RemoteKind.EMOJI: "emoji",
    RemoteKind.CARD: "attachment",
}
SHAPES: Final[Mapping[RemoteKind, Kind]] = {
    RemoteKind.ATTACHMENT: "remote",
    RemoteKind.PREVIEW: "remote",
    RemoteKind.AVATAR: "avatar",
    RemoteKind.HEADER: "header",
    RemoteKind.EMOJI: "emoji",
    RemoteKind.CARD: "remote",
}
LIMITS: Final[Mapping[RemoteKind, ImageLimits]] = {
    RemoteKind.AVATAR: AVATAR_LIMITS,
    RemoteKind.HEADER: HEADER_LIMITS,
    RemoteKind.EMOJI: _EMOJI_LIMITS,
}
MOST_BYTES: Final[Mapping[RemoteKind, int]] = {
    RemoteKind.ATTACHMENT: VIDEO_BYTES,
    RemoteKind.PREVIEW: IMAGE_BYTES,
    RemoteKind.AVATAR: AVATAR_LIMITS.source_bytes,
    RemoteKind.HEADER: HEADER_LIMITS.source_bytes,
    RemoteKind.EMOJI: _EMOJI_LIMITS.source_bytes,
    RemoteKind.CARD: IMAGE_BYTES,
}
_VISIBLE: Final = accounts.c.state < AccountState.SUSPENDED


def _attached(address: Column[Any]) -> Query:
    whose = media.join(accounts, accounts.c.id == media.c.account_id)
    return Query(select(address).select_from(whose).where(media.c.id == P("id"), _VISIBLE))


def _worn(address: Column[Any]) -> Query:
    return Query(select(address).where(accounts.c.id == P("id"), _VISIBLE))


# Whose address is no longer known, or whose account is suspended, is not shown any more. What lies above this package
# adds its own.
ADDRESSES: Final[Mapping[RemoteKind, Query]] = {
    RemoteKind.ATTACHMENT: _attached(media.c.remote_url),
    RemoteKind.PREVIEW: _attached(media.c.remote_preview_url),
    RemoteKind.AVATAR: _worn(accounts.c.avatar_remote_url),
    RemoteKind.HEADER: _worn(accounts.c.header_remote_url),
    RemoteKind.EMOJI: Query(select(custom_emojis.c.image_remote_url).where(custom_emojis.c.id == P("id"))),
}


def digest_of(url: str) -> str:
    """What stands for an address in ours: who does not know the one can't make up the other."""
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()
