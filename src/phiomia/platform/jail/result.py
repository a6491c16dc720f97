"""What the jail is asked for and what it hands back."""

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from phiomia.platform import limits

Kind = Literal["attachment", "avatar", "header"]
Reason = Literal["unsupported_type", "too_many_pixels", "too_large", "corrupt", "timeout", "crashed"]

EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}


class ImageLimits(Struct, frozen=True):
    """How much one picture may cost; the defaults suit a small server."""

    source_bytes: int = limits.IMAGE_BYTES
    pixels: int = limits.IMAGE_PIXELS
    frames: int = 1_000
    animation_pixels: int = 150_000_000
    output_pixels: int = 3840 * 2160
    output_frame_pixels: int = 1280 * 720
    output_animation_pixels: int = 20_000_000
    thumbnail_pixels: int = 640 * 360
    wall_seconds: float = 45.0
    cpu_seconds: int = 30
    memory_bytes: int = 1536 * 1024 * 1024
    written_bytes: int = 64 * 1024 * 1024


AVATAR_LIMITS: Final = ImageLimits(source_bytes=limits.AVATAR_BYTES)
HEADER_LIMITS: Final = ImageLimits(source_bytes=limits.HEADER_BYTES)


class Picture(Struct, frozen=True):
    """One encoded picture on disk."""

    path: Path
    width: int
    height: int
    bytes: int
    content_type: str
    extension: str


class ImageResult(Struct, frozen=True):
    """A picture made safe: freshly encoded, upright, in sRGB, without metadata.

    `thumbnail` and `blurhash` are made for attachments, `static` (a still PNG) for animated avatars and headers.
    """

    original: Picture
    thumbnail: Picture | None
    static: Picture | None
    blurhash: str | None
    animated: bool


class JailError(Exception):
    """Why no picture came out: `reason` is for programs, the message for logs."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason: Reason = reason
        self.message = message
