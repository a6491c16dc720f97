"""Unpacks what git has packed, on every Python that the server runs on. Standard library only."""

import io
import tarfile
from pathlib import Path, PurePosixPath


def unpack(packed: bytes, to: Path) -> None:
    """Puts the files of an archive into a directory. Raises tarfile.TarError when one would lie elsewhere."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(to, filter="data")
            return
        # Python knows filters from 3.11.4 on, and Debian 12 has 3.11.2.
        archive.extractall(to, members=[_checked(member) for member in archive])  # noqa: S202 (they are)


def _checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    path = PurePosixPath(member.name)
    inner = path.parent / member.linkname if member.issym() else path
    if path.is_absolute() or not (member.isfile() or member.isdir() or member.issym()) or _leaves(inner):
        raise tarfile.ExtractError(f"{member.name} does not belong into a release")
    member.mode &= 0o755
    return member


def _leaves(path: PurePosixPath) -> bool:
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0 or part == "/":
            return True
    return False
