"""Files in a bucket, on a server that speaks the protocol of S3."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from phiomia.platform.object_storage import ObjectStorage
from phiomia.platform.settings import Media
from phiomia.platform.storage import Usage, media_key


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(endpoint: str) -> Media:
    """Settings of a bucket of its own."""
    import boto3

    name = f"bucket-{secrets.token_hex(4)}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=name)
    return Media(
        storage="s3", s3_bucket=name, s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret", s3_prefix="pre"
    )


def test_files_come_and_go(settings: Media, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(bytes(range(256)) * 10)
    key = media_key("attachment", 7, "original", "mp4")

    async def work() -> None:
        storage = ObjectStorage(settings, "https://cdn.example/")
        assert storage.url(key) == f"https://cdn.example/{key}" and storage.path(key) is None
        assert await storage.size(key) is None
        await storage.put(key, source, "video/mp4")
        assert await storage.size(key) == 2_560
        part = b"".join([piece async for piece in storage.stream(key, 250, 260)])
        assert part == bytes((*range(250, 256), *range(4)))
        assert [found async for found in storage.walk()] == [(key, 2_560)]
        assert await storage.usage() == Usage(1, 2_560)
        for _ in range(2):
            await storage.delete(key)
        assert await storage.usage() == Usage(0, 0)
        with pytest.raises(FileNotFoundError):
            _ = [piece async for piece in storage.stream(key, 0, 1)]
        for bad in ("../a", "/a/b", "a"):
            with pytest.raises(ValueError):
                storage.url(bad)

    asyncio.run(work())
