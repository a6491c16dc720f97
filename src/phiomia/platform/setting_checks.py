"""Whether settings of the right kind make sense: what an address, a network or a name must look like."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from phiomia.platform.pinned_names import read_pins
from phiomia.platform.reachable import is_within, networks
from phiomia.platform.settings import Config
from phiomia.platform.unreachable import hide_password

# No scheme, no path, no @ and no space: it stands within handles. What is not ASCII may be written as such.
_HOST: Final = re.compile(r"[^\s/@:?#]+(:\d{1,5})?")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_DATABASES: Final = ("sqlite:", "postgresql:", "postgres:")
_BUSES: Final = ("redis://", "rediss://", "valkey://", "unix:", "local:")

# Which setting is wrong, and why.
Fault = tuple[tuple[str, ...], str]


def find_faults(config: Config) -> Iterator[Fault]:
    """What makes no sense, one after another."""
    yield from _look_at_binds(config)
    yield from _look_at_names(config)
    yield from _look_at_addresses(config)
    yield from _look_at_database(config)
    if config.bus.url and not config.bus.url.startswith(_BUSES):
        yield ("bus", "url"), "bus.url must begin with redis://, valkey://, unix: or local:."
    if config.media.storage == "s3" and not config.media.s3_bucket:
        yield ("media", "storage"), "media.storage is s3, so media.s3_bucket must name the bucket."
    yield from _look_at_networks(config)


def _look_at_binds(config: Config) -> Iterator[Fault]:
    binds = {
        ("bind",): config.bind,
        ("streaming_bind",): config.streaming_bind,
        ("processes", "worker_health_bind"): config.processes.worker_health_bind,
        ("processes", "streaming_health_bind"): config.processes.streaming_health_bind,
    }
    for place, bind in binds.items():
        if bind and not _is_host_port(bind):
            yield place, f"{'.'.join(place)} is {bind!r}; it must look like 127.0.0.1:3000."


def _look_at_names(config: Config) -> Iterator[Fault]:
    url, domain = config.public_url, config.local_domain
    if url and (not _is_web_address(url) or urlsplit(url).path.strip("/")):
        yield ("public_url",), f"public_url is {url!r}; it must look like https://social.example."
    if domain and not _HOST.fullmatch(domain):
        yield ("local_domain",), f"local_domain is {domain!r}; it must be a name alone, like example.org."
    for language in config.instance.languages:
        if not _LANGUAGE.fullmatch(language):
            yield ("instance", "languages"), f"instance.languages holds {language!r}, which is no code such as en."


def _look_at_addresses(config: Config) -> Iterator[Fault]:
    addresses = {
        ("instance", "source_url"): config.instance.source_url,
        ("media", "s3_endpoint"): config.media.s3_endpoint,
        ("media", "public_url"): config.media.public_url,
        ("translation", "url"): config.translation.url,
        ("upgrade", "feed"): config.upgrade.feed,
    }
    for place, url in addresses.items():
        if url and not _is_web_address(url):
            yield place, f"{'.'.join(place)} is {url!r}; it must be an address that begins with https:// or http://."
    mails = {("instance", "contact_email"): config.instance.contact_email, ("mail", "sender"): config.mail.sender}
    for place, mail in mails.items():
        if mail and "@" not in mail:
            yield place, f"{'.'.join(place)} is {mail!r}; it must be an e-mail address."


def _look_at_database(config: Config) -> Iterator[Fault]:
    url, place = config.database.url, ("database", "url")
    if url and not url.startswith(_DATABASES):
        yield place, "database.url must begin with sqlite:/// or postgresql://."
    try:
        # There may be several, of which the first that answers is taken.
        for one in urlsplit(url).netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{one}").port
    except ValueError as error:
        yield place, f"database.url is {hide_password(url)!r}, which can't be read: {str(error).rstrip('.')}."


def _look_at_networks(config: Config) -> Iterator[Fault]:
    for name in ("trusted_proxies", "allow_private"):
        for network in getattr(config, name):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                yield (name,), f"{name} holds {network!r}, which is not a network such as 10.0.0.0/8."
                return
    try:
        pins = read_pins(config.pinned_hosts)
    except ValueError as error:
        yield ("pinned_hosts",), f"pinned_hosts: {error}."
        return
    allowed = networks(config.allow_private)
    for name, place in pins.items():
        if not is_within(place.address, allowed):
            yield ("pinned_hosts",), f"pinned_hosts sends {name} to {place.address}, which is not in allow_private."


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"\s", url)


def _is_host_port(bind: str) -> bool:
    host, _, port = bind.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and int(port) < 65536
