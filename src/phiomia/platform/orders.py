"""What the supervisor is told to do beside a plain SIGHUP: a file beside its status file. Standard library only."""

import json
import os
import time
from collections.abc import Collection
from typing import Any, NamedTuple

RELOAD, RESTART = "reload", "restart"
# Who wrote one and could not send the signal must not change what a later signal means.
STALE_AFTER_S = 10.0


class Order(NamedTuple):
    """Replace the children of these roles (None: of all).

    RELOAD starts the new ones beside the old ones, RESTART when the old ones have ended. What hands its work over from
    the old to the new would be a third way.
    """

    how: str = RELOAD
    roles: tuple[str, ...] | None = None
    id: str = ""

    def concerns(self, role: str) -> bool:
        """Whether the children of the role are to be replaced."""
        return self.roles is None or role in self.roles


def place_order(status_path: str, how: str, roles: Collection[str] | None) -> Order:
    """Writes an order that the supervisor finds when it gets SIGHUP."""
    order = Order(how, None if roles is None else tuple(sorted(roles)), os.urandom(8).hex())
    temporary = f"{status_path}.order.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({**order._asdict(), "at": time.monotonic()}, file)
    os.replace(temporary, _path(status_path))
    return order


def take_order(status_path: str) -> Order:
    """The order that came with the signal; without one, to reload everything."""
    try:
        with open(_path(status_path), encoding="utf-8") as file:
            saved: dict[str, Any] = json.load(file)
        os.unlink(_path(status_path))
        if time.monotonic() - saved["at"] < STALE_AFTER_S:
            return load_order(saved)
    except (OSError, ValueError, KeyError, TypeError):
        # Not there, or not ours: the signal alone is an order as well.
        pass
    return Order()


def load_order(saved: dict[str, Any]) -> Order:
    """An order from plain data."""
    roles = saved["roles"]
    return Order(saved["how"], None if roles is None else tuple(roles), saved["id"])


def _path(status_path: str) -> str:
    return f"{status_path}.order"
