"""Which addresses the server may connect to when a stranger named them."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` differs between versions of Python, so what must never be reached is also written down here.
_CLOSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks written as `address/bits`; raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet."""
    ip = _read(address)
    return ip is not None and ip.is_global and not any(ip in network for network in _CLOSED)


@lru_cache(maxsize=4096)
def is_within(address: str, allowed: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks."""
    ip = _read(address)
    return ip is not None and any(ip in network for network in allowed)


def _read(address: str) -> Address | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.scope_id is not None:
        return None
    # These carry an IPv4 address, and that is where a connection would end.
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip
