"""Pictures for people who don't exist, drawn when they are needed."""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

SCENE_SIZE: Final = (1200, 800)
HEADER_SIZE: Final = (1500, 500)
_AVATAR_SIDE: Final = 400


def draw_scene(name: str, seed: int, size: tuple[int, int], file: Path) -> None:
    """Draws a landscape into a PNG file. Blocks."""
    width, height = size
    chance = random.Random(f"{name} {seed}")
    _write(_svg(size, _SCENES[name](width, height, chance)), file)


def draw_avatar(colours: Sequence[str], seed: int, file: Path) -> None:
    """Draws somebody in the colours of background, skin, hair and clothes. Blocks."""
    background, skin, hair, clothes = colours
    chance = random.Random(seed)
    long = chance.random() < 0.5
    parts = [
        _rect(0, 0, 400, 400, background),
        _ellipse(200, 200, 112, 150 if long else 100, hair) if long else "",
        _ellipse(200, 430, 165, 130, clothes),
        f'<rect x="172" y="245" width="56" height="80" rx="26" fill="{skin}"/>',
        _ellipse(200, 190, 82, 100, skin),
        f'<path d="M112 185 Q120 70 200 72 Q285 70 288 185 Q{chance.randint(220, 270)} 110 200 118 '
        f'Q{chance.randint(130, 170)} 116 112 185 Z" fill="{hair}"/>',
        _ellipse(170, 196, 8, 10, "#22222a"),
        _ellipse(230, 196, 8, 10, "#22222a"),
        f'<path d="M168 238 Q200 {chance.randint(258, 272)} 232 238" stroke="#22222a" stroke-width="6" fill="none" '
        f'stroke-linecap="round"/>',
    ]
    _write(_svg((_AVATAR_SIDE, _AVATAR_SIDE), "".join(parts)), file)


def draw_boat(progress: float, seed: int, size: tuple[int, int]) -> bytes:
    """One picture of a film of a boat at sea, as three bytes for each point; `progress` goes from 0 to 1. Blocks."""
    import pyvips

    width, height = size
    chance, turn = random.Random(seed), math.tau * progress
    water = height * 0.62
    waves = "".join(
        f'<path d="M{chance.uniform(-60, width) + 40 * progress:.1f} {chance.uniform(water + 30, height):.1f} '
        f'q18 {-12 * math.cos(2 * turn + at):.1f} 36 0 t36 0" stroke="#e0f2f1" stroke-width="3" fill="none" '
        f'opacity="0.6"/>'
        for at in range(24)
    )
    x = width * (0.2 + 0.3 * progress)
    rocking = f"rotate({4 * math.sin(2 * turn):.2f} {x + 95:.1f} {water:.1f}) translate(0 {6 * math.cos(2 * turn):.2f})"
    body = (
        _sky(width, height, "#f6bd60", "#fdf0d5")
        + _ellipse(width * 0.82, water - 60, 34, 34, "#fff6e0")
        + _rect(0, water, width, height, "#2a7f9e")
        + f'<g transform="{rocking}">{_boat(x, water)}</g>'
        + waves
    )
    return bytes(pyvips.Image.svgload_buffer(_svg(size, body).encode()).flatten(background=[255.0]).write_to_memory())


def _write(svg: str, file: Path) -> None:
    import pyvips  # 20 MB that only a demonstration needs

    pyvips.Image.svgload_buffer(svg.encode()).flatten(background=[255.0]).write_to_file(str(file), compression=1)


def _svg(size: tuple[int, int], body: str) -> str:
    width, height = size
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{body}</svg>'


def _hills(width: int, height: int, chance: random.Random) -> str:
    sky = _sky(width, height, "#f7c59f", "#fdf0d5")
    colours = ("#9db4c0", "#6b9080", "#4a7c59", "#2f5d50")
    ranges = (_range(width, height, 0.45 + 0.13 * at, 60, colour, chance) for at, colour in enumerate(colours))
    return sky + _ellipse(width * chance.uniform(0.2, 0.8), height * 0.3, 55, 55, "#fff6e0") + "".join(ranges)


