"""The server's side of the jail: starts the child, waits with a time-out, checks what it claims, clears up."""

import asyncio
import os
import secrets
import shutil
import signal
import stat
import sys
from asyncio.subprocess import Process
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Annotated, BinaryIO, Final, Literal
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta, Struct

from phiomia.platform.jail.result import (
    EXTENSIONS,
    FILM_LIMITS,
    Film,
    ImageLimits,
    ImageResult,
    JailError,
    Kind,
    Picture,
    Reason,
)
from phiomia.platform.jail.sniff import SNIFFED_BYTES, sniff_film, sniff_format

CHILDREN: Final = 2
_ANSWER_BYTES: Final = 16_384
_ERRORS_SHOWN: Final = 500
_COMMAND: Final = ("-I", "-X", "utf8", "-m", "phiomia.platform.jail.decode")
# Nothing of the server's environment: it may hold secrets. Intermediate images stay in (bounded) memory.
_ENVIRONMENT: Final = {
    "VIPS_BLOCK_UNTRUSTED": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_DISC_THRESHOLD": "8g",
    "MALLOC_ARENA_MAX": "2",
}

_Side = Annotated[int, Meta(ge=1, le=65_535)]
_Focus = tuple[float, float]
_seats: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
# Of their own: pictures don't wait until a film is encoded.
_films: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["original", "thumbnail", "static"]
    content_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "audio/mpeg"]
    width: _Side
    height: _Side


class _Done(Struct, frozen=True, forbid_unknown_fields=True, tag_field="outcome", tag="done"):
    written: Annotated[tuple[_Written, ...], Meta(min_length=1, max_length=3)]
    blurhash: Annotated[str, Meta(pattern=r"^[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,64}$")] | None
    animated: bool
    film: Film | None = None


class _Refused(Struct, frozen=True, forbid_unknown_fields=True, tag_field="outcome", tag="refused"):
    reason: Reason
    message: Annotated[str, Meta(max_length=1_000)]


_answer: Final = msgspec.json.Decoder(_Done | _Refused)


async def process_image(
    source: Path,
    *,
    kind: Kind,
    out_dir: Path,
    focus: _Focus = (0.0, 0.0),
    limits: ImageLimits | None = None,
) -> ImageResult:
    """A safe copy of the picture in `source`, written into `out_dir` under fresh names, or JailError.

    `focus` is the point to keep when cropping, each axis from -1 (left, bottom) to 1 (right, top).
    """
    is_film = kind in ("attachment", "remote") and await asyncio.to_thread(_is_film, source)
    limits = limits or (FILM_LIMITS if is_film else ImageLimits())
    await asyncio.to_thread(_check_size, source, limits.source_bytes)
    async with _seat(_films if is_film else _seats):
        # Here and below a few quick file operations are not sent to a thread, so that a cancellation in between
        # cannot leave anything lying about.
        scratch = Path(mkdtemp(prefix=".jail-", dir=out_dir))
        try:
            answer = await _run_child(source, scratch, kind, focus, limits)
            if isinstance(answer, _Refused):
                raise JailError(answer.reason, answer.message)
            return _accept(answer, scratch, out_dir)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def is_film_under_way() -> bool:
    """Whether the next film would have to wait."""
    return _seat(_films).locked()


def _seat(seats: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]) -> asyncio.Semaphore:
    count = CHILDREN if seats is _seats else 1
    return seats.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(count))


def _is_film(source: Path) -> bool:
    with open(source, "rb") as file:
        head = file.read(SNIFFED_BYTES)
    return sniff_format(head) is None and sniff_film(head) is not None


def _check_size(source: Path, most: int) -> None:
    size = source.stat().st_size
    if size > most:
        raise JailError("too_large", f"{size} bytes, at most {most} are accepted")
    if size == 0:
        raise JailError("unsupported_type", "the file is empty")


