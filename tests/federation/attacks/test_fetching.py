"""Attacks on what we ask others: nobody makes us connect inside, ask without end, or remember without bounds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from phiomia.activitypub.signatures.knocks import Knocks, Scheme
from phiomia.domain.media.fetch_copy import NoCopy
from phiomia.federation.exchange import Exchange
from phiomia.federation.keys import AssertionKeys
from phiomia.federation.media import RemoteFiles
from phiomia.federation.restraint import Restraint
from phiomia.federation.unresolved import Unresolved
from phiomia.platform.http import FetchFailed

from ..fake_peer import FakePeer
from ..receiving import Here, receiving
from .ground import INSIDE, open_inside, say, with_walls

REFUSED = (Unresolved, FetchFailed, NoCopy)


def ways_out(exchange: Exchange, folder: Path) -> dict[str, Callable[[str], Awaitable[Any]]]:
    """Everything that asks an address which a stranger has named."""
    resolver, files = exchange.resolver, RemoteFiles(exchange.outside, exchange.rules)

    async def deliver(url: str) -> None:
        await exchange.outside.client.post(url, b"{}", await exchange.outside.signer())

    return {
        "an actor": resolver.account,
        "a status": resolver.status,
        "a document": resolver.document,
        "a page": resolver.collection_page,
        "what was typed": resolver.any,
        "a key": lambda url: exchange.keys(f"{url}#main-key", fresh=True),
        "a key of proofs": lambda url: AssertionKeys(exchange.documents)(f"{url}#ed25519", fresh=False),
        "a picture": lambda url: files.fetch(url, folder / "picture", 1_000),
        "a link": lambda url: exchange.outside.fetcher.fetch(url),
        "an inbox": deliver,
    }


@receiving
async def test_no_way_out_leads_inside(here: Here) -> None:
    async with open_inside() as inside:
        exchange = with_walls(here, inside)
        ways = ways_out(exchange, Path("/dev"))
        spellings = (INSIDE, f"{INSIDE}.", f"127.0.0.2:{inside.port}", f"127.2:{inside.port}",
                     f"0x7f000002:{inside.port}", f"[::ffff:127.0.0.2]:{inside.port}", f"[::1]:{inside.port}",
                     f"someone@{INSIDE}", f"{INSIDE}:22", f"{INSIDE}:6379", f"{INSIDE}:0")  # fmt: skip
        try:
            for name, ask in ways.items():
                for number, host in enumerate(spellings):
                    exchange.documents.restraint = Restraint()
                    try:
                        found = await ask(f"https://{host}/{name.replace(' ', '-')}/{number}")
                    except REFUSED:
                        continue
                    assert found is None, (name, host)
            with pytest.raises(Unresolved):
                await exchange.resolver.account_of_handle(f"x@{INSIDE}")
        finally:
            await exchange.close()
        assert inside.connections == 0


@receiving
async def test_redirects_and_other_forms_do_not_lead_inside(here: Here) -> None:
    peer = here.peer()
    async with open_inside() as inside:
        exchange = with_walls(here, inside)
        targets = (f"https://{INSIDE}/x", f"https://127.0.0.2:{inside.port}/x", "file:///etc/passwd",
                   "data:text/plain,x",
                   f"gopher://127.0.0.2:{inside.port}/x", f"http://127.0.0.2:{inside.port}/x", "https://127.0.0.1:22/",
                   "https://127.0.0.1:6379/", "//inside.example/x")  # fmt: skip
        try:
            for number, target in enumerate(targets):
                for status in (301, 302, 303, 307, 308):
                    peer.documents[f"/{number}/{status}"] = say(status=status, Location=target)
                    with pytest.raises(Unresolved):
                        await exchange.resolver.document(f"{peer.url}/{number}/{status}")
                    with pytest.raises(FetchFailed):
                        await exchange.outside.fetcher.fetch(f"{peer.url}/{number}/{status}")
                page = f'<link rel="alternate" type="application/activity+json" href="{target}">'.encode()
                peer.documents[f"/{number}/page"] = say(page, Content_Type="text/html")
                header = f'<{target}>; rel="alternate"; type="application/activity+json"'
                peer.documents[f"/{number}/header"] = say(b"", Content_Type="text/html", Link=header)
                for form in ("page", "header"):
                    with pytest.raises(Unresolved):
                        await exchange.resolver.any(f"{peer.url}/{number}/{form}")
        finally:
            await exchange.close()
        assert inside.connections == 0


@receiving
async def test_chains_of_redirects_end_and_are_not_followed_again(here: Here) -> None:
    peer = here.peer()
    peer.documents |= {f"/hop/{n}": say(status=302, Location=f"/hop/{n + 1}") for n in range(20)}
    peer.documents["/self"] = say(status=302, Location="/self")
    for start, hops in (("/hop/0", 4), ("/self", 4)):
        for _ in range(5):
            with pytest.raises(Unresolved):
                await here.exchange.resolver.account(f"{peer.url}{start}")
        assert sum(one.path.startswith(start[:4]) for one in peer.requests) == hops


@receiving
async def test_asking_ourselves_leads_nowhere(here: Here) -> None:
    peer, base = here.peer(), here.exchange.config.base_url
    peer.documents["/back"] = say(status=302, Location=f"{base}/users/alice")
    ours = base.removeprefix("https://")
    for url in (f"{base}/users/alice", f"https://{ours.upper()}/users/alice", f"https://{ours}:443/users/alice",
                f"https://{ours}./users/alice", f"{peer.url}/back"):  # fmt: skip
        with pytest.raises(Unresolved):
            await here.exchange.resolver.document(url)


def test_what_is_remembered_of_a_hundred_thousand_hosts_is_bounded() -> None:
    restraint, knocks = Restraint(), Knocks()
    for number in range(100_000):
        host = f"host-{number}.example"
        restraint.check(f"https://{host}/x", host)
        restraint.note_silence(host)
        restraint.note_failure(f"https://{host}/x", Unresolved("away", retry=True))
        knocks.remember(host, Scheme.RFC9421, time.time())
    assert len(restraint._hosts) == len(restraint._failed) == len(knocks._known) == 10_000


@receiving
async def test_wrong_keys_make_us_ask_a_bounded_number_of_times(here: Here) -> None:
    peer = here.peer()
    for number in range(200):
        assert await here.exchange.keys(f"{peer.url}/users/{number}#main-key", fresh=True) is None
    assert 0 < len(peer.requests) <= 60
    assert isinstance(peer, FakePeer)
