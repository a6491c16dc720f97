"""Pictures that are coded like films (HEIC), inside the jail: the image library reads all of them but the points."""

import math
import os
from typing import Any

import av
import av.error
import pyvips
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from phiomia.platform.jail.heif_items import READ_BYTES, Layout, read_layout
from phiomia.platform.jail.refused import Refused


def decode_heic(source: int) -> Any:
    """The whole picture, upright, in the colours of its profile; Refused when it is no good."""
    av.logging.set_level(av.logging.PANIC)
    layout = read_layout(os.pread(source, READ_BYTES, 0))
    os.lseek(source, 0, os.SEEK_SET)
    try:
        with os.fdopen(source, "rb", closefd=False) as file, av.open(file, format="mov") as container:
            image = _join(layout, _decode_tiles(container, layout))
    except av.error.FFmpegError as error:
        raise Refused("corrupt", f"{type(error).__name__}: {error}") from None
    for kind, number in layout.turns:
        image = turn_picture(image, kind, number)
    image = image.copy(interpretation="srgb")
    if layout.profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", layout.profile)
    return image


def _decode_tiles(container: Any, layout: Layout) -> list[Any]:
    streams = {one.id: one for one in container.streams if isinstance(one, VideoStream)}
    wanted = [streams[id_] for id_ in dict.fromkeys(layout.tiles) if id_ in streams]
    if any(id_ not in streams or streams[id_].codec_context.name != "hevc" for id_ in layout.tiles):
        raise Refused("unsupported_type", "a piece of the picture is missing or coded in another way")
    for stream in wanted:
        if stream.width * stream.height > layout.width * layout.height * 4:
            raise Refused("too_many_pixels", "a piece that is larger than the picture")
        stream.codec_context.thread_count = 1
    found: dict[int, Any] = {}
    for packet in container.demux(wanted):
        for frame in packet.decode():
            if isinstance(frame, VideoFrame):
                found.setdefault(packet.stream.id, _points_of(frame))
    if any(id_ not in found for id_ in layout.tiles):
        raise Refused("corrupt", "a piece of the picture can't be read")
    return [found[id_] for id_ in layout.tiles]


def _points_of(frame: VideoFrame) -> Any:
    shown = frame.reformat(format="rgb24")
    plane, line = shown.planes[0], shown.width * 3
    data = bytes(plane)
    if plane.line_size != line:
        rows = range(0, shown.height * plane.line_size, plane.line_size)
        data = b"".join(data[at : at + line] for at in rows)
    return pyvips.Image.new_from_memory(data, shown.width, shown.height, 3, "uchar")


def _join(layout: Layout, tiles: list[Any]) -> Any:
    width, height = tiles[0].width, tiles[0].height
    across, down = math.ceil(layout.width / width), math.ceil(layout.height / height)
    alike = all((one.width, one.height) == (width, height) for one in tiles)
    if not alike or across * down != len(tiles):
        raise Refused("corrupt", f"{len(tiles)} pieces make no picture of {layout.width}x{layout.height}")
    joined = pyvips.Image.arrayjoin(tiles, across=across) if len(tiles) > 1 else tiles[0]
    return joined.crop(0, 0, layout.width, layout.height).copy_memory()


def turn_picture(image: Any, kind: bytes, number: int) -> Any:
    """The picture after one of its turns: `irot` against the clock, `imir` like a mirror."""
    if kind == b"imir":
        return image.flip("horizontal" if number & 1 else "vertical")
    return image if number == 0 else image.rot({1: "d270", 2: "d180", 3: "d90"}[number])
