"""The id of a request: what the proxy in front calls it, or one of our own."""

import itertools
import re
import secrets
from collections.abc import Sequence
from functools import cache

from phiomia.platform.addresses import is_trusted

_numbers = itertools.count(1)
_read = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch


def choose_request_id(sent: str | None, remote: str, trusted: Sequence[str]) -> str:
    """The id in the header X-Request-Id when a trusted proxy sent a sound one, else a new one."""
    if sent and _read(sent) and is_trusted(remote, trusted):
        return sent
    return f"{_process()}-{next(_numbers):x}"


@cache
def _process() -> str:
    # Made when the first request comes: processes are copies of one that had none.
    return secrets.token_hex(6)
