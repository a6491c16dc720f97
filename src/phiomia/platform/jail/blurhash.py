"""The blurhash of a picture: its mean colour and eleven waves in 28 letters, to be shown until it is loaded."""

import math
from collections.abc import Iterable
from operator import mul
from typing import Final

ACROSS: Final = 4
DOWN: Final = 3
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_STRONGEST: Final = 82
_FINEST: Final = 166


def hash_pixels(pixels: bytes, width: int, height: int) -> str:
    """The blurhash of a picture of three bytes for each point, in sRGB."""
    light = [_to_light(value / 255) for value in range(256)]
    colours = [_find_waves([light[value] for value in pixels[at::3]], width, height) for at in range(3)]
    mean, *waves = zip(*colours, strict=True)
    strength = _between(0, _STRONGEST, max(abs(part) for wave in waves for part in wave) * _FINEST - 0.5)
    most = (strength + 1) / _FINEST
    written = [_write((_to_step(part / most) for part in wave), 19, 2) for wave in waves]
    shape = ACROSS - 1 + 9 * (DOWN - 1)
    return "".join([_LETTERS[shape], _LETTERS[strength], _write((_to_byte(part) for part in mean), 256, 4), *written])


def _find_waves(points: list[float], width: int, height: int) -> list[float]:
    """How much of every wave there is in one colour, the mean first."""
    # Rows first and then columns: a sum over all points for every wave would take five times as long.
    across, down = _waves(ACROSS, width), _waves(DOWN, height)
    rows = [points[at : at + width] for at in range(0, width * height, width)]
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in across]
    found = [sum(map(mul, column, wave)) / (width * height) for wave in down for column in columns]
    return found[:1] + [2 * one for one in found[1:]]


def _waves(count: int, length: int) -> list[list[float]]:
    return [[math.cos(math.pi * number * at / length) for at in range(length)] for number in range(count)]


def _to_light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def _to_byte(light: float) -> int:
    value = light * 12.92 if light <= 0.0031308 else 1.055 * math.pow(light, 1 / 2.4) - 0.055
    return _between(0, 255, value * 255 + 0.5)


def _to_step(part: float) -> int:
    return _between(0, 18, math.copysign(math.sqrt(abs(part)), part) * 9 + 9.5)


def _between(least: int, most: int, value: float) -> int:
    return max(least, min(most, math.floor(value)))


def _write(digits: Iterable[int], base: int, length: int) -> str:
    number = 0
    for digit in digits:
        number = number * base + digit
    return "".join(_LETTERS[number // 83**at % 83] for at in reversed(range(length)))
