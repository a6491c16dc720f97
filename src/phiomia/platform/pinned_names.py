"""Names that are looked up in the settings instead of the name service: how tests let servers find each other."""

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver


class Place(NamedTuple):
    """Where a server is really reached."""

    address: str
    port: int


def read_pins(texts: Sequence[str]) -> dict[str, Place]:
    """`name=address:port` as a mapping; raises ValueError for anything else."""
    pins: dict[str, Place] = {}
    for text in texts:
        name, _, place = text.partition("=")
        address, _, port = place.rpartition(":")
        if not name or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} does not look like name=127.0.0.1:8443")
        pins[name.strip().lower()] = Place(str(ipaddress.ip_address(address.strip("[]"))), int(port))
    return pins


def resolver_of(pins: Mapping[str, Place]) -> "Callable[[], AbstractResolver]":
    """Makes resolvers that know these names and ask the name service for all others."""
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import ThreadedResolver

    class Pinned(AbstractResolver):
        def __init__(self) -> None:
            self._others = ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            place = pins.get(host.lower())
            if place is None:
                return await self._others.resolve(host, port, family)
            kind = socket.AF_INET6 if ":" in place.address else socket.AF_INET
            return [
                ResolveResult(
                    hostname=host,
                    host=place.address,
                    port=place.port,
                    family=kind,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST,
                )
            ]

        async def close(self) -> None:
            await self._others.close()

    return Pinned
