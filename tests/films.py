"""Films and sounds to upload, made here: a few coloured frames, a tone that grows."""

import io
import math
from array import array
from fractions import Fraction
from functools import cache
from typing import Any

import av


@cache
def make_film(
    format: str = "mp4",
    film: str = "libx264",
    sound: str | None = "aac",
    *,
    seconds: float = 1.0,
    size: tuple[int, int] = (160, 120),
    rate: int = 25,
) -> bytes:
    """A film as bytes; without `sound`, a silent one."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as out:
        pictures: Any = out.add_stream(film, rate=rate)
        pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
        tones = _add_sound(out, sound) if sound else None
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame(*size, "rgb24")
            plane = frame.planes[0]
            plane.update(bytes((number * 5 % 256, 80, 160)) * (plane.buffer_size // 3) + bytes(plane.buffer_size % 3))
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(pictures.encode(frame))
        if tones is not None:
            _play(out, tones, seconds)
        out.mux(pictures.encode(None))
    return file.getvalue()


@cache
def make_sound(format: str = "mp3", sound: str = "libmp3lame", *, seconds: float = 1.0) -> bytes:
    """A sound as bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as out:
        _play(out, _add_sound(out, sound), seconds)
    return file.getvalue()


def _add_sound(out: Any, codec: str) -> Any:
    stream = out.add_stream(codec, rate=48_000)
    stream.layout = "stereo"
    return stream


def _play(out: Any, stream: Any, seconds: float) -> None:
    for start in range(0, round(48_000 * seconds), 1_024):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=1_024)
        loud = 20_000 * min(1.0, start / 48_000 / seconds)
        wave = (int(loud * math.sin((start + at // 2) * 440 * 2 * math.pi / 48_000)) for at in range(2_048))
        frame.planes[0].update(array("h", wave).tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
