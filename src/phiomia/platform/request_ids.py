"""The id of a request: what the proxy in front calls it, or one of our own."""

import re
import secrets
from collections.abc import Sequence

from phiomia.platform.addresses import is_trusted

_read = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch


def choose_request_id(sent: str | None, remote: str, trusted: Sequence[str]) -> str:
    """The id in the header X-Request-Id when a trusted proxy sent a sound one, else a new one."""
    if sent and _read(sent) and is_trusted(remote, trusted):
        return sent
    return secrets.token_hex(8)
