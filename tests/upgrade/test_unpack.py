"""Archives of git's, with and without what newer versions of Python know of dangerous ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from phiomia.upgrade.unpack import unpack


@pytest.fixture(params=["with filters", "without filters"])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is as old as that of Debian 12."""
    if request.param == "without filters":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def packed(name: str, *, link: str = "", kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE if link else kind, link, 0o664
        member.size = 0 if link or kind != tarfile.REGTYPE else 4
        archive.addfile(member, io.BytesIO(b"text"))
    return file.getvalue()


@pytest.mark.usefixtures("python")
def test_files_and_links_within(tmp_path: Path) -> None:
    unpack(packed("a/b.txt"), tmp_path)
    unpack(packed("a/c.txt", link="../a/b.txt"), tmp_path)
    assert (tmp_path / "a/c.txt").read_text() == "text"
    assert (tmp_path / "a/b.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize(
    "archive",
    [
        packed("../out"),
        packed("a/../../out"),
        packed("a", link="../out"),
        packed("a/b", link="/etc/passwd"),
        packed("a", kind=tarfile.FIFOTYPE),
    ],
    ids=["name", "way", "link", "root", "pipe"],
)
def test_nothing_lies_elsewhere(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(tarfile.TarError):
        unpack(archive, tmp_path / "in")
    assert list((tmp_path / "in").rglob("*")) == []
    assert [one.name for one in tmp_path.iterdir()] == ["in"]