async def _run_child(source: Path, scratch: Path, kind: Kind, focus: _Focus, limits: ImageLimits) -> _Done | _Refused:
    # Files, not pipes: they need no reader that a child could hold up or flood.
    with TemporaryFile(dir=scratch) as asked, TemporaryFile(dir=scratch) as said, TemporaryFile(dir=scratch) as errors:
        asked.write(_request(source, scratch, kind, focus, limits))
        asked.seek(0)
        status = await _run_to_end(asked, said, errors, limits.wall_seconds)
        if status != 0:
            raise _explain_exit(status, errors)
        return _read_answer(said)


async def _run_to_end(asked: BinaryIO, said: BinaryIO, errors: BinaryIO, seconds: float) -> int:
    child = await _start_child(asked, said, errors)
    try:
        async with asyncio.timeout(seconds):
            return await child.wait()
    except TimeoutError:
        raise JailError("timeout", f"not finished after {seconds} s") from None
    finally:
        await _end(child)


def _request(source: Path, scratch: Path, kind: Kind, focus: _Focus, limits: ImageLimits) -> bytes:
    paths = {"source": str(source.absolute()), "out_dir": str(scratch.absolute())}
    return msgspec.json.encode({**paths, "kind": kind, "focus": focus, "limits": limits})


async def _start_child(asked: BinaryIO, said: BinaryIO, errors: BinaryIO) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *_COMMAND,
        stdin=asked,
        stdout=said,
        stderr=errors,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )


async def _end(child: Process) -> None:
    if child.returncode is not None:
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await child.wait()


def _read_answer(said: BinaryIO) -> _Done | _Refused:
    said.seek(0)
    try:
        answer: _Done | _Refused = _answer.decode(said.read(_ANSWER_BYTES))
    except msgspec.DecodeError as error:
        raise JailError("crashed", f"unintelligible answer: {error}") from None
    return answer


def _explain_exit(status: int, errors: BinaryIO) -> JailError:
    if status == -signal.SIGXCPU:
        return JailError("timeout", "the processor time is used up")
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _ERRORS_SHOWN))
    said = errors.read().decode(errors="replace").strip()
    return JailError("crashed", f"the decoder ended with status {status}: {said}")


def _accept(answer: _Done, scratch: Path, out_dir: Path) -> ImageResult:
    """The result with its files moved out of the child's reach, each checked to be what the child claims."""
    token = secrets.token_hex(8)
    moved: dict[str, Picture] = {}
    try:
        for written in answer.written:
            moved[written.name] = _move(written, scratch, out_dir, token)
        if "original" not in moved:
            raise JailError("crashed", "the decoder wrote no original")
    except BaseException:
        for picture in moved.values():
            picture.path.unlink(missing_ok=True)
        raise
    return ImageResult(
        original=moved["original"],
        thumbnail=moved.get("thumbnail"),
        static=moved.get("static"),
        blurhash=answer.blurhash,
        animated=answer.animated,
        film=answer.film,
    )


def _move(written: _Written, scratch: Path, out_dir: Path, token: str) -> Picture:
    size = _check_written(scratch / written.name, written.content_type)
    extension = EXTENSIONS[written.content_type]
    path = out_dir / f"{token}-{written.name}.{extension}"
    os.rename(scratch / written.name, path)
    return Picture(
        path=path,
        width=written.width,
        height=written.height,
        bytes=size,
        content_type=written.content_type,
        extension=extension,
    )


def _check_written(path: Path, content_type: str) -> int:
    # The child may be in a stranger's hands by now: no symbolic links, no other types, nothing missing.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise JailError("crashed", f"missing from the decoder's output: {error}") from None
    try:
        found = os.fstat(handle)
        regular = stat.S_ISREG(found.st_mode)
        if not regular or _type_of(os.read(handle, SNIFFED_BYTES)) != content_type:
            raise JailError("crashed", f"the decoder's output is no {content_type}")
        return found.st_size
    finally:
        os.close(handle)


def _type_of(head: bytes) -> str:
    shown = sniff_format(head)
    if shown is not None:
        return f"image/{shown}"
    return {"mp4": "video/mp4", "mp3": "audio/mpeg"}.get(sniff_film(head) or "", "")
