"""The loudness of a sound over its length, as numbers and as a picture for sounds that bring none."""

from array import array
from itertools import pairwise
from typing import Final

RATE: Final = 8_000
LEVELS: Final = 100
_BLOCK: Final = 160
_WIDTH: Final = 640
_HEIGHT: Final = 360
_BACK: Final = bytes((25, 27, 34))
_FORE: Final = bytes((99, 100, 255))


class Peaks:
    """Collects the loudest sample of every fiftieth of a second."""

    def __init__(self) -> None:
        self.samples = 0
        self._found = array("H")
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Takes samples of 16 bits, one channel, at `RATE`."""
        data = self._rest + data
        whole = len(data) // (2 * _BLOCK) * 2 * _BLOCK
        samples = array("h", data[:whole])
        self._rest = data[whole:]
        self.samples += len(samples)
        for at in range(0, len(samples), _BLOCK):
            block = samples[at : at + _BLOCK]
            self._found.append(max(max(block), -min(block)))

    def columns(self, count: int = _WIDTH // 4) -> list[float]:
        """The loudness of so many parts of equal length, from 0 to 1."""
        found = self._found
        if not found:
            return [0.0] * count
        loudest = max(max(found), 1)
        bounds = [len(found) * at // count for at in range(count + 1)]
        return [max(found[start : max(end, start + 1)]) / loudest for start, end in pairwise(bounds)]

    def levels(self) -> list[int]:
        """The same in few parts, from 0 to 100."""
        return [round(level * 100) for level in self.columns(LEVELS)]


def draw(columns: list[float]) -> tuple[bytes, int, int]:
    """A picture of it: its pixels, its width and its height."""
    middle, most = _HEIGHT // 2, _HEIGHT * 2 // 5
    step = _WIDTH // len(columns)
    heights = [max(2, int(level * most)) for level in columns]
    rows = []
    for y in range(_HEIGHT):
        distance = abs(y - middle)
        row = b"".join((_FORE if distance < height else _BACK) * (step - 1) + _BACK for height in heights)
        rows.append(row + _BACK * (_WIDTH - step * len(columns)))
    return b"".join(rows), _WIDTH, _HEIGHT
