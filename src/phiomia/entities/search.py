"""The entity Search, spliced from the bytes of what was found."""

from collections.abc import Iterable
from typing import Any

import msgspec


def splice_search(accounts: Iterable[bytes], statuses: bytes, tags: Iterable[dict[str, Any]]) -> bytes:
    """The entity as bytes: Account entities, a JSON array of Status entities, and rendered hashtags."""
    found = b",".join(accounts)
    return b"".join(
        (b'{"accounts":[', found, b'],"statuses":', statuses, b',"hashtags":', msgspec.json.encode(list(tags)), b"}")
    )
