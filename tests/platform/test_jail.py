"""Pictures from strangers: what comes out is clean, what is no picture is refused, and the child cannot get out."""

import asyncio
import json
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pyvips

from phiomia.platform.jail import process
from phiomia.platform.jail.heic import turn_picture
from phiomia.platform.jail.heif_items import read_layout
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.profile import describe_profile
from phiomia.platform.jail.refused import Refused
from phiomia.platform.jail.result import AVATAR_LIMITS, ImageLimits, ImageResult, JailError, Kind, Picture
from phiomia.platform.jail.sniff import sniff_format

HEICS = Path(__file__).parent.parent / "data" / "pictures"
RED, BLUE = [220, 20, 20], [20, 20, 220]


@dataclass
class Jail:
    """A directory for results, and the way there."""

    out: Path

    def run(self, source: Path, kind: Kind = "attachment", **options: Any) -> ImageResult:
        result = asyncio.run(process_image(source, kind=kind, out_dir=self.out, **options))
        named = {picture.path for picture in (result.original, result.thumbnail, result.static) if picture}
        assert set(self.out.iterdir()) == named
        for picture in (result.original, result.thumbnail, result.static):
            if picture:
                check_claims(picture)
        return result

    def refuse(self, source: Path, kind: Kind = "attachment", **options: Any) -> JailError:
        with pytest.raises(JailError) as caught:
            asyncio.run(process_image(source, kind=kind, out_dir=self.out, **options))
        assert list(self.out.iterdir()) == []
        return caught.value


def check_claims(picture: Picture) -> None:
    if picture.content_type == "video/mp4":
        assert picture.path.stat().st_size == picture.bytes and picture.extension == "mp4"
        return
    image = read(picture)
    assert (image.width, image.height) == (picture.width, picture.height)
    assert picture.path.stat().st_size == picture.bytes
    assert picture.content_type == f"image/{sniff_format(picture.path.read_bytes()[:64])}"
    assert picture.path.suffix == f".{picture.extension}"


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    out = tmp_path / "out"
    out.mkdir()
    return Jail(out)


def read(picture: Picture) -> Any:
    return pyvips.Image.new_from_file(str(picture.path))


def colour(image: Any, x: int, y: int) -> str:
    red, green, blue = image.colourspace("srgb")(x, y)[:3]
    return {red: "red", green: "green", blue: "blue"}[max(red, green, blue)]


