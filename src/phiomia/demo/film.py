"""A short film with sound for people who don't exist: a boat on the waves, made when it is needed."""

import math
import random
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from phiomia.demo.scenes import draw_boat

FILM_SIZE: Final = (640, 360)
_SECONDS: Final = 4
_RATE: Final = 12
_SOUND_RATE: Final = 48_000
_SAMPLES: Final = 1_024


def draw_film(seed: int, file: Path) -> None:
    """Writes an MP4 file that every browser plays. Blocks for about a second."""
    import av  # 30 MB that only a demonstration needs

    with av.open(str(file), "w", format="mp4") as out:
        pictures: Any = out.add_stream("libx264", rate=_RATE, options={"preset": "veryfast"})
        pictures.width, pictures.height, pictures.pix_fmt = *FILM_SIZE, "yuv420p"
        sound: Any = out.add_stream("aac", rate=_SOUND_RATE)
        sound.layout = "mono"
        for number in range(_SECONDS * _RATE):
            rgb = draw_boat(number / (_SECONDS * _RATE), seed, FILM_SIZE)
            drawn = av.VideoFrame(*FILM_SIZE, "rgb24")
            drawn.planes[0].update(rgb)
            frame = drawn.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            out.mux(pictures.encode(frame))
        for start, samples in _hear_waves(seed):
            heard = av.AudioFrame(format="s16", layout="mono", samples=_SAMPLES)
            heard.planes[0].update(samples)
            heard.sample_rate, heard.pts, heard.time_base = _SOUND_RATE, start, Fraction(1, _SOUND_RATE)
            out.mux(sound.encode(heard))
        for stream in (pictures, sound):
            out.mux(stream.encode(None))


def _hear_waves(seed: int) -> Iterator[tuple[int, bytes]]:
    """Noise that swells twice, dull as water is; by where it begins."""
    chance, last = random.Random(seed), 0.0
    for start in range(0, _SECONDS * _SOUND_RATE, _SAMPLES):
        swell = 0.35 + 0.3 * math.sin(4 * math.pi * start / (_SECONDS * _SOUND_RATE) - math.pi / 2)
        samples = array("h")
        for _ in range(_SAMPLES):
            last += 0.06 * (chance.uniform(-1, 1) - last)
            samples.append(int(30_000 * swell * last))
        yield start, samples.tobytes()
