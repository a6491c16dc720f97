"""Where uploads wait until they are decoded: files named by the id of their row."""

from pathlib import Path

_FOLDER = "media"


def source_of(temporary: Path, media_id: int) -> Path:
    """The uploaded file."""
    return temporary / _FOLDER / str(media_id)


def thumbnail_of(temporary: Path, media_id: int) -> Path:
    """The preview that came with it, if any."""
    return temporary / _FOLDER / f"{media_id}.thumbnail"


def is_kept(file: Path) -> bool:
    """Whether the file is there."""
    return file.exists()


def forget_sources(temporary: Path, media_id: int) -> None:
    """Removes both."""
    source_of(temporary, media_id).unlink(missing_ok=True)
    thumbnail_of(temporary, media_id).unlink(missing_ok=True)
