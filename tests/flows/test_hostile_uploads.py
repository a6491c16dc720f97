"""Uploads that are no good, or far too much: each is refused, and nothing of it stays on disk or keeps running."""

from __future__ import annotations

import io
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
import requests

from films import make_film
from phiomia.platform import limits
from server import PATIENCE, Member, RunningServer

TEN_GB = 10 * 1024**3
SCRIPT = b"<html><script>alert(1)</script>PK\x03\x04 payload.zip"
DATABASE = "phiomia.sqlite3"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with nothing in it but what is uploaded."""
    with RunningServer(tmp_path_factory.mktemp("uploads")) as running:
        yield running


def test_what_is_no_good_is_refused_and_leaves_nothing(server: RunningServer) -> None:
    alice = server.sign_up("alice")
    before = files_of(server)
    for name, (kind, content) in hostile_files().items():
        answer = upload(server, alice, content, kind)
        assert answer.status_code == 422, f"{name}: {answer.status_code} {answer.text}"
        assert answer.json()["error"].startswith("Validation failed: File"), f"{name}: {answer.text}"
    nothing_is_left(server, before)
    assert requests.get(f"{server.url}/health/ready", timeout=PATIENCE).ok


def hostile_files() -> dict[str, tuple[str, bytes]]:
    """By what is wrong with it: the type it is said to have, and the bytes."""
    picture, film = draw_png(64, 48), make_film()
    return {
        "nothing at all": ("image/png", b""),
        "a truncated picture": ("image/png", picture[: len(picture) // 2]),
        "a truncated film": ("video/mp4", film[: len(film) // 2]),
        "a film renamed to a picture": ("image/png", film),
        "a picture renamed to a film": ("video/mp4", picture),
        "a page renamed to a picture": ("image/gif", SCRIPT),
        "a script that begins like a picture": ("image/gif", b"GIF89a/*" + SCRIPT + b"*/=1;"),
        "a drawing with a script": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        "a list of other files": ("video/mp4", b"#EXTM3U\nfile:///etc/passwd\n"),
        "a bomb of pixels": ("image/png", draw_png(64, 48, claimed=(50_000, 50_000))),
        "a bomb of frames": ("image/gif", draw_gif(frames=1_001)),
        "a bomb of duration": ("video/webm", make_long_film(limits.FILM_SECONDS + 60)),
        "a bomb of layers": ("video/webm", make_layers(13)),
    }


def test_what_hangs_on_a_picture_is_not_served(server: RunningServer) -> None:
    alice = server.sign_up("alice")
    before = files_of(server)
    answer = upload(server, alice, draw_png(64, 48) + SCRIPT, "image/png")
    assert answer.status_code == 200, answer.text
    for address in (answer.json()["url"], answer.json()["preview_url"]):
        served = requests.get(address, timeout=PATIENCE)
        assert served.ok and served.headers["Content-Type"].startswith("image/")
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert b"script" not in served.content and b"payload" not in served.content
    gone = requests.delete(f"{server.url}/api/v1/media/{answer.json()['id']}", headers=alice.headers, timeout=PATIENCE)
    assert gone.ok
    nothing_is_left(server, before)


def test_ten_gigabytes_are_refused_before_they_come(server: RunningServer) -> None:
    alice = server.sign_up("alice")
    before = files_of(server)
    for path in ("/api/v2/media", "/api/v1/media", "/api/v1/accounts/update_credentials", "/api/v1/statuses"):
        method = "PATCH" if path.endswith("credentials") else "POST"
        # No more of the body than this is ever sent, so that the answer can't have waited for it.
        status = speak(server, alice, f"{method} {path}", {"Content-Length": str(TEN_GB)}, [part_head()])
        assert status == 413, f"{path}: {status}"
    nothing_is_left(server, before)


def test_what_does_not_say_how_large_it_is_ends_at_the_limit(server: RunningServer) -> None:
    alice = server.sign_up("alice")
    before = files_of(server)
    mebibyte = bytes(1024 * 1024)
    pieces = [part_head(), *[mebibyte] * (limits.VIDEO_BYTES // len(mebibyte) + 2)]
    chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    assert speak(server, alice, "POST /api/v2/media", {"Transfer-Encoding": "chunked"}, chunks) == 413
    # And one that hangs up in the middle, unanswered.
    assert (
        speak(server, alice, "POST /api/v2/media", {"Content-Length": "5000000"}, [part_head(), mebibyte], False) == 0
    )
    nothing_is_left(server, before)


def upload(server: RunningServer, member: Member, content: bytes, kind: str) -> requests.Response:
    """The older endpoint, which answers when it knows what became of the file."""
    files = {"file": ("holiday", content, kind)}
    return requests.post(f"{server.url}/api/v1/media", files=files, headers=member.headers, timeout=2 * PATIENCE)


def part_head() -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: video/mp4\r\n\r\n'


def speak(
    server: RunningServer, member: Member, line: str, headers: dict[str, str], pieces: list[bytes], stays: bool = True
) -> int:
    """The status that a request gets which may never be sent whole; 0 for none."""
    sent = {"Host": server.bind, "Content-Type": "multipart/form-data; boundary=x", **member.headers, **headers}
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        connection.sendall(f"{line} HTTP/1.1\r\n{head}\r\n".encode())
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        if not stays:
            return 0
        answer = connection.recv(64)
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split()[1])


def files_of(server: RunningServer) -> set[Path]:
    """Every file in the data directory except those that are the server's own."""
    ours = {"run", "log"}
    found = (path for path in server.data.rglob("*") if path.is_file() and not path.name.startswith(DATABASE))
    return {path for path in found if path.relative_to(server.data).parts[0] not in ours}


def nothing_is_left(server: RunningServer, before: set[Path]) -> None:
    """Waits until neither a file nor a decoder is left of what was sent."""
    server.until(lambda: not decoders(server), "no decoder is left")
    server.until(lambda: files_of(server) <= before, "no file is left")


def decoders(server: RunningServer) -> list[str]:
    """The children of the server's processes that decode."""
    parents = {str(child["pid"]) for child in server.status["children"]}
    listed = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "jail.decode" in line and line.split()[0] in parents]


def draw_png(width: int, height: int, claimed: tuple[int, int] | None = None) -> bytes:
    """A picture, which may claim to be larger than it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * 3 % 256, y * 5 % 256, 90) * 1)[:3] * width for y in range(height) for x in (y,))
    header = struct.pack(">IIBBBBB", *(claimed or (width, height)), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def draw_gif(frames: int) -> bytes:
    """Many frames of one point each."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"\x21\xf9\x04\0\1\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def make_long_film(seconds: int) -> bytes:
    """Two pictures with a long time between them."""

    def play(out: Any) -> None:
        stream = out.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for moment in (0, seconds):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = moment * 1_000, Fraction(1, 1_000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    return _write_webm(play)


def make_layers(count: int) -> bytes:
    """Many sounds at once."""

    def play(out: Any) -> None:
        streams = [out.add_stream("libopus", rate=48_000) for _ in range(count)]
        for stream in streams:
            frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
            frame.planes[0].update(bytes(960 * 4))
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

    return _write_webm(play)


def _write_webm(play: Callable[[Any], None]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as out:
        play(out)
    return file.getvalue()
