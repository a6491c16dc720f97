"""The storage that the settings ask for."""

from phiomia.platform.config import Config
from phiomia.platform.storage import DiskStorage, Storage


def open_storage(config: Config, kind: str | None = None) -> Storage:
    """The storage of the settings, or the one of the other kind: `disk` or `s3`."""
    here = f"{config.base_url}/media"
    if (kind or config.media.storage) == "disk":
        return DiskStorage(config.data_dir / "media", here)
    from phiomia.platform.object_storage import ObjectStorage

    return ObjectStorage(config.media, config.media.public_url or here)


def readable_storages(config: Config, storage: Storage) -> tuple[Storage, ...]:
    """Where a file may lie: the storage, and while files are on their way to a bucket, still the disk."""
    return (storage,) if isinstance(storage, DiskStorage) else (storage, open_storage(config, "disk"))