def halves(width: int, height: int) -> Any:
    """A picture, red on the left and blue on the right."""
    left = pyvips.Image.black(width // 2, height, bands=3) + RED
    right = pyvips.Image.black(width - width // 2, height, bands=3) + BLUE
    return left.join(right, "horizontal").cast("uchar").copy(interpretation="srgb")


def animation(width: int, height: int, frames: int) -> Any:
    pictures = [
        halves(width, height).draw_rect([0, 200, 0], width // 2, 0, 4 + n, 4 + n, fill=True) for n in range(frames)
    ]
    joined = pictures[0].pagejoin(pictures[1:]).copy()
    joined.set_type(pyvips.GValue.array_int_type, "delay", [70] * frames)
    joined.set_type(pyvips.GValue.gint_type, "loop", 3)
    return joined


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def test_a_photograph_loses_its_metadata_and_stands_upright(jail: Jail, tmp_path: Path) -> None:
    image = halves(300, 100).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    for name, value in {
        "exif-ifd0-Make": "Secret Camera",
        "exif-ifd3-GPSLatitude": "52/1 31/1 12/1",
        "exif-ifd3-GPSLatitudeRef": "N",
    }.items():
        image.set_type(pyvips.GValue.gstr_type, name, f"{value} ({value}, ASCII, 9 components, 9 bytes)")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>my home address</x:xmpmeta>")
    source = tmp_path / "photo.jpg"
    image.jpegsave(str(source), Q=90, profile="p3")
    before = pyvips.Image.new_from_file(str(source))
    assert "exif-ifd3-GPSLatitude" in before.get_fields()
    assert b"Secret Camera" in source.read_bytes() and b"home address" in source.read_bytes()

    result = jail.run(source)
    assert (result.original.width, result.original.height) == (100, 300)
    assert result.original.content_type == "image/jpeg"
    after = read(result.original)
    assert colour(after, 50, 20) == "red" and colour(after, 50, 280) == "blue"
    for picture in (result.original, result.thumbnail):
        assert picture is not None
        assert not [name for name in read(picture).get_fields() if name.startswith(("exif", "xmp", "icc", "iptc"))]
        for trace in (b"Exif", b"ICC_PROFILE", b"Secret", b"home address", b"GPS"):
            assert trace not in picture.path.read_bytes()


def test_wide_colours_become_srgb(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "p3.png"
    black = pyvips.Image.black(64, 64, bands=3)
    greenish = black.linear([1, 1, 1], [60, 200, 60]).cast("uchar").copy(interpretation="srgb")
    greenish.icc_transform("p3", input_profile="srgb").pngsave(str(source))
    raw = pyvips.Image.new_from_file(str(source))
    assert not describe_profile(raw.get("icc-profile-data")).startswith("sRGB")
    assert raw(9, 9)[0] > 80
    after = read(jail.run(source).original)(9, 9)
    assert all(abs(a - b) <= 3 for a, b in zip(after, [60, 200, 60], strict=True))


def test_the_name_of_a_profile_is_read_from_both_kinds_of_text() -> None:
    def profile(text: bytes) -> bytes:
        return bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, len(text)) + text

    wide = "sRGB IEC61966-2.1".encode("utf-16-be")
    assert describe_profile(profile(b"desc\0\0\0\0" + struct.pack(">I", 6) + b"Other\0")) == "Other"
    many = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(wide), 28) + wide
    assert describe_profile(profile(many)) == "sRGB IEC61966-2.1"
    assert describe_profile(b"") == describe_profile(b"x" * 200) == ""


def test_large_pictures_shrink_to_the_area_and_keep_their_shape(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "large.jpg"
    halves(6000, 3000).jpegsave(str(source))
    result = jail.run(source)
    assert result.original.width * result.original.height <= 3840 * 2160
    assert result.original.width * result.original.height > 0.99 * 3840 * 2160
    assert abs(result.original.width / result.original.height - 2) < 0.01
    assert result.thumbnail is not None
    assert 0.98 * 640 * 360 < result.thumbnail.width * result.thumbnail.height <= 640 * 360
    assert result.blurhash is not None and len(result.blurhash) == 28
    assert result.animated is False and result.static is None


def test_small_pictures_keep_their_size(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "small.png"
    halves(3, 1).pngsave(str(source))
    result = jail.run(source)
    assert (result.original.width, result.original.height) == (3, 1)
    assert result.thumbnail is not None and (result.thumbnail.width, result.thumbnail.height) == (3, 1)


def test_very_long_pictures_stay_within_what_formats_can_hold(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "long.png"
    halves(40_000, 2).pngsave(str(source))
    result = jail.run(source)
    assert (result.original.width, result.original.height) == (16_383, 1)


@pytest.mark.parametrize(
    ("save", "content_type"),
    [
        (lambda image, path: image.jpegsave(path), "image/jpeg"),
        (lambda image, path: image.pngsave(path), "image/png"),
        (lambda image, path: image.pngsave(path, palette=True), "image/png"),
        (lambda image, path: image.webpsave(path), "image/webp"),
        (lambda image, path: image.gifsave(path), "image/png"),
        (lambda image, path: image.heifsave(path, compression="av1", effort=0), "image/jpeg"),
        (lambda image, path: image.addalpha().heifsave(path, compression="av1", effort=0), "image/webp"),
        (lambda image, path: image.colourspace("b-w").jpegsave(path), "image/jpeg"),
        (lambda image, path: image.colourspace("rgb16").pngsave(path), "image/png"),
        (lambda image, path: image.colourspace("grey16").addalpha().pngsave(path), "image/png"),
        (lambda image, path: image.icc_transform("cmyk", input_profile="srgb").jpegsave(path), "image/jpeg"),
    ],
    ids=["jpeg", "png", "palette", "webp", "gif", "avif", "avif-alpha", "grey", "png16", "grey16-alpha", "cmyk"],
)
def test_every_format_comes_out_as_one_that_all_browsers_show(
    jail: Jail, tmp_path: Path, save: Callable[[Any, str], None], content_type: str
) -> None:
    source = tmp_path / "upload"
    save(halves(120, 80), str(source))
    result = jail.run(source)
    assert result.original.content_type == content_type
    assert (result.original.width, result.original.height) == (120, 80)
    after = read(result.original)
    assert after.format == "uchar"
    if after.colourspace("srgb").bands >= 3 and after.interpretation != "b-w":
        assert colour(after, 10, 40) == "red" and colour(after, 110, 40) == "blue"
    assert result.blurhash


def test_transparency_and_palettes_survive(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    clear = halves(60, 60).bandjoin(0).copy(interpretation="srgb")
    clear.pngsave(str(source), palette=True)
    after = read(jail.run(source).original)
    assert after.hasalpha() and after(5, 5)[3] == 0
    assert after.get_typeof("palette") != 0


def test_a_picture_is_what_it_contains_not_what_it_is_called(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "holiday[page=9].jpg"
    source.write_bytes(halves(50, 50).pngsave_buffer())
    result = jail.run(source)
    assert result.original.content_type == "image/png"
    assert result.original.extension == "png"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, I am no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"II*\0" + bytes(100),
        b"P6 2 2 255\n" + bytes(12),
    ],
    ids=["empty", "text", "svg", "xml", "pdf", "tiff", "ppm"],
)
def test_what_is_no_picture_of_ours_is_refused(jail: Jail, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "upload.png"
    source.write_bytes(content)
    assert jail.refuse(source).reason == "unsupported_type"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, body: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + body)


def heic_of_zeros() -> bytes:
    """An HEIC whose boxes are all in order, around a picture that is not."""
    settings = bytes.fromhex("01016000000090000000003ff000fcfdf8f800000f00")
    properties = box(b"hvcC", settings + b"\0") + full_box(b"ispe", struct.pack(">II", 64, 64))
    entry = full_box(b"infe", struct.pack(">HH4sB", 1, 0, b"hvc1", 0), version=2)

    def begin(offset: int) -> bytes:
        meta = (
            full_box(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + full_box(b"pitm", struct.pack(">H", 1))
            + full_box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, 32))
            + full_box(b"iinf", struct.pack(">H", 1) + entry)
            + box(b"iprp", box(b"ipco", properties) + full_box(b"ipma", struct.pack(">IHBBB", 1, 1, 2, 0x81, 2)))
        )
        return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full_box(b"meta", meta)

    return begin(len(begin(0)) + 8) + box(b"mdat", bytes(32))


@pytest.mark.parametrize("name", ["tiles", "whole"])
@pytest.mark.parametrize("kind", ["attachment", "avatar", "header"])
def test_pictures_of_telephones_are_shown(jail: Jail, name: str, kind: Kind) -> None:
    # Red grows to the right and green downwards, in one piece or in six.
    result = jail.run(HEICS / f"{name}.heic", kind)
    image = read(result.original)
    assert result.original.content_type == "image/jpeg"
    sizes = {"attachment": (600, 400), "avatar": (400, 400), "header": (600, 200)}
    assert (image.width, image.height) == sizes[kind]
    right, bottom = image.width - 8, image.height - 8
    for x, y in ((8, 8), (right, 8), (8, bottom), (right, bottom), (image.width // 2, image.height // 2)):
        left, top = (600 - image.width) / 2, (400 - image.height) / 2
        wanted = ((left + x) * 255 / 600, (top + y) * 255 / 400, 60)
        assert all(abs(got - want) < 8 for got, want in zip(image(x, y), wanted, strict=True)), (x, y, image(x, y))


def test_a_picture_of_zeros_is_corrupt(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "photo.heic"
    source.write_bytes(heic_of_zeros())
    assert jail.refuse(source).reason == "corrupt"
    whole = (HEICS / "tiles.heic").read_bytes()
    for length in (100, 600, len(whole) // 2):
        source.write_bytes(whole[:length])
        assert jail.refuse(source).reason in ("corrupt", "unsupported_type"), length


def test_how_a_picture_is_put_together_and_turned() -> None:
    assert read_layout((HEICS / "tiles.heic").read_bytes())[:3] == ([2, 3, 4, 5, 6, 7], 600, 400)
    assert read_layout((HEICS / "whole.heic").read_bytes())[:3] == ([1], 600, 400)

    def with_properties(*more: bytes) -> bytes:
        properties = full_box(b"ispe", struct.pack(">II", 64, 48)) + b"".join(more)
        places = bytes(range(1, len(more) + 2))
        ipma = full_box(b"ipma", struct.pack(">IHB", 1, 1, len(places)) + places)
        meta = full_box(b"pitm", struct.pack(">H", 1)) + box(b"iprp", box(b"ipco", properties) + ipma)
        return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full_box(b"meta", meta)

    turned = read_layout(with_properties(box(b"irot", b"\1"), box(b"imir", b"\1"), box(b"colr", b"profcolours")))
    assert turned == ([1], 64, 48, [(b"irot", 1), (b"imir", 1)], b"colours")
    with pytest.raises(Refused) as caught:
        read_layout(with_properties(box(b"clap", bytes(32))))
    assert caught.value.reason == "unsupported_type"
    good = with_properties(box(b"irot", b"\1"))
    for length in range(len(good)):
        with pytest.raises(Refused):
            read_layout(good[:length])


def test_quarter_turns_go_against_the_clock() -> None:
    corner = pyvips.Image.black(2, 2).draw_rect([255], 1, 0, 1, 1).bandjoin([0, 0])  # its upper right is lit
    places = {
        (b"irot", 1): (0, 0),
        (b"irot", 2): (0, 1),
        (b"irot", 3): (1, 1),
        (b"imir", 1): (0, 0),
        (b"imir", 0): (1, 1),
    }
    for turn, place in places.items():
        assert turn_picture(corner, *turn)(*place)[0] == 255, turn


@pytest.mark.parametrize("kind", ["attachment", "avatar"])
@pytest.mark.parametrize("format", [".jpg", ".png", ".webp", ".gif", ".avif"])
def test_half_a_file_is_corrupt(jail: Jail, tmp_path: Path, format: str, kind: Kind) -> None:
    noise = pyvips.Image.gaussnoise(200, 200, mean=128, sigma=40).cast("uchar")
    content = noise.bandjoin([noise, noise]).copy(interpretation="srgb").write_to_buffer(format)
    source = tmp_path / "half"
    source.write_bytes(content[: len(content) // 2])
    assert jail.refuse(source, kind).reason == "corrupt"


def test_a_mere_beginning_is_corrupt(jail: Jail, tmp_path: Path) -> None:
    for beginning in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\4\0\0\0WEBP"):
        source = tmp_path / "beginning"
        source.write_bytes(beginning)
        assert jail.refuse(source).reason == "corrupt"


def test_the_video_library_is_loaded_only_for_what_may_need_it(tmp_path: Path) -> None:
    code = (
        "import sys; from phiomia.platform.jail import decode; decode.choose(sys.stdin.buffer.read(64), 'attachment')"
    )
    contents = {
        "png": (halves(8, 8).pngsave_buffer(), False),
        "webp": (halves(8, 8).webpsave_buffer(), False),
        "moving webp": (animation(8, 8, 3).webpsave_buffer(), True),
        "gif": (animation(8, 8, 3).gifsave_buffer(), True),
        "avif": (halves(8, 8).heifsave_buffer(compression="av1", effort=0), False),
        "heic": ((HEICS / "whole.heic").read_bytes(), True),
    }
    for name, (content, loaded) in contents.items():
        command = [sys.executable, "-c", f"{code}; raise SystemExit('av' in sys.modules)"]
        assert subprocess.run(command, input=content, check=False).returncode == loaded, name


def test_what_is_not_as_it_begins_is_refused(jail: Jail, tmp_path: Path) -> None:
    moving, apples = bytearray(animation(8, 8, 3).webpsave_buffer()), bytearray((HEICS / "whole.heic").read_bytes())
    moving[20] &= ~2
    apples[8:12] = b"avif"
    source = tmp_path / "not as it begins"
    for content, reason in ((moving, "corrupt"), (apples, "unsupported_type")):
        source.write_bytes(content)
        assert jail.refuse(source).reason == reason


def test_a_bomb_is_refused_by_its_header(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "bomb.png"
    for width, height in ((50_000, 50_000), (5_761, 5_760), (33_177_601, 1)):
        source.write_bytes(png_claiming(width, height))
        started = time.monotonic()
        error = jail.refuse(source)
        assert error.reason == "too_many_pixels"
        assert time.monotonic() - started < 5
    assert source.stat().st_size < 2_000


def test_pixels_and_frames_are_bounded(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    animation(40, 30, 6).gifsave(str(source))
    assert jail.refuse(source, limits=ImageLimits(frames=5)).reason == "too_many_pixels"
    assert jail.refuse(source, limits=ImageLimits(animation_pixels=6 * 40 * 30 - 1)).reason == "too_many_pixels"
    assert jail.refuse(source, limits=ImageLimits(pixels=1199)).reason == "too_many_pixels"
    assert jail.run(source, limits=ImageLimits(pixels=1200, frames=6, animation_pixels=7200)).animated


def test_large_files_are_refused_without_a_look(jail: Jail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_COMMAND", ("-c", "raise SystemExit('started')"))
    source = tmp_path / "large"
    source.write_bytes(bytes(101))
    assert jail.refuse(source, limits=ImageLimits(source_bytes=100)).reason == "too_large"
    assert AVATAR_LIMITS.source_bytes == 8 * 1024 * 1024


@pytest.mark.parametrize("format", [".gif", ".jpg", ".png", ".webp"])
def test_what_hangs_on_a_picture_stays_behind(jail: Jail, tmp_path: Path, format: str) -> None:
    attached = b"<html><script>alert(1)</script>PK\x03\x04 payload.zip"
    source = tmp_path / "polyglot"
    source.write_bytes(halves(40, 40).write_to_buffer(format) + attached)
    result = jail.run(source)
    assert result.thumbnail is not None
    for path in (result.original.path, result.thumbnail.path):
        for trace in (b"script", b"PK\x03\x04", b"payload"):
            assert trace not in path.read_bytes()


@pytest.mark.parametrize("format", [".gif", ".webp"])
def test_animations_become_films(jail: Jail, tmp_path: Path, format: str) -> None:
    source = tmp_path / "moving"
    source.write_bytes(animation(64, 48, 5).write_to_buffer(format))
    result = jail.run(source)
    assert result.animated and result.original.content_type == "video/mp4"
    assert result.film is not None and result.film.kind == "gifv" and result.film.seconds == 0.35
    assert result.thumbnail is not None and read(result.thumbnail).get_n_pages() == 1
    assert (result.original.width, result.original.height) == (64, 48)


def test_long_animations_shrink(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "moving"
    source.write_bytes(animation(100, 80, 10).gifsave_buffer())
    result = jail.run(source, limits=ImageLimits(output_animation_pixels=20_000))
    assert (result.original.width, result.original.height) == (50, 40)
    result.original.path.unlink()
    assert result.thumbnail is not None
    result.thumbnail.path.unlink()
    avatar = jail.run(source, "avatar", limits=ImageLimits(output_animation_pixels=9_000))
    assert (avatar.original.width, avatar.original.height) == (30, 30)


def test_an_animated_avatar_has_a_still_version(jail: Jail, tmp_path: Path) -> None:
    for format in (".gif", ".webp"):
        source = tmp_path / "moving"
        source.write_bytes(animation(90, 60, 4).write_to_buffer(format))
        result = jail.run(source, "avatar")
        assert (result.original.width, result.original.height) == (60, 60)
        assert read(result.original).get_n_pages() == 4 and read(result.original).get("delay") == [70] * 4
        assert result.static is not None and result.static.content_type == "image/png"
        assert (result.static.width, result.static.height) == (60, 60)
        assert result.thumbnail is None and result.blurhash is None
        for path in jail.out.iterdir():
            path.unlink()


@pytest.mark.parametrize(
    ("kind", "size", "cropped"),
    [
        ("avatar", (1000, 800), (400, 400)),
        ("avatar", (500, 400), (400, 400)),
        ("avatar", (120, 300), (120, 120)),
        ("avatar", (1, 1), (1, 1)),
        ("header", (3000, 2000), (1500, 500)),
        ("header", (600, 600), (600, 200)),
        ("header", (2000, 100), (300, 100)),
    ],
)
def test_avatars_and_headers_are_cropped_to_their_shape_and_never_enlarged(
    jail: Jail, tmp_path: Path, kind: Kind, size: tuple[int, int], cropped: tuple[int, int]
) -> None:
    source = tmp_path / "upload"
    source.write_bytes(
        halves(*size).jpegsave_buffer() if size != (1, 1) else halves(2, 1).crop(0, 0, 1, 1).pngsave_buffer()
    )
    result = jail.run(source, kind)
    assert (result.original.width, result.original.height) == cropped
    assert result.static is None and result.animated is False


def test_the_crop_keeps_the_focus(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(halves(1600, 400).pngsave_buffer())
    for focus, left, right in (((-1.0, 0.0), "red", "red"), ((1.0, 0.0), "blue", "blue"), ((0.0, 0.0), "red", "blue")):
        result = jail.run(source, "avatar", focus=focus)
        after = read(result.original)
        assert (colour(after, 5, 200), colour(after, 394, 200)) == (left, right)
        result.original.path.unlink()
    source.write_bytes(halves(1600, 400).rot90().pngsave_buffer())
    for focus, expected in (((0.0, 1.0), "red"), ((0.0, -1.0), "blue")):
        result = jail.run(source, "avatar", focus=focus)
        assert colour(read(result.original), 200, 200) == expected
        result.original.path.unlink()


def test_two_pictures_at_a_time_in_any_event_loop(jail: Jail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "upload"
    source.write_bytes(halves(64, 64).pngsave_buffer())
    running, most = 0, 0
    start, end = process._start_child, process._end

    async def counted_start(*files: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        return await start(*files)

    async def counted_end(child: Any) -> None:
        nonlocal running
        await end(child)
        running -= 1

    monkeypatch.setattr(process, "_start_child", counted_start)
    monkeypatch.setattr(process, "_end", counted_end)

    async def many() -> None:
        await asyncio.gather(*(process_image(source, kind="attachment", out_dir=jail.out) for _ in range(5)))

    asyncio.run(many())
    asyncio.run(many())
    assert (running, most) == (0, 2)
    assert len(list(jail.out.iterdir())) == 20


def is_alive(marker: Path) -> bool:
    return Path(f"/proc/{marker.read_text()}").exists()


def wait_for(marker: Path) -> None:
    while not (marker.exists() and marker.read_text()):
        time.sleep(0.01)


def hostile(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put other code in the child's place, as if a decoder had been taken over."""
    begin = "import json, os, sys, time\nrequest = json.load(sys.stdin)\nos.chdir(request['out_dir'])\n"
    monkeypatch.setattr(process, "_COMMAND", ("-c", begin + textwrap.dedent(code)))


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(halves(64, 64).pngsave_buffer())
    return path


def test_a_tiny_time_limit_is_a_timeout(jail: Jail, upload: Path) -> None:
    assert jail.refuse(upload, limits=ImageLimits(wall_seconds=0.001)).reason == "timeout"


def test_a_child_that_hangs_is_killed(
    jail: Jail, upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    hostile(monkeypatch, f"open({str(marker)!r}, 'w').write(str(os.getpid()))\nopen('junk', 'w')\ntime.sleep(60)")
    assert jail.refuse(upload, limits=ImageLimits(wall_seconds=0.5)).reason == "timeout"
    assert not is_alive(marker)


def test_a_cancelled_request_takes_its_child_along(
    jail: Jail, upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    hostile(monkeypatch, f"open({str(marker)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")

    async def start_and_cancel() -> None:
        task = asyncio.create_task(process_image(upload, kind="attachment", out_dir=jail.out))
        await asyncio.to_thread(wait_for, marker)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())
    assert not is_alive(marker)
    assert list(jail.out.iterdir()) == []


def test_processor_time_runs_out(jail: Jail, upload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = "from phiomia.platform.jail import confine\nconfine.limit_resources(1, 1 << 30, 1 << 20)"
    hostile(monkeypatch, f"{limit}\nwhile True: pass")
    error = jail.refuse(upload)
    assert error.reason == "timeout" and "processor" in error.message


def test_memory_runs_out(jail: Jail, upload: Path) -> None:
    assert jail.refuse(upload, limits=ImageLimits(memory_bytes=40_000_000)).reason == "crashed"


def test_output_is_bounded(jail: Jail, tmp_path: Path) -> None:
    source = tmp_path / "noise"
    source.write_bytes(pyvips.Image.gaussnoise(300, 300, mean=128, sigma=40).cast("uchar").pngsave_buffer())
    assert jail.refuse(source, limits=ImageLimits(written_bytes=20_000)).reason == "too_large"


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(3)",
        "os.kill(os.getpid(), 11)",
        "print('no json')",
        "print('{}')",
        "print('x' * 1_000_000)",
        "print(json.dumps({'outcome': 'refused', 'reason': 'because', 'message': ''}))",
    ],
)
def test_a_child_that_breaks_or_babbles_has_crashed(
    jail: Jail, upload: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    hostile(monkeypatch, code)
    assert jail.refuse(upload).reason == "crashed"


@pytest.mark.parametrize(
    ("prepare", "claim"),
    [
        ("os.symlink('/etc/passwd', 'original')", {}),
        ("open('original', 'wb').write(b'<html>')", {}),
        ("os.mkfifo('original')", {}),
        ("os.mkdir('original')", {}),
        ("", {}),
        ("PNG('original')", {"name": "../../escaped"}),
        ("PNG('original')", {"content_type": "text/html"}),
        ("PNG('original')", {"content_type": "image/jpeg"}),
        ("PNG('original')", {"width": -1}),
        ("PNG('original')", {"height": 10**9}),
        ("PNG('thumbnail')", {"name": "thumbnail"}),
    ],
)
def test_the_claims_of_a_child_are_not_believed(
    jail: Jail, upload: Path, monkeypatch: pytest.MonkeyPatch, prepare: str, claim: dict[str, Any]
) -> None:
    written = {"name": "original", "content_type": "image/png", "width": 9, "height": 9} | claim
    answer = {"outcome": "done", "written": [written], "blurhash": None, "animated": False}
    make = r"PNG = lambda name: open(name, 'wb').write(b'\x89PNG\r\n\x1a\n')"
    hostile(monkeypatch, f"{make}\n{prepare}\nprint({json.dumps(answer)!r})")
    assert jail.refuse(upload).reason == "crashed"


def test_the_child_sees_nothing_of_the_environment(
    jail: Jail, upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "environment"
    monkeypatch.setenv("PHIOMIA_SECRET", "hunter2")
    hostile(monkeypatch, f"open({str(seen)!r}, 'w').write(repr(dict(os.environ)))")
    assert jail.refuse(upload).reason == "crashed"
    assert "VIPS_BLOCK_UNTRUSTED" in seen.read_text() and "hunter2" not in seen.read_text()


ESCAPES = {
    "socket": "import_socket.socket()",
    "unix socket": "import_socket.socketpair()",
    "fork": "os.fork() or os._exit(0)",
    "exec": "os.execv('/bin/true', ['true'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "signal the server": "os.kill(os.getppid(), 0)",
    "read": "open('/etc/passwd').read()",
    "read the source tree": "open(confine.__file__).read()",
    "write elsewhere": "open('/tmp/phiomia-escaped', 'w')",
    "list": "os.listdir('/')",
    "make a file": "open(out + '/new', 'w')",
    "link": "os.symlink('/etc/passwd', out + '/link')",
    "chmod": "os.chmod(out, 0o777)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")
def test_the_walls_of_the_jail_stand(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "original").touch()
    script = f"""
        import json, os, sys, threading, resource
        import socket as import_socket
        from phiomia.platform.jail import confine
        out = {str(out)!r}
        confine.limit_resources(cpu_seconds=5, memory_bytes=1 << 30, written_bytes=1000)
        walls = confine.confine(out)
        outcome = {{}}
        for name, code in {ESCAPES!r}.items():
            try:
                exec(code)
            except OSError as error:
                outcome[name] = "stopped"
            else:
                outcome[name] = "escaped"
        thread = threading.Thread(target=lambda: open(out + "/original", "w").write("fine"))
        thread.start(); thread.join()
        print(json.dumps([walls, outcome, resource.getrlimit(resource.RLIMIT_CORE)]))
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    walls, outcome, core = msgspec.json.decode(ran.stdout)
    assert core == [0, 0]
    assert (out / "original").read_text() == "fine"
    if not {"landlock", "seccomp"} <= set(walls):
        pytest.skip(f"this kernel offers only {walls}")
    assert {name for name, end in outcome.items() if end == "escaped"} == set()


def test_an_abort_in_the_jail_still_ends_it(tmp_path: Path) -> None:
    script = "import os; from phiomia.platform.jail import confine; confine.confine('/tmp'); os.abort()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30)
    assert ran.returncode == -6
