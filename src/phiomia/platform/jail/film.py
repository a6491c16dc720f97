"""Films and sounds, inside the jail: the only module that imports the video library, with `moving.py`.

What every browser plays is packed anew without being decoded; everything else is encoded again. Of either a picture
is made that stands for it until it is played.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

import av
import av.audio.codeccontext
import av.audio.stream
import av.error
import av.filter
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.reformatter
import av.video.stream
from av.stream import Disposition

from phiomia.platform.jail import picture, waveform
from phiomia.platform.jail.refused import Refused
from phiomia.platform.jail.sniff import FilmFormat

# By what the bytes are: the library is never let to guess, since some formats are lists of other files.
_READERS: Final[dict[FilmFormat, str]] = {
    "mp4": "mov",
    "matroska": "matroska",
    "ogg": "ogg",
    "mp3": "mp3",
    "wav": "wav",
    "flac": "flac",
    "aac": "aac",
    "asf": "asf",
}
_FILMS: Final = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "theora", "mpeg4", "h263", "mjpeg", "wmv3"})
_SOUNDS: Final = frozenset(
    {
        *("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac", "ac3", "amrnb", "amrwb", "wmav2"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_alaw"),
        *("pcm_mulaw", "adpcm_ms", "adpcm_ima_wav"),
    }
)
_PLAYED: Final = frozenset({"yuv420p", "yuvj420p"})
_MOST_STREAMS: Final = 12
# Less than this share of the promised length means that the end is missing.
_COMPLETE: Final = 0.9
_SLACK_SECONDS: Final = 0.5
_BROKEN: Final = 50
_CODER: Final = {"preset": "veryfast", "crf": "23", "maxrate": "4M", "bufsize": "8M", "profile": "high"}


class _Streams(NamedTuple):
    film: Any | None
    sound: Any | None
    cover: Any | None


class _Wish(NamedTuple):
    limits: dict[str, Any]
    out_dir: str
    remote: bool


def make(source: int, format: FilmFormat, request: dict[str, Any]) -> dict[str, Any]:
    """The file asked for with a picture of it, written to the output directory; Refused when the source is no good."""
    av.logging.set_level(av.logging.PANIC)
    wish = _Wish(request["limits"], request["out_dir"], request["kind"] == "remote")
    os.lseek(source, 0, os.SEEK_SET)
    try:
        with os.fdopen(source, "rb", closefd=False) as file, av.open(file, format=_READERS[format]) as container:
            return _make(container, format, wish)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno == 27:
            raise Refused("too_large", "the file made of it is too large") from None
        raise Refused("corrupt", f"{type(error).__name__}: {error}") from None


def _make(container: Any, format: FilmFormat, wish: _Wish) -> dict[str, Any]:
    streams = _choose(container)
    _check(container, streams, wish.limits)
    if streams.film is None:
        return _make_sound(container, streams, format, wish)
    return _make_film(container, streams, format, wish)


def _choose(container: Any) -> _Streams:
    if len(container.streams) > _MOST_STREAMS:
        raise Refused("too_many_layers", f"{len(container.streams)} streams, at most {_MOST_STREAMS}")
    films = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    covers = [one for one in container.streams.video if one.disposition & Disposition.attached_pic]
    sounds = list(container.streams.audio)
    if not films and not sounds:
        raise Refused("unsupported_type", "neither film nor sound")
    return _Streams(*(found[0] if found else None for found in (films, sounds, covers)))


def _check(container: Any, streams: _Streams, limits: dict[str, Any]) -> None:
    """Refuse what would be too much work to decode."""
    seconds = (container.duration or 0) / av.time_base
    if seconds > limits["seconds"]:
        raise Refused("too_long", f"{seconds:.0f} s, at most {limits['seconds']}")
    film, sound = streams.film, streams.sound
    if sound is not None and _codec(sound) not in _SOUNDS:
        raise Refused("unsupported_type", f"sound as {_codec(sound)}")
    if film is None:
        return
    if _codec(film) not in _FILMS:
        raise Refused("unsupported_type", f"film as {_codec(film)}")
    if not film.width or not film.height:
        raise Refused("corrupt", "no size")
    if film.width * film.height > limits["film_pixels"]:
        raise Refused("too_many_pixels", f"{film.width}x{film.height} pixels, at most {limits['film_pixels']} in all")
    if (rate := _rate(film)) > limits["frame_rate"]:
        raise Refused("too_fast", f"{float(rate):.0f} frames a second, at most {limits['frame_rate']}")


def _codec(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "unknown"


def _rate(film: Any) -> Fraction:
    return Fraction(film.average_rate or film.guessed_rate or film.base_rate or 25)


def _make_film(container: Any, streams: _Streams, format: FilmFormat, wish: _Wish) -> dict[str, Any]:
    still = _first_picture(container, streams.film)
    # Back to the beginning, once the first frame was looked at.
    container.seek(0)
    path = os.path.join(wish.out_dir, "original")
    if _is_played(streams, format):
        facts = _pack(container, [one for one in (streams.film, streams.sound) if one], path, "mp4", wish)
        size = _turned(streams.film, still)
    elif wish.remote:
        raise Refused("as_it_is", "to be passed on unchanged")
    else:
        facts, size = _encode_film(container, streams, path, still, wish)
    thumbnail = picture.from_rgb(still.pixels, still.width, still.height)
    shown = picture.save_thumbnail(thumbnail, wish.out_dir, wish.limits["thumbnail_pixels"])
    kind = "video" if streams.sound else "gifv"
    written = [{"name": "original", "content_type": "video/mp4", "width": size[0], "height": size[1]}, shown.written]
    return {
        "written": written,
        "blurhash": shown.blurhash,
        "animated": False,
        "film": {"kind": kind, **facts, **_sound_facts(streams.sound), "frame_rate": _write_rate(_rate(streams.film))},
    }


class _Still(NamedTuple):
    pixels: bytes
    width: int
    height: int
    rotation: int
    format: str


def _first_picture(container: Any, film: Any) -> _Still:
    film.thread_type = "AUTO"
    film.codec_context.thread_count = 2
    for frame in _frames(container, film):
        rotation = frame.rotation % 360
        width, height = _fit(frame.width, frame.height, 640 * 640)
        shown = frame.reformat(width=width, height=height, format="rgb24")
        pixels = _rows(shown.planes[0], width * 3, height)
        name = frame.format.name
        if rotation:
            pixels, width, height = picture.turn_rgb(pixels, width, height, rotation)
        return _Still(pixels, width, height, rotation, name)
    raise Refused("corrupt", "there is no picture in it")


def _rows(plane: Any, width: int, height: int) -> bytes:
    data, line = bytes(plane), plane.line_size
    return b"".join(data[row * line : row * line + width] for row in range(height)) if line != width else data


def _fit(width: int, height: int, pixels: int) -> tuple[int, int]:
    scale: float = min(1.0, (pixels / (width * height)) ** 0.5)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _turned(film: Any, still: _Still) -> tuple[int, int]:
    return (film.height, film.width) if still.rotation in (90, 270) else (film.width, film.height)


def _is_played(streams: _Streams, format: FilmFormat) -> bool:
    film, sound = streams.film, streams.sound
    return (
        format == "mp4"
        and film is not None
        and _codec(film) == "h264"
        and film.format is not None
        and film.format.name in _PLAYED
        and (sound is None or _codec(sound) == "aac")
    )


def _pack(container: Any, chosen: list[Any], path: str, target: str, wish: _Wish) -> dict[str, Any]:
    """The packets as they are, in a new container that holds nothing else."""
    options = {"movflags": "+faststart"} if target == "mp4" else {"id3v2_version": "0"}
    last = 0.0
    with av.open(path, "w", format=target, options=options) as out:
        copies = {one.index: out.add_stream_from_template(one) for one in chosen}
        for copy in copies.values():
            copy.metadata.clear()
        for packet in container.demux(*chosen):
            if packet.dts is None:
                continue
            last = max(last, float(packet.dts * packet.time_base))
            if last > wish.limits["seconds"]:
                raise Refused("too_long", "longer than it says")
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    return _measured(container, last, path)


def _measured(container: Any, last: float, path: str) -> dict[str, Any]:
    declared = (container.duration or 0) / av.time_base
    if declared and last + _SLACK_SECONDS < declared * _COMPLETE:
        raise Refused("corrupt", f"ends after {last:.1f} s of {declared:.1f}")
    seconds = declared or last
    size = os.stat(path).st_size
    return {"seconds": round(seconds, 3), "bitrate": int(size * 8 / seconds) if seconds else 0}


def _encode_film(
    container: Any, streams: _Streams, path: str, still: _Still, wish: _Wish
) -> tuple[dict[str, Any], tuple[int, int]]:
    film, sound = streams.film, streams.sound
    width, height = _turned(film, still)
    width, height = _fit(width, height, wish.limits["output_film_pixels"])
    last, count = 0.0, 0
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as out:
        picture_out = out.add_stream("libx264", rate=min(_rate(film), Fraction(60)), options=_CODER)
        picture_out.width, picture_out.height, picture_out.pix_fmt = width, height, "yuv420p"
        picture_out.codec_context.thread_count = 2
        picture_out.codec_context.time_base = Fraction(1, 90_000)
        sound_out: Any = _add_sound(out, sound, "aac", 128_000) if sound is not None else None
        scale = _Scaler(film, still.rotation, width, height)
        latest = -1
        for frame in _frames(container, *(one for one in (film, sound) if one)):
            if isinstance(frame, av.AudioFrame):
                out.mux(sound_out.encode(frame))
                continue
            count += 1
            if count > wish.limits["film_frames"]:
                raise Refused("too_long", f"more than {wish.limits['film_frames']} frames")
            last = max(last, frame.time or 0.0)
            for shown in scale.each(frame):
                moment = int((shown.time or 0.0) * 90_000)
                # Encoders want moments that rise; some files repeat one.
                latest = shown.pts = max(moment, latest + 1)
                shown.time_base = Fraction(1, 90_000)
                out.mux(picture_out.encode(shown))
        out.mux(picture_out.encode(None))
        if sound_out is not None:
            out.mux(sound_out.encode(None))
    return _measured(container, last, path), (width, height)


class _Scaler:
    """Turns frames upright and brings them to a size."""

    def __init__(self, film: Any, rotation: int, width: int, height: int) -> None:
        self._size = width, height
        self._film = film
        self._turns = {90: ("cclock",), 180: ("cclock", "cclock"), 270: ("clock",)}.get(rotation, ())
        self._graph: Any = None

    def each(self, frame: Any) -> Iterator[Any]:
        width, height = self._size
        if not self._turns:
            shown = frame.reformat(width=width, height=height, format="yuv420p")
            shown.pts, shown.time_base = frame.pts, frame.time_base
            # Otherwise the encoder would repeat which frames were whole in the source.
            shown.pict_type = 0
            yield shown
            return
        if self._graph is None:
            self._graph = self._build(frame)
        self._graph.push(frame)
        while True:
            try:
                shown = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            shown.pict_type = 0
            yield shown

    def _build(self, frame: Any) -> Any:
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=self._film.time_base
            ),
            *(graph.add("transpose", turn) for turn in self._turns),
            graph.add("scale", f"{self._size[0]}:{self._size[1]}"),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        ]
        for one, other in pairwise(nodes):
            one.link_to(other)
        graph.configure()
        return graph


def _frames(container: Any, *streams: Any) -> Iterator[Any]:
    """Every frame; a few broken ones are left out, as players do."""
    broken = good = 0
    for packet in container.demux(*streams):
        try:
            for frame in packet.decode():
                good += 1
                yield frame
        except av.error.InvalidDataError:
            broken += 1
            if broken > _BROKEN + good // 10:
                raise


def _make_sound(container: Any, streams: _Streams, format: FilmFormat, wish: _Wish) -> dict[str, Any]:
    sound, path = streams.sound, os.path.join(wish.out_dir, "original")
    cover = _cover(container, streams.cover)
    if streams.cover is not None:
        container.seek(0)
    if format == "mp3" and _codec(sound) in ("mp3", "mp3float"):
        facts, peaks = _pack(container, [sound], path, "mp3", wish), None
    elif wish.remote:
        raise Refused("as_it_is", "to be passed on unchanged")
    else:
        facts, peaks = _encode_sound(container, sound, path, wish)
    if peaks is None:
        container.seek(0)
        peaks = waveform.Peaks()
        _listen(container, sound, peaks, wish.limits["seconds"])
    still = cover or picture.from_rgb(*waveform.draw(peaks.columns()))
    shown = picture.save_thumbnail(still, wish.out_dir, wish.limits["thumbnail_pixels"])
    written = [{"name": "original", "content_type": "audio/mpeg", "width": 1, "height": 1}, shown.written]
    return {
        "written": written,
        "blurhash": shown.blurhash,
        "animated": False,
        "film": {"kind": "audio", **facts, **_sound_facts(sound), "frame_rate": "", "peaks": peaks.levels()},
    }


def _cover(container: Any, stream: Any | None) -> Any | None:
    if stream is None:
        return None
    for packet in container.demux(stream):
        if packet.size:
            return picture.from_bytes(bytes(packet))
    return None


def _listen(container: Any, sound: Any, peaks: "waveform.Peaks", seconds: float) -> None:
    heard = av.AudioResampler(format="s16", layout="mono", rate=waveform.RATE)
    for frame in _frames(container, sound):
        if (frame.time or 0.0) > seconds:
            raise Refused("too_long", "longer than it says")
        for part in heard.resample(frame):
            peaks.add(bytes(part.planes[0])[: part.samples * 2])


def _add_sound(out: Any, sound: Any, codec: str, bit_rate: int) -> Any:
    channels = sound.codec_context.layout.nb_channels
    rate = sound.codec_context.sample_rate
    made = out.add_stream(codec, rate=rate if rate in (32_000, 44_100, 48_000) else 44_100)
    made.layout = "mono" if channels == 1 else "stereo"
    made.bit_rate = bit_rate
    return made


def _encode_sound(container: Any, sound: Any, path: str, wish: _Wish) -> tuple[dict[str, Any], "waveform.Peaks"]:
    peaks, last = waveform.Peaks(), 0.0
    heard = av.AudioResampler(format="s16", layout="mono", rate=waveform.RATE)
    with av.open(path, "w", format="mp3", options={"id3v2_version": "0"}) as out:
        made = _add_sound(out, sound, "libmp3lame", 192_000)
        for frame in _frames(container, sound):
            last = max(last, frame.time or 0.0)
            if last > wish.limits["seconds"]:
                raise Refused("too_long", "longer than it says")
            for part in heard.resample(frame):
                peaks.add(bytes(part.planes[0])[: part.samples * 2])
            out.mux(made.encode(frame))
        out.mux(made.encode(None))
    if not peaks.samples:
        raise Refused("corrupt", "there is no sound in it")
    return _measured(container, last, path), peaks


def _sound_facts(sound: Any | None) -> dict[str, Any]:
    if sound is None:
        return {}
    context = sound.codec_context
    channels = context.layout.nb_channels
    return {
        "audio_codec": _codec(sound)[:40],
        "audio_rate": context.sample_rate or 0,
        "audio_channels": {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels"),
    }


def _write_rate(rate: Fraction) -> str:
    near = rate.limit_denominator(1001)
    return f"{near.numerator}/{near.denominator}"
