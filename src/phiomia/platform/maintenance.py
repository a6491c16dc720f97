"""Answers every request with 503 and Retry-After, on sockets that nobody else serves at the moment.

A program of the supervisor (see `stand_in.py`): `python -m phiomia.platform.maintenance NOTICE`. NOTICE is the file in
which an upgrade says what goes on and until when; without it the words are general. Standard library only.
"""

import asyncio
import html
import json
import os
import signal
import socket
import sys
from pathlib import Path

from phiomia.platform.downtime import SOON_S, Notice, read_notice

HEAD_BYTES = 64 * 1024
HEAD_S = 10.0
# A body that nobody reads would break the connection before the answer was read.
BODY_BYTES = 64 * 1024 * 1024
BODY_S = 10.0
ACCEPTED_GRACE_S = 0.2
_USUAL = "This server can't answer at the moment. Please try again soon."
_OVER = b"\r\n\r\n"


def answer(head: bytes, notice: Notice) -> bytes:
    """The whole answer to a request that begins so."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    lines = [
        "HTTP/1.1 503 Service Unavailable",
        f"Retry-After: {notice.retry_after_s}",
        "Cache-Control: no-store",
        "Access-Control-Allow-Origin: *",
        "Connection: close",
    ]
    if wants_page(rest.partition(" ")[0], head):
        kind, body = "text/html; charset=utf-8", _page(notice)
    else:
        kind, body = "application/json; charset=utf-8", json.dumps({"error": notice.text}).encode()
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else body)


def wants_page(path: str, head: bytes) -> bool:
    """Whether a person is likely to look at the answer."""
    if path.startswith(("/api/", "/oauth/token", "/.well-known/", "/nodeinfo")):
        return False
    accepted = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"accept:")), b"")
    return b"text/html" in accepted


def _page(notice: Notice) -> bytes:
    text = html.escape(notice.text)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{notice.retry_after_s}"><title>Back soon</title>'
        "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}"
        "@media(prefers-color-scheme:dark){body{background:#181820;color:#eee}}</style>"
        f"<h1>Back soon</h1><p>{text}</p></html>"
    ).encode()


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path) -> None:
    """Reads a request, answers it, and lets its sender read that to the end."""
    try:
        head = await asyncio.wait_for(reader.readuntil(_OVER), HEAD_S)
        writer.write(answer(head, read_notice(path) or Notice(_USUAL, SOON_S)))
        await writer.drain()
        writer.write_eof()
        await asyncio.wait_for(_pass_over(reader), BODY_S)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # they have gone, or were no browser
    finally:
        writer.close()


async def _pass_over(reader: asyncio.StreamReader) -> None:
    left = BODY_BYTES
    while left > 0 and (data := await reader.read(64 * 1024)):
        left -= len(data)


async def serve(sockets: list[socket.socket], path: Path, ready_fd: int) -> None:
    """Answers on these sockets until told to end."""
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, enough.set)
    at_work: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(converse(reader, writer, path))
        at_work.add(task)
        task.add_done_callback(at_work.discard)

    servers = [await asyncio.start_server(begin, sock=sock, limit=HEAD_BYTES) for sock in sockets]
    if ready_fd >= 0:
        os.write(ready_fd, b"READY\n")
    await enough.wait()
    for sock in sockets:
        loop.remove_reader(sock)
    # A closed server forgets whoever it has just accepted.
    await asyncio.sleep(ACCEPTED_GRACE_S)
    for server in servers:
        server.close()
    if at_work:
        await asyncio.wait(at_work, timeout=BODY_S)


def main(path: Path) -> None:
    """Answers until told to end."""
    numbers = [int(number) for number in os.environ.get("PHIOMIA_LISTEN_FD", "").split(",") if number]
    sockets = [socket.socket(fileno=number) for number in numbers]
    for sock in sockets:
        sock.setblocking(False)
    asyncio.run(serve(sockets, path, int(os.environ.get("PHIOMIA_READY_FD", "-1"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
