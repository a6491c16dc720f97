"""A bounded memory."""

from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """A bounded memory in two generations: cheap to read, forgets what was not used lately."""

    __slots__ = ("_old", "_room", "fresh")

    def __init__(self, most: int) -> None:
        self._room = max(1, most // 2)
        self.fresh: dict[int, V] = {}
        self._old: dict[int, V] = {}

    def get(self, key: int) -> V | None:
        """What is kept under a key."""
        value = self.fresh.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: int, value: V) -> None:
        """Keeps a value, letting the older generation go when the newer is full."""
        if len(self.fresh) >= self._room:
            self._old, self.fresh = self.fresh, {}
        self.fresh[key] = value

    def clear(self) -> None:
        """Forgets everything."""
        self.fresh, self._old = {}, {}
