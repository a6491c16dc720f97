"""Head and body of an answer leave in one piece."""

import asyncio
from typing import Any

from phiomia.platform.held import HeldTransport


class _Wire:
    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []
        self.ended = ""

    def writelines(self, pieces: list[bytes]) -> None:
        self.sent.append(pieces)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)


def _play(scene: Any) -> _Wire:
    async def run() -> _Wire:
        wire: Any = _Wire()
        await scene(HeldTransport(wire, asyncio.get_running_loop()), wire)
        return wire  # type: ignore[no-any-return]

    return asyncio.run(run())


def test_head_and_body_are_sent_together() -> None:
    async def scene(held: HeldTransport, wire: _Wire) -> None:
        held.write(b"head")
        held.write(b"body")
        assert wire.sent == []
        held.flush()
        held.flush()

    assert _play(scene).sent == [[b"head", b"body"]]


def test_a_head_alone_does_not_wait_for_long() -> None:
    async def scene(held: HeldTransport, _wire: _Wire) -> None:
        held.write(b"head")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        held.write(b"part")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert _play(scene).sent == [[b"head"], [b"part"]]


def test_much_is_passed_on_at_once() -> None:
    async def scene(held: HeldTransport, wire: _Wire) -> None:
        held.write(b"head")
        held.write(b"x" * 100_000)
        assert len(wire.sent) == 1

    assert len(_play(scene).sent) == 1


def test_closing_sends_what_is_held_and_aborting_does_not() -> None:
    async def close(held: HeldTransport, _wire: _Wire) -> None:
        held.write(b"last")
        held.close()
        assert held.is_closing()

    async def abort(held: HeldTransport, _wire: _Wire) -> None:
        held.write(b"last")
        held.abort()

    closed, aborted = _play(close), _play(abort)
    assert (closed.sent, closed.ended) == ([[b"last"]], "closed")
    assert (aborted.sent, aborted.ended) == ([], "aborted")
