"""Films and sounds from strangers: what comes out plays everywhere and says nothing of its maker."""

import asyncio
import io
import struct
from pathlib import Path
from typing import Any

import av
import pytest

from films import make_film, make_sound
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import FILM_LIMITS, ImageLimits, ImageResult, JailError, Kind


def run(folder: Path, content: bytes, kind: Kind = "attachment", **limits: Any) -> ImageResult:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    source = folder / "source"
    source.write_bytes(content)
    chosen = ImageLimits(**{name: getattr(FILM_LIMITS, name) for name in ImageLimits.__struct_fields__} | limits)
    return asyncio.run(process_image(source, kind=kind, out_dir=out, limits=chosen))


def refuse(folder: Path, content: bytes, kind: Kind = "attachment", **limits: Any) -> str:
    with pytest.raises(JailError) as caught:
        run(folder, content, kind, **limits)
    assert list((folder / "out").iterdir()) == []
    return caught.value.reason


def test_what_browsers_play_is_only_packed_anew(tmp_path: Path) -> None:
    before = make_film()
    result = run(tmp_path, before)
    assert result.film is not None and result.film.kind == "video" and result.film.frame_rate == "25/1"
    assert result.film.audio_codec == "aac" and result.film.audio_channels == "stereo"
    assert (result.original.width, result.original.height, result.original.content_type) == (160, 120, "video/mp4")
    after = result.original.path.read_bytes()
    # The index stands before the film, so that it plays while it comes.
    assert after.index(b"moov") < after.index(b"mdat")
    assert result.thumbnail is not None and result.thumbnail.content_type == "image/jpeg" and result.blurhash
    assert packets(before) == packets(after)


def packets(content: bytes) -> list[int]:
    with av.open(io.BytesIO(content)) as file:
        return [packet.size for packet in file.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("format", "film", "sound"),
    [("webm", "libvpx", "libopus"), ("mov", "mpeg4", "aac"), ("mp4", "libx264", "libmp3lame")],
)
def test_everything_else_is_encoded_again(tmp_path: Path, format: str, film: str, sound: str) -> None:
    result = run(tmp_path, make_film(format, film, sound))
    with av.open(str(result.original.path)) as file:
        shown, heard = file.streams.video[0], file.streams.audio[0]
        assert (shown.codec_context.name, shown.format and shown.format.name) == ("h264", "yuv420p")
        assert heard.codec_context.name == "aac"
        assert sum(1 for _ in file.decode(video=0)) == 25
    assert result.film is not None and 0.9 < result.film.seconds < 1.2


def test_large_films_shrink_and_silent_ones_are_gifv(tmp_path: Path) -> None:
    result = run(tmp_path, make_film("webm", "libvpx", None), output_film_pixels=80 * 60)
    assert (result.original.width, result.original.height) == (80, 60)
    assert result.film is not None and result.film.kind == "gifv"


@pytest.mark.parametrize(
    ("format", "sound"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("wav", "pcm_s16le"), ("mp4", "aac")],
)
def test_sounds(tmp_path: Path, format: str, sound: str) -> None:
    result = run(tmp_path, make_sound(format, sound))
    assert result.film is not None and result.film.kind == "audio"
    assert result.original.content_type == "audio/mpeg" and result.original.path.suffix == ".mp3"
    # It grows louder, and without a cover its loudness is its picture.
    peaks = result.film.peaks
    assert len(peaks) == 100 and peaks[10] < peaks[50] < peaks[90]
    assert result.thumbnail is not None and (result.thumbnail.width, result.thumbnail.height) == (640, 360)


def test_limits(tmp_path: Path) -> None:
    film = make_film()
    assert refuse(tmp_path, film, film_pixels=160 * 120 - 1) == "too_many_pixels"
    assert refuse(tmp_path, film, frame_rate=24) == "too_fast"
    assert refuse(tmp_path, make_film(seconds=3.0), seconds=2) == "too_long"
    assert refuse(tmp_path, make_film("webm", "libvpx", None), film_frames=20) == "too_long"
    assert refuse(tmp_path, make_sound(seconds=3.0), seconds=2) == "too_long"
    assert refuse(tmp_path, film, written_bytes=500) in ("too_large", "crashed")
    assert refuse(tmp_path, film, source_bytes=500) == "too_large"


def test_what_is_cut_off_or_lies_is_refused(tmp_path: Path) -> None:
    for content in (make_film(), make_film("webm", "libvpx", "libopus", seconds=3.0)):
        assert refuse(tmp_path, content[: len(content) // 2]) == "corrupt"
    assert refuse(tmp_path, b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100)) == "corrupt"
    assert refuse(tmp_path, b"RIFF\x24\0\0\0WAVEfmt " + bytes(100)) == "corrupt"
    assert refuse(tmp_path, b"ID3" + bytes(1_000)) == "corrupt"


def test_a_list_of_other_files_is_no_film(tmp_path: Path) -> None:
    for content in (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n"):
        assert refuse(tmp_path, content) == "unsupported_type"


def test_what_hangs_on_a_film_stays_behind(tmp_path: Path) -> None:
    result = run(tmp_path, make_film() + struct.pack(">I", 60) + b"free" + b"<script>alert(1)</script>".ljust(52))
    assert b"script" not in result.original.path.read_bytes()


def test_films_of_others_are_never_encoded_here(tmp_path: Path) -> None:
    assert refuse(tmp_path, make_film("webm", "libvpx", "libopus"), "remote") == "as_it_is"
    assert run(tmp_path, make_film(), "remote").original.content_type == "video/mp4"