def _sea(width: int, height: int, chance: random.Random) -> str:
    x, water = width * chance.uniform(0.35, 0.6), height * 0.62
    waves = "".join(
        f'<path d="M{chance.uniform(0, width):.0f} {chance.uniform(water + 60, height):.0f} q18 -12 36 0 t36 0" '
        f'stroke="#e0f2f1" stroke-width="3" fill="none" opacity="0.6"/>'
        for _ in range(28)
    )
    sun = _ellipse(width * chance.uniform(0.7, 0.9), water - 120, 48, 48, "#ffe8a3")
    return (
        _sky(width, height, "#a9d6e5", "#fdf0d5")
        + sun
        + _rect(0, water, width, height, "#2a7f9e")
        + waves
        + _boat(x, water)
    )


def _boat(x: float, water: float) -> str:
    return (
        f'<path d="M{x:.0f} {water + 20:.0f} h190 l-34 46 h-122 z" fill="#7f4f24"/>'
        f'<path d="M{x + 92:.0f} {water + 10:.0f} v-215 l98 195 z" fill="#fffaf0"/>'
        f'<path d="M{x + 82:.0f} {water + 10:.0f} v-190 l-66 180 z" fill="#f1e3cb"/>'
    )


def _night(width: int, height: int, chance: random.Random) -> str:
    stars = "".join(
        _ellipse(chance.uniform(0, width), chance.uniform(0, height * 0.8), size, size, "#fefae0")
        for size in (chance.choice((1.5, 2, 2, 3)) for _ in range(190))
    )
    x, y = width * 0.68, height * 0.28
    planet = _ellipse(x, y, 42, 42, "#f4d58d") + (
        f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="86" ry="19" fill="none" stroke="#e9c46a" stroke-width="7" '
        f'transform="rotate(-14 {x:.0f} {y:.0f})"/>'
    )
    ground = _range(width, height, 0.78, 45, "#14213d", chance) + _range(width, height, 0.88, 25, "#0b1526", chance)
    return _sky(width, height, "#10163a", "#3a3a73") + stars + planet + ground


