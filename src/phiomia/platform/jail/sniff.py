"""Which format some bytes are, judged by the bytes alone."""

from typing import Final, Literal

Format = Literal["jpeg", "png", "gif", "webp", "heif"]
FilmFormat = Literal["mp4", "matroska", "ogg", "mp3", "wav", "flac", "aac", "asf"]

SNIFFED_BYTES: Final = 64
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"avif", b"avis"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIF_GENERIC: Final = frozenset({b"mif1", b"msf1", b"miaf"})
_FILMS: Final[tuple[tuple[bytes, FilmFormat], ...]] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)
_WEBP_MOVES: Final = 0b10
_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide"})


def sniff_format(head: bytes) -> Format | None:
    """The picture format that the first bytes of a file announce, or None for anything we do not decode as one."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return "heif" if _is_heif(head) else None


def may_move(head: bytes) -> bool:
    """Whether the picture that begins so may have several frames."""
    shown = sniff_format(head)
    if shown == "webp":
        return head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _WEBP_MOVES != 0
    return shown == "gif"


def may_be_hevc(head: bytes) -> bool:
    """Whether the picture that begins so may be coded as Apple's are: HEIF is, unless it says that it is AVIF."""
    return sniff_format(head) == "heif" and head[8:12] not in _AVIF_BRANDS


def sniff_film(head: bytes) -> FilmFormat | None:
    """The format of film or sound that the first bytes of a file announce, or None for anything else."""
    for beginning, format in _FILMS:
        if head.startswith(beginning):
            return format
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] in _BOXES and not _is_heif(head):
        return "mp4"
    return _sniff_frames(head)


def _sniff_frames(head: bytes) -> FilmFormat | None:
    """Sound without a container begins with eleven (twelve) bits that are set, then version and layer."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0:
        return "aac" if head[1] & 0xF0 == 0xF0 else None
    return "mp3" if layer == 1 and head[1] >> 3 & 3 != 1 and head[2] >> 4 != 15 else None


def _is_heif(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), SNIFFED_BYTES, len(head))
    compatible = {head[at : at + 4] for at in range(16, end - 3, 4)}
    major = head[8:12]
    return major in _HEIF_BRANDS or (major in _HEIF_GENERIC and not compatible.isdisjoint(_HEIF_BRANDS))
