"""Files are kept whole or not at all, under keys that cannot leave their place and cannot be guessed."""

import asyncio
import os
import re
import threading
from pathlib import Path

import pytest

from phiomia.platform import storage as storage_module
from phiomia.platform.storage import DiskStorage, Storage, Usage, check_key, media_key, safe_headers

KEY = "media_attachments/files/112/233/445/566/677/788/original/0123456789abcdef.jpg"


@pytest.fixture
def store(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "media", "https://example.org/system/")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"picture")
    return path


def test_a_stored_file_is_found_by_its_key(store: DiskStorage, source: Path) -> None:
    async def keep(kept: Storage) -> None:
        await kept.put(KEY, source, "image/jpeg")
        path = kept.path(KEY)
        assert path is not None and path.read_bytes() == b"picture"
        assert kept.url(KEY) == f"https://example.org/system/{KEY}"
        assert await kept.usage() == Usage(files=1, bytes=7)

    asyncio.run(keep(store))
    assert source.exists()


def test_deleting_takes_the_empty_directories_along_and_is_no_error_twice(
    store: DiskStorage, source: Path, tmp_path: Path
) -> None:
    neighbour = "media_attachments/files/112/999/original/a.jpg"

    async def keep_and_delete() -> None:
        await store.put(KEY, source, "image/jpeg")
        await store.put(neighbour, source, "image/jpeg")
        await store.delete(KEY)
        await store.delete(KEY)

    asyncio.run(keep_and_delete())
    assert store.path(KEY) is None
    assert store.path(neighbour) is not None
    assert not (tmp_path / "media/media_attachments/files/112/233").exists()
    asyncio.run(store.delete(neighbour))
    assert not (tmp_path / "media/media_attachments").exists()
    assert (tmp_path / "media").exists()


def test_a_failed_write_leaves_nothing(
    store: DiskStorage, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage_module, "_sync", fail)
    with pytest.raises(OSError, match="No space"):
        asyncio.run(store.put(KEY, source, "image/jpeg"))
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_a_reader_never_sees_half_a_file(store: DiskStorage, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 8_000_000)
    seen = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if path := store.path(KEY):
                seen.add(path.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    asyncio.run(store.put(KEY, big, "image/jpeg"))
    done.set()
    watcher.join()
    assert seen <= {8_000_000}


def test_what_an_interrupted_write_left_is_discarded_when_it_is_old(store: DiskStorage, tmp_path: Path) -> None:
    left = tmp_path / "media/.unfinished"
    left.mkdir(parents=True)
    (left / "old").write_bytes(b"half")
    (left / "young").write_bytes(b"half")
    os.utime(left / "old", (0, 0))
    assert asyncio.run(store.usage()) == Usage(0, 0)
    assert asyncio.run(store.discard_unfinished()) == 1
    assert [path.name for path in left.iterdir()] == ["young"]


def test_putting_and_deleting_next_door_do_not_disturb_each_other(store: DiskStorage, source: Path) -> None:
    async def churn() -> None:
        for _ in range(10):
            await asyncio.gather(store.put("a/b/c/one", source, "x"), store.delete("a/b/c/two"))
            assert store.path("a/b/c/one")
            await asyncio.gather(store.put("a/b/c/two", source, "x"), store.delete("a/b/c/one"))
            assert store.path("a/b/c/two")

    asyncio.run(churn())


@pytest.mark.parametrize(
    "key",
    [
        "",
        "plain",
        "/etc/passwd",
        "a/../b",
        "../a/b",
        "a/..",
        "a/./b",
        "a//b",
        "a/b/",
        "a/.hidden",
        ".unfinished/a",
        "a/b\n",
        "a/b\0",
        "a\\b/c",
        "a/b c",
        "a/é",
        "a/%2e%2e",
        "a/" + "b" * 300,
    ],
)
def test_keys_that_could_leave_their_place_are_refused(store: DiskStorage, source: Path, key: str) -> None:
    for use in (store.url, store.path, check_key):
        with pytest.raises(ValueError, match="not a storage key"):
            use(key)
    for write in (lambda: store.put(key, source, "image/jpeg"), lambda: store.delete(key)):
        with pytest.raises(ValueError, match="not a storage key"):
            asyncio.run(write())


def test_media_keys_are_spread_and_cannot_be_guessed() -> None:
    key = media_key("attachment", 112233445566677788, "original", "jpg")
    assert re.fullmatch(r"media_attachments/files/112/233/445/566/677/788/original/[0-9a-f]{16}\.jpg", key)
    assert len({media_key("attachment", 1, "small", "png") for _ in range(100)}) == 100
    assert media_key("avatar", 7, "static", "png").startswith("accounts/avatars/000/000/000/000/000/007/static/")
    assert media_key("header", 7, "original", "png").startswith("accounts/headers/")
    assert media_key("emoji", 7, "original", "png", cached=True).startswith("cache/custom_emojis/images/")
    assert "/001/234/567/890/123/456/789/" in media_key("avatar", 1234567890123456789, "original", "png")


@pytest.mark.parametrize(
    ("id", "variant", "extension"), [(-1, "a", "b"), (1, "../x", "jpg"), (1, "a", "j/../g"), (1, "a", "")]
)
def test_media_keys_refuse_odd_parts(id: int, variant: str, extension: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        media_key("attachment", id, variant, extension)


def test_pictures_are_shown_and_nothing_in_them_may_run() -> None:
    assert dict(safe_headers("image/png")) == {
        "Content-Type": "image/png",
        "Content-Disposition": "inline",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "application/pdf",
        "text/javascript",
        "",
        "image/png\r\nX: y",
    ],
)
def test_everything_else_is_only_for_saving(content_type: str) -> None:
    headers = dict(safe_headers(content_type))
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == "attachment"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_parameters_and_case_of_a_content_type_do_not_matter() -> None:
    assert dict(safe_headers("Image/JPEG; charset=x"))["Content-Type"] == "image/jpeg"
