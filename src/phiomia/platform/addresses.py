"""Who is at the other end of a connection, behind however many proxies of ours."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache


def client_address(remote: str, forwarded: str | None, trusted: Sequence[str]) -> str:
    """The nearest address in front of the trusted proxies. `forwarded` is the header X-Forwarded-For."""
    networks = tuple(trusted)
    if not forwarded or not _is_trusted(remote, networks):
        return remote
    address = remote
    for hop in reversed([part.strip() for part in forwarded.split(",")]):
        address = hop
        if not _is_trusted(hop, networks):
            break
    return address


def is_trusted(remote: str, trusted: Sequence[str]) -> bool:
    """Whether what this neighbour says about a request is believed."""
    return _is_trusted(remote, tuple(trusted))


def network_of(address: str) -> str:
    """What clients are counted by: an IPv4 address, or the /64 of an IPv6 one, which one household has to itself."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    except ValueError:
        return address


@lru_cache(maxsize=4096)
def _is_trusted(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)
