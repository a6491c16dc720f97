"""The picture work itself, inside the jail: the only module that imports the image library."""

import math
import os
from typing import Any, Final, NamedTuple

import blurhash
import pyvips

from phiomia.platform.jail.profile import describe_profile
from phiomia.platform.jail.refused import Refused
from phiomia.platform.jail.sniff import SNIFFED_BYTES, Format, sniff_format

CROPPED: Final = {"avatar": (400, 400), "header": (1500, 500)}
# The longest side that every format we write can hold (WebP's).
_LONGEST_SIDE: Final = 16_383
EMOJI_SIDE: Final = 256
_COVER_PIXELS: Final = 33_177_600
_LOADERS: Final = {
    "jpeg": "VipsForeignLoadJpeg",
    "png": "VipsForeignLoadPng",
    "gif": "VipsForeignLoadNsgif",
    "webp": "VipsForeignLoadWebp",
    "heif": "VipsForeignLoadHeif",
}
_TURNED: Final = (5, 6, 7, 8)
_WHITE: Final = [255, 255, 255]
# As options of the loader: the parameter of the same name that thumbnail_source has is ignored.
_STRICT: Final = "fail_on=error"

pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in _LOADERS.values():
    pyvips.operation_block_set(_loader, False)
pyvips.cache_set_max(0)


class Header(NamedTuple):
    """What a file says of its picture before anything is decoded; width and height are those of one upright frame."""

    format: Format
    width: int
    height: int
    frames: int
    palette: bool
    profile: bool
    hevc: bool = False

    @property
    def animated(self) -> bool:
        return self.frames > 1


class _Wish(NamedTuple):
    kind: str
    focus: tuple[float, float]
    limits: dict[str, Any]
    out_dir: str


def make(source: int, request: dict[str, Any]) -> dict[str, Any]:
    """The pictures asked for, written to the output directory; Refused when the source is no good."""
    wish = _Wish(request["kind"], tuple(request["focus"]), request["limits"], request["out_dir"])
    kind = sniff_format(os.pread(source, SNIFFED_BYTES, 0))
    if kind is None:
        raise Refused("unsupported_type", "neither JPEG, PNG, GIF, WebP, AVIF nor HEIF")
    try:
        header = read_header(source, kind)
        check_header(header, wish.limits)
        if wish.kind in CROPPED:
            return _make_crop(source, header, wish)
        return _make_emoji(source, header, wish) if wish.kind == "emoji" else _make_attachment(source, header, wish)
    except pyvips.Error as error:
        raise _explain(error, kind) from None
    except UnicodeDecodeError:
        # The library's message quotes bytes of the file.
        raise Refused("corrupt", "unreadable, and so is the explanation") from None


def read_header(source: int, kind: Format) -> Header:
    """Size and nature of the picture in a file, without decoding it."""
    image: Any = pyvips.Image.new_from_source(_rewound(source), "", access="sequential")
    frames = image.get_n_pages() if kind in ("gif", "webp") else 1
    turned = kind != "heif" and frames == 1 and _has(image, "orientation") and image.get("orientation") in _TURNED
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    hevc = kind == "heif" and _has(image, "heif-compression") and image.get("heif-compression") == "hevc"
    return Header(kind, width, height, frames, _has(image, "palette"), _needs_conversion(image), hevc)


def _has(image: Any, field: str) -> bool:
    return bool(image.get_typeof(field))


def _needs_conversion(image: Any) -> bool:
    if not _has(image, "icc-profile-data"):
        return bool(image.interpretation == "cmyk")
    return not describe_profile(image.get("icc-profile-data")).startswith("sRGB")


def check_header(header: Header, limits: dict[str, Any]) -> None:
    """Refuse what would be too much work to decode."""
    area = header.width * header.height
    if area > limits["pixels"]:
        raise Refused("too_many_pixels", f"{header.width}x{header.height} pixels, at most {limits['pixels']} in all")
    if header.frames > limits["frames"]:
        raise Refused("too_many_pixels", f"{header.frames} frames, at most {limits['frames']}")
    if header.animated and area * header.frames > limits["animation_pixels"]:
        raise Refused("too_many_pixels", f"{header.frames} frames of {header.width}x{header.height} pixels")


def _make_attachment(source: int, header: Header, wish: _Wish) -> dict[str, Any]:
    most = _frame_pixels(header, wish.limits) if header.animated else wish.limits["output_pixels"]
    size, thumbnail_size = _fit(header, most), _fit(header, min(most, wish.limits["thumbnail_pixels"]))
    film = None
    if header.animated:
        frames = _decode_frames(source, size)
        if wish.kind == "remote":  # where its server said that it is a picture
            original = _save_frames(frames, header, wish)
        else:
            original, film = _save_film(frames, source, wish)
        still = _decode(source, header, thumbnail_size)
    else:
        still = _decode(source, header, size)
        original = _save(still, header, "original", wish)
    thumbnail = still.thumbnail_image(thumbnail_size[0], height=thumbnail_size[1], size="force").copy_memory()
    written = [original, _save(thumbnail, header, "thumbnail", wish)]
    found = {"written": written, "blurhash": _hash(thumbnail), "animated": header.animated}
    return found if film is None else found | {"film": film}


