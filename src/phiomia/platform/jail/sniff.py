"""Which picture format some bytes are, judged by the bytes alone."""

from typing import Final, Literal

Format = Literal["jpeg", "png", "gif", "webp", "heif"]

SNIFFED_BYTES: Final = 64
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"avif", b"avis"})
_HEIF_GENERIC: Final = frozenset({b"mif1", b"msf1", b"miaf"})


def sniff_format(head: bytes) -> Format | None:
    """The format that the first bytes of a file announce, or None for anything we do not decode."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return "heif" if _is_heif(head) else None


def _is_heif(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), SNIFFED_BYTES, len(head))
    compatible = {head[at : at + 4] for at in range(16, end - 3, 4)}
    major = head[8:12]
    return major in _HEIF_BRANDS or (major in _HEIF_GENERIC and not compatible.isdisjoint(_HEIF_BRANDS))
