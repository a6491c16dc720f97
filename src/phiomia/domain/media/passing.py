"""What is shown of other servers without being kept, because there is no room for it."""

import mmap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

_PIECE: Final = 256 * 1024


class Passing:
    """Files that may be gone from the disk: they last for as long as somebody holds this."""

    def __init__(self, original: Path, small: Path | None) -> None:
        versions = {"original": original} if small is None else {"original": original, "small": small}
        self._keys = {version: f"{version}{path.suffix}" for version, path in versions.items()}
        self._files = {self._keys[version]: _map(path) for version, path in versions.items()}
        self.bytes = sum(len(content) for content in self._files.values())

    def key(self, version: str) -> str:
        """The name of a version; where there is no small one it is that of the original."""
        return self._keys.get(version, self._keys["original"])

    async def size(self, key: str) -> int | None:
        """How many bytes a file has, None if there is none of that name."""
        content = self._files.get(key)
        return None if content is None else len(content)

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces."""
        content = self._files[key]
        for at in range(start, end, _PIECE):
            yield content[at : min(at + _PIECE, end)]


class Shelf:
    """What has passed lately, so that who looks twice does not fetch twice; never more than so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._used = 0
        self._passed: dict[tuple[int, int, str], Passing] = {}

    def find(self, name: tuple[int, int, str]) -> Passing | None:
        """What lies here under a name."""
        return self._passed.get(name)

    def put(self, name: tuple[int, int, str], passing: Passing) -> bool:
        """Lays something down in place of what came first; False if it is too large."""
        if passing.bytes > self._most:
            return False
        self._forget(name)
        while self._used + passing.bytes > self._most:
            self._forget(next(iter(self._passed)))
        self._passed[name] = passing
        self._used += passing.bytes
        return True

    def _forget(self, name: tuple[int, int, str]) -> None:
        gone = self._passed.pop(name, None)
        self._used -= gone.bytes if gone is not None else 0


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
