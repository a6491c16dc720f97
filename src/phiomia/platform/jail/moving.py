"""Animated pictures as films, inside the jail: small, and every browser can stop them."""

import os
from fractions import Fraction
from typing import Any, Final

import av
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.reformatter
import av.video.stream
import pyvips

from phiomia.platform.jail.refused import Refused

_TICKS: Final = 1_000
_CODER: Final = {"preset": "veryfast", "crf": "23", "profile": "high"}
_SHORTEST_MS: Final = 20
_USUAL_MS: Final = 100


def encode(strip: Any, height: int, delays: list[int], out_dir: str) -> dict[str, Any]:
    """A film of the frames that stand one below the other in a picture; gives what is known of it."""
    width, count = strip.width - strip.width % 2, strip.height // height
    even = height - height % 2
    if width < 2 or even < 2:
        raise Refused("corrupt", "too small to move")
    path = os.path.join(out_dir, "original")
    lasting = [_duration(delays, number) for number in range(count)]
    rate = max(1, min(60, round(_TICKS * count / max(sum(lasting), 1))))
    moment = 0
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream("libx264", rate=rate, options=_CODER)
        stream.width, stream.height, stream.pix_fmt = width, even, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, _TICKS)
        # The frames leave the decoder from the top to the bottom, never all of them at once.
        region = pyvips.Region.new(strip)
        for number, lasts in enumerate(lasting):
            frame = av.VideoFrame(width, even, "rgba")
            _fill(frame.planes[0], bytes(region.fetch(0, number * height, width, even)), width * 4)
            shown = frame.reformat(format="yuv420p")
            shown.pts, shown.time_base = moment, Fraction(1, _TICKS)
            out.mux(stream.encode(shown))
            moment += lasts
        out.mux(stream.encode(None))
    seconds = moment / _TICKS
    bits = os.stat(path).st_size * 8
    facts = {
        "kind": "gifv",
        "seconds": round(seconds, 3),
        "bitrate": int(bits / seconds) if seconds else 0,
        "frame_rate": f"{rate}/1",
    }
    return {"width": width, "height": even, "facts": facts}


def _duration(delays: list[int], number: int) -> int:
    given = delays[number] if number < len(delays) else _USUAL_MS
    # As browsers do: what asks for less is shown at the usual speed.
    return given if given >= _SHORTEST_MS else _USUAL_MS


def _fill(plane: Any, pixels: bytes, width: int) -> None:
    line = plane.line_size
    if line != width:
        rows = range(0, len(pixels), width)
        pixels = b"".join(pixels[row : row + width].ljust(line, b"\0") for row in rows)
    plane.update(pixels)