def _save_film(frames: Any, source: int, wish: _Wish) -> tuple[dict[str, Any], dict[str, Any]]:
    from phiomia.platform.jail import moving

    height = frames.get_page_height()
    opaque = frames.flatten(background=_WHITE) if frames.hasalpha() else frames
    colours = opaque if opaque.bands == 3 else opaque.colourspace("srgb")
    made = moving.encode(colours.bandjoin(255).cast("uchar"), height, _read_delays(source), wish.out_dir)
    written = {"name": "original", "content_type": "video/mp4", "width": made["width"], "height": made["height"]}
    return written, made["facts"]


def _read_delays(source: int) -> list[int]:
    image: Any = pyvips.Image.new_from_source(_rewound(source), "n=-1", access="sequential")
    return list(image.get("delay")) if _has(image, "delay") else []


def _make_emoji(source: int, header: Header, wish: _Wish) -> dict[str, Any]:
    scale = min(1.0, EMOJI_SIDE / max(header.width, header.height))
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    still = _decode(source, header, size)
    if not header.animated:
        return {"written": [_save(still, header, "original", wish)], "blurhash": None, "animated": False}
    written = [
        _save_frames(_decode_frames(source, size), header, wish),
        _save_png(still, "static", False, wish),
    ]
    return {"written": written, "blurhash": None, "animated": True}


class Shown(NamedTuple):
    """The small picture of a film or sound."""

    written: dict[str, Any]
    blurhash: str


def from_rgb(pixels: bytes, width: int, height: int) -> Any:
    """A picture of three bytes for each point."""
    return pyvips.Image.new_from_memory(pixels, width, height, 3, "uchar").copy(interpretation="srgb")


def from_bytes(data: bytes) -> Any | None:
    """The picture that a sound brings along, decoded; None if it is none that we decode."""
    if sniff_format(data[:SNIFFED_BYTES]) not in ("jpeg", "png", "webp", "gif"):
        return None
    try:
        image: Any = pyvips.Image.new_from_buffer(data, "")
        if image.width * image.height > _COVER_PIXELS:
            return None
        return _in_eight_bits(image.flatten(background=_WHITE) if image.hasalpha() else image).copy_memory()
    except (pyvips.Error, UnicodeDecodeError):
        return None


def turn_rgb(pixels: bytes, width: int, height: int, degrees: int) -> tuple[bytes, int, int]:
    """The same points turned against the clock."""
    turns = {90: "d270", 180: "d180", 270: "d90"}
    image = from_rgb(pixels, width, height)
    image = image.rot(turns[degrees]) if degrees in turns else image
    return image.write_to_memory(), image.width, image.height


def save_thumbnail(image: Any, out_dir: str, pixels: int) -> Shown:
    """Writes a picture, scaled down where needed, as the thumbnail."""
    scale = min(1.0, math.sqrt(pixels / (image.width * image.height)))
    width, height = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    small = image.thumbnail_image(width, height=height, size="force").copy_memory()
    small.jpegsave(os.path.join(out_dir, "thumbnail"), Q=87, optimize_coding=True, keep="none")
    return Shown(_written("thumbnail", "image/jpeg", small.width, small.height), _hash(small))


def _make_crop(source: int, header: Header, wish: _Wish) -> dict[str, Any]:
    target = _crop_target(header, wish)
    size = _cover(header, target)
    box = _crop_box(size, target, wish.focus)
    still = _decode(source, header, size).crop(*box)
    if not header.animated:
        return {"written": [_save(still, header, "original", wish)], "blurhash": None, "animated": False}
    frames = [frame.crop(*box) for frame in _decode_frames(source, size).pagesplit()]
    written = [_save_frames(_join(frames), header, wish), _save_png(still, "static", False, wish)]
    return {"written": written, "blurhash": None, "animated": True}