def _city(width: int, height: int, chance: random.Random) -> str:
    houses, x = [], 0.0
    while x < width:
        wide, high = chance.uniform(90, 150), chance.uniform(height * 0.4, height * 0.72)
        houses.append(_rect(x, height - high, wide, high, chance.choice(("#2b2d42", "#3d405b", "#353b55"))))
        for row in range(int(high // 62)):
            for column in range(int(wide // 42)):
                lit = chance.random() < 0.35
                left, top = x + 14 + column * 42, height - high + 22 + row * 62
                houses.append(_rect(left, top, 20, 30, "#ffd166" if lit else "#4a4e69"))
        x += wide
    return _sky(width, height, "#f28482", "#f6bd60") + "".join(houses)


def _garden(width: int, height: int, chance: random.Random) -> str:
    plants = []
    for _ in range(46):
        x, top = chance.uniform(0, width), chance.uniform(height * 0.25, height * 0.75)
        bend, green = chance.uniform(-50, 50), chance.choice(("#588157", "#3a5a40", "#78a15a"))
        plants.append(
            f'<path d="M{x:.0f} {height} Q{x + bend:.0f} {(height + top) / 2:.0f} {x:.0f} {top:.0f}" stroke="{green}" '
            f'stroke-width="9" fill="none" stroke-linecap="round"/>'
        )
        plants += [_ellipse(x + side * 24, top + 70 + 40 * chance.random(), 26, 12, green) for side in (-1, 1)]
        if chance.random() < 0.6:
            plants.append(_flower(x, top, chance.choice(("#e63946", "#ffb703", "#f4a6c0", "#fb8500"))))
    return _sky(width, height, "#f8edeb", "#fefae0") + "".join(plants)


def _flower(x: float, y: float, colour: str) -> str:
    turns = (math.tau * turn / 6 for turn in range(6))
    petals = "".join(_ellipse(x + 20 * math.cos(turn), y + 20 * math.sin(turn), 13, 13, colour) for turn in turns)
    return petals + _ellipse(x, y, 12, 12, "#fff3b0")


def _kelp(width: int, height: int, chance: random.Random) -> str:
    stalks = []
    for _ in range(30):
        x, colour = chance.uniform(0, width), chance.choice(("#6b705c", "#7f8f3e", "#4f6d3a", "#a68a38"))
        sway, points = chance.uniform(20, 60), []
        for step in range(9):
            points.append(f"{x + sway * math.sin(step + x):.0f} {height - step * height / 8:.0f}")
        stalks.append(
            f'<polyline points="{" ".join(points)}" stroke="{colour}" stroke-width="{chance.randint(10, 22)}" '
            f'fill="none" stroke-linejoin="round" opacity="0.8"/>'
        )
    bubbles = "".join(_ellipse(chance.uniform(0, width), chance.uniform(0, height), 6, 6, "#d8f3dc") for _ in range(24))
    return _sky(width, height, "#52b6ba", "#0b3c49") + "".join(stalks) + bubbles


def _bridge(width: int, height: int, chance: random.Random) -> str:
    deck, water = height * 0.42, height * 0.72
    span = width / 3
    arches = "".join(
        f'<path d="M{at * span + 24:.0f} {water:.0f} A{span / 2 - 24:.0f} {water - deck - 40:.0f} 0 0 1 '
        f'{(at + 1) * span - 24:.0f} {water:.0f} Z" fill="#d7e3ea"/>'
        for at in range(3)
    )
    ripples = "".join(
        _rect(chance.uniform(0, width), chance.uniform(water, height), chance.uniform(40, 130), 3, "#a3c4d1")
        for _ in range(40)
    )
    return (
        _sky(width, height, "#c9dbe5", "#f3ede4")
        + _range(width, height, 0.45, 40, "#a3b18a", chance)
        + _rect(0, deck, width, water - deck, "#a08c72")
        + arches
        + _rect(0, deck - 18, width, 24, "#7d6b56")
        + _rect(0, water, width, height - water, "#5b8fa3")
        + ripples
    )


def _bread(width: int, height: int, chance: random.Random) -> str:
    x, y = width / 2, height * 0.55
    cuts = "".join(
        f'<path d="M{x - 190 + at * 110:.0f} {y - 70:.0f} q40 -50 90 10" stroke="#f0d3a2" stroke-width="16" '
        f'fill="none" stroke-linecap="round"/>'
        for at in range(4)
    )
    flour = "".join(
        _ellipse(chance.uniform(0, width), chance.uniform(height * 0.45, height), size, size * 0.7, "#fbf5ea")
        for size in (chance.uniform(1, 5) for _ in range(260))
    )
    board = _rect(0, height * 0.42, width, height, "#b08968")
    loaf = _ellipse(x, y + 22, 320, 175, "#7f5539") + _ellipse(x, y, 312, 170, "#a9652f")
    return _sky(width, height, "#ede0d4", "#e6ccb2") + board + loaf + cuts + flour


_SCENES: Final[dict[str, Callable[[int, int, random.Random], str]]] = {
    "hills": _hills,
    "sea": _sea,
    "night": _night,
    "city": _city,
    "garden": _garden,
    "kelp": _kelp,
    "bridge": _bridge,
    "bread": _bread,
}


def _sky(width: int, height: int, top: str, bottom: str) -> str:
    return (
        f'<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{top}"/>'
        f'<stop offset="1" stop-color="{bottom}"/></linearGradient></defs>' + _rect(0, 0, width, height, "url(#sky)")
    )


def _range(width: int, height: int, level: float, swing: float, colour: str, chance: random.Random) -> str:
    phase, speed = chance.uniform(0, math.tau), chance.uniform(1.5, 3)
    points = [f"0,{height}"]
    for step in range(41):
        x = width * step / 40
        wave = math.sin(phase + speed * math.tau * step / 40) + 0.4 * math.sin(phase * 3 + 2.6 * speed * step / 4)
        points.append(f"{x:.0f},{height * level + swing * wave / 1.4:.0f}")
    return f'<polygon points="{" ".join(points)} {width},{height}" fill="{colour}"/>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" fill="{colour}"/>'


def _ellipse(x: float, y: float, rx: float, ry: float, colour: str) -> str:
    return f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{colour}"/>'
