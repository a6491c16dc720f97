"""`phiomia media` on real files: what they take, what goes, and the way into a bucket and back."""

from __future__ import annotations

import secrets
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from .test_commands import Shell


def test_usage_budget_and_removal(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("accounts", "create", "alice", "--email", "alice@example.org", "--confirmed")
    used = shell("media", "usage")
    assert "attachments of members" in used and "avatars and headers of members" in used
    assert shell("media", "budget", "--dry-run").startswith("Copies take 0 B of 10.7 GB")
    assert shell("media", "remove", "--days", "0", "--dry-run").startswith("0 copies")
    assert shell("media", "remove", "--host", "far.example", "--orphans").startswith("0 copies")
    assert shell("media", "refresh", "--days", "3", "--dry-run").startswith("0 attachments would be fetched")
    shell("media", "remove", status=2)
    shell("media", "refresh", status=2)


def test_files_move_into_a_bucket_and_back(tmp_path: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint, name = f"http://{host}:{port}", f"bucket-{secrets.token_hex(4)}"
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=name)
        shell = Shell(
            tmp_path,
            PHIOMIA_MEDIA_S3_BUCKET=name,
            PHIOMIA_MEDIA_S3_ENDPOINT=endpoint,
            PHIOMIA_MEDIA_S3_ACCESS_KEY="key",
            PHIOMIA_MEDIA_S3_SECRET_KEY="secret",
        )
        shell("accounts", "create", "alice", "--email", "alice@example.org", "--confirmed")
        file = tmp_path / "var" / "media" / "accounts" / "avatars" / "001" / "a.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"picture")
        there, back = (
            ("media", "move", "--from", "disk", "--to", "s3"),
            ("media", "move", "--from", "s3", "--to", "disk"),
        )
        assert shell(*there, "--dry-run") == "1 files (7 B) would be copied.\n"
        assert shell(*there, "--delete") == "1 files (7 B) were copied.\n"
        assert not file.exists()
        assert shell(*there).startswith("0 files")
        assert shell(*back).startswith("1 files")
        assert file.read_bytes() == b"picture"
        assert shell(*back).startswith("0 files")
    finally:
        server.stop()