def _crop_target(header: Header, wish: _Wish) -> tuple[int, int]:
    width, height = CROPPED[wish.kind]
    most = _frame_pixels(header, wish.limits) if header.animated else width * height
    scale = min(1.0, math.sqrt(most / (width * height)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _decode(source: int, header: Header, size: tuple[int, int]) -> Any:
    """The picture (of an animation the first frame), upright, in 8-bit sRGB or grey, in memory."""
    if header.hevc:
        return _decode_hevc(source, size)
    options: dict[str, Any] = {"export_profile": "srgb"} if header.profile else {}
    image = pyvips.Image.thumbnail_source(
        _rewound(source),
        size[0],
        height=size[1],
        size="force",
        option_string=_STRICT,
        no_rotate=header.animated,
        **options,
    )
    return _in_eight_bits(image).copy_memory()


def _decode_hevc(source: int, size: tuple[int, int]) -> Any:
    from phiomia.platform.jail.heic import decode_heic  # imported already, before the doors closed

    whole = decode_heic(source)
    options: dict[str, Any] = {"export_profile": "srgb"} if _needs_conversion(whole) else {}
    return _in_eight_bits(whole.thumbnail_image(size[0], height=size[1], size="force", **options)).copy_memory()


def _decode_frames(source: int, size: tuple[int, int]) -> Any:
    image = pyvips.Image.thumbnail_source(
        _rewound(source),
        size[0],
        height=size[1],
        size="force",
        option_string=f"n=-1,{_STRICT}",
        no_rotate=True,
    )
    return _in_eight_bits(image)


def _join(frames: list[Any]) -> Any:
    return frames[0].pagejoin(frames[1:])


def _in_eight_bits(image: Any) -> Any:
    grey = image.interpretation in ("b-w", "grey16")
    return image.colourspace("b-w" if grey else "srgb").cast("uchar")


def _rewound(source: int) -> Any:
    os.lseek(source, 0, os.SEEK_SET)
    return pyvips.Source.new_from_descriptor(source)


def _fit(header: Header, pixels: int) -> tuple[int, int]:
    """The picture's size scaled down, where needed, to an area."""
    longest = max(header.width, header.height)
    scale = min(1.0, math.sqrt(pixels / (header.width * header.height)), _LONGEST_SIDE / longest)
    return max(1, int(header.width * scale)), max(1, int(header.height * scale))


def _frame_pixels(header: Header, limits: dict[str, Any]) -> int:
    return int(min(limits["output_frame_pixels"], limits["output_animation_pixels"] / header.frames))


def _cover(header: Header, target: tuple[int, int]) -> tuple[int, int]:
    """The picture's size scaled down, where needed, so that it still covers the target; never enlarged."""
    scale = min(1.0, max(target[0] / header.width, target[1] / header.height))
    return max(1, round(header.width * scale)), max(1, round(header.height * scale))


def _crop_box(size: tuple[int, int], target: tuple[int, int], focus: tuple[float, float]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part with the target's proportions that is nearest to the focus."""
    width = max(1, min(size[0], target[0], round(size[1] * target[0] / target[1])))
    height = max(1, min(size[1], target[1], round(size[0] * target[1] / target[0])))
    left = round((focus[0] + 1) / 2 * size[0] - width / 2)
    top = round((1 - focus[1]) / 2 * size[1] - height / 2)
    return min(max(left, 0), size[0] - width), min(max(top, 0), size[1] - height), width, height


def _save(image: Any, header: Header, name: str, wish: _Wish) -> dict[str, Any]:
    """Write a still picture in the format nearest to the one it came in."""
    if header.format in ("png", "gif"):
        return _save_png(image, name, header.palette, wish)
    if header.format == "webp" or image.hasalpha():
        image.webpsave(os.path.join(wish.out_dir, name), Q=86, keep="none")
        return _written(name, "image/webp", image.width, image.height)
    image.jpegsave(os.path.join(wish.out_dir, name), Q=87, optimize_coding=True, keep="none")
    return _written(name, "image/jpeg", image.width, image.height)


def _save_png(image: Any, name: str, palette: bool, wish: _Wish) -> dict[str, Any]:
    options = {"palette": True, "effort": 3, "dither": 0.5} if palette else {}
    image.pngsave(os.path.join(wish.out_dir, name), compression=6, keep="none", **options)
    return _written(name, "image/png", image.width, image.height)


def _save_frames(image: Any, header: Header, wish: _Wish) -> dict[str, Any]:
    path, height = os.path.join(wish.out_dir, "original"), image.get_page_height()
    if header.format == "gif":
        scaled = (image.width, height) != (header.width, header.height)
        image.gifsave(path, effort=3, dither=0.5 if scaled else 0.0, keep="none")
        return _written("original", "image/gif", image.width, height)
    image.webpsave(path, Q=82, effort=2, keep="none")
    return _written("original", "image/webp", image.width, height)


def _written(name: str, content_type: str, width: int, height: int) -> dict[str, Any]:
    return {"name": name, "content_type": content_type, "width": width, "height": height}


def _hash(image: Any) -> str:
    """The blurhash: the picture as twelve waves of colour, to be shown until it is loaded."""
    tiny = image.thumbnail_image(32, height=32, size="force").colourspace("srgb")
    if tiny.hasalpha():
        tiny = tiny.flatten(background=_WHITE)
    pixels = tiny.cast("uchar").write_to_memory()
    rows = [[pixels[at : at + 3] for at in range(row, row + 96, 3)] for row in range(0, 32 * 96, 96)]
    return str(blurhash.encode(rows, components_x=4, components_y=3))  # type: ignore[no-untyped-call]


def _explain(error: Any, kind: Format) -> Refused:
    message = " ".join(str(error).split())
    if kind == "heif" and ("not been built in" in message or "nsupported" in message):
        return Refused("unsupported_type", message)
    if "File too large" in message:
        return Refused("too_large", message)
    return Refused("corrupt", message)
