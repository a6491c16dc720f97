"""What the jail is asked for and what it hands back."""

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from phiomia.platform import limits

# `remote` is an attachment of another server: never encoded again when it is a film.
Kind = Literal["attachment", "avatar", "header", "emoji", "remote"]
Reason = Literal[
    "unsupported_type",
    "too_many_pixels",
    "too_many_layers",
    "too_large",
    "too_long",
    "too_fast",
    "as_it_is",
    "corrupt",
    "timeout",
    "crashed",
]

EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/mpeg": "mp3",
}


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
    seconds: int = limits.FILM_SECONDS
    film_pixels: int = limits.VIDEO_PIXELS
    film_frames: int = limits.VIDEO_FRAMES
    frame_rate: int = limits.VIDEO_FRAME_RATE
    output_film_pixels: int = 1920 * 1080


FILM_LIMITS: Final = ImageLimits(
    source_bytes=limits.VIDEO_BYTES,
    wall_seconds=1_800.0,
    cpu_seconds=1_800,
    memory_bytes=2048 * 1024 * 1024,
    written_bytes=limits.VIDEO_BYTES,
)
REMOTE_FILM_LIMITS: Final = ImageLimits(
    source_bytes=limits.VIDEO_BYTES, memory_bytes=2048 * 1024 * 1024, written_bytes=limits.VIDEO_BYTES
)
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


class Film(Struct, frozen=True):
    """What is known of a film, a moving picture or a sound. `peaks` is the loudness of a sound in parts, 0 to 100."""

    kind: Literal["video", "gifv", "audio"]
    seconds: Annotated[float, Meta(ge=0)]
    bitrate: Annotated[int, Meta(ge=0)]
    frame_rate: Annotated[str, Meta(pattern=r"^(\d{1,9}/\d{1,9})?$")] = ""
    audio_codec: Annotated[str, Meta(max_length=40)] = ""
    audio_rate: int = 0
    audio_channels: Annotated[str, Meta(max_length=40)] = ""
    peaks: Annotated[tuple[int, ...], Meta(max_length=100)] = ()


class ImageResult(Struct, frozen=True):
    """A picture made safe: freshly encoded, upright, in sRGB, without metadata.

    `thumbnail` and `blurhash` are made for attachments, `static` (a still PNG) for animated avatars and headers.
    """

    original: Picture
    thumbnail: Picture | None
    static: Picture | None
    blurhash: str | None
    animated: bool
    film: Film | None = None


class JailError(Exception):
    """Why no picture came out: `reason` is for programs, the message for logs."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason: Reason = reason
        self.message = message
