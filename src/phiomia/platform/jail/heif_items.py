"""Reads from a HEIF file of which pieces its picture is put together, and how it has to be turned."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from phiomia.platform.jail.refused import Refused

READ_BYTES: Final = 1 << 20
_MOST_TILES: Final = 1_024
# Cutting, and putting one picture over another, is something that cameras don't do.
_UNKNOWN: Final = frozenset({b"clap", b"iovl"})


class Layout(NamedTuple):
    """Ids of the pieces, row by row; the size of the whole before `turns`: (kind, number) as they are to be done."""

    tiles: Sequence[int]
    width: int
    height: int
    turns: Sequence[tuple[bytes, int]]
    profile: bytes


def read_layout(data: bytes) -> Layout:
    """The layout that the beginning of a file describes; Refused where it is none."""
    try:
        return _read(data)
    except (struct.error, IndexError, KeyError, StopIteration) as error:
        raise Refused("corrupt", f"its boxes are broken: {type(error).__name__}") from None


def _read(data: bytes) -> Layout:
    meta = dict(_boxes(_find(data, b"meta")[4:]))
    primary = _number(meta[b"pitm"], 4, 2 if meta[b"pitm"][0] == 0 else 4)
    properties = _properties_of(meta[b"iprp"], primary)
    kinds = [kind for kind, _ in properties]
    if not _UNKNOWN.isdisjoint(kinds):
        raise Refused("unsupported_type", "a picture that is put together in a way we don't know")
    ispe = next(body for kind, body in properties if kind == b"ispe")
    width, height = struct.unpack_from(">II", ispe, 4)
    tiles = _tiles_of(meta.get(b"iref", b""), primary) or [primary]
    if len(tiles) > _MOST_TILES:
        raise Refused("too_many_layers", f"{len(tiles)} pieces, at most {_MOST_TILES}")
    turns = [(kind, body[0] & 3) for kind, body in properties if kind in (b"irot", b"imir")]
    profiles = [body[4:] for kind, body in properties if kind == b"colr" and body[:4] in (b"prof", b"rICC")]
    return Layout(tiles, width, height, turns, profiles[0] if profiles else b"")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = len(data) if size == 0 else at + size
        if end < at + head:
            return
        yield kind, data[at + head : end]
        at = end


def _find(data: bytes, wanted: bytes) -> bytes:
    return next(body for kind, body in _boxes(data) if kind == wanted)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big")


def _tiles_of(iref: bytes, primary: int) -> list[int]:
    if not iref:
        return []
    size = 2 if iref[0] == 0 else 4
    for kind, body in _boxes(iref[4:]):
        if kind == b"dimg" and _number(body, 0, size) == primary:
            count = _number(body, size, 2)
            return [_number(body, size + 2 + size * place, size) for place in range(count)]
    return []


def _properties_of(iprp: bytes, item: int) -> list[tuple[bytes, bytes]]:
    inner = list(_boxes(iprp))
    known = [one for kind, body in inner if kind == b"ipco" for one in _boxes(body)]
    for kind, body in inner:
        if kind != b"ipma":
            continue
        id_size, wide, at = 2 if body[0] == 0 else 4, body[3] & 1, 8
        for _ in range(_number(body, 4, 4)):
            owner, count = _number(body, at, id_size), _number(body, at + id_size, 1)
            at += id_size + 1
            if owner == item:
                step, mask = (2, 0x7FFF) if wide else (1, 0x7F)
                places = [_number(body, at + step * place, step) & mask for place in range(count)]
                return [known[place - 1] for place in places if place]
            at += count * (2 if wide else 1)
    raise KeyError(item)
