"""`phiomia relays`: servers that pass on what is public, from and to everybody who has joined them."""

from typing import TYPE_CHECKING

import click

from phiomia.cli.group import Group

if TYPE_CHECKING:
    from phiomia.cli.open import Open
    from phiomia.domain.peers.relays import Relay
    from phiomia.platform.db import WriteSession

app = Group("relays", help="Relays, which pass on what is public.")

URL = click.argument("url", metavar="URL", help="The relay's inbox, or its actor if it is one of LitePub.")


@app.command()
@URL
def add(url: str) -> None:
    """Ask a relay to let this server in."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.peers.relays import add_relay
    from phiomia.federation.outbox.relays import AskRelay, name_follow
    from phiomia.platform.jobs import defer

    async def work(opened: Open) -> None:
        inbox, actor = await _find_inbox(opened, url)
        follow_uri = name_follow(opened.config.base_url)

        async def write(session: "WriteSession") -> None:
            relay = await add_relay(session, inbox, follow_uri, actor)
            await defer(session, AskRelay(relay.inbox_url, follow_uri, actor))

        await opened.db.write(write)

    run(work)
    print(f"Asked {url}. `phiomia relays list` shows its answer.")


@app.command()
@URL
def remove(url: str) -> None:
    """Leave a relay."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.peers.relays import list_relays, remove_relay
    from phiomia.federation.outbox.relays import AskRelay
    from phiomia.platform.jobs import defer

    async def work(opened: Open) -> None:
        async with opened.db.read() as session:
            found = [relay for relay in await list_relays(session) if url in (relay.inbox_url, relay.actor_uri)]
        if not found:
            raise CommandError(f"{url} is not among the relays. `phiomia relays list` shows them.")
        relay = found[0]

        async def write(session: "WriteSession") -> None:
            await defer(session, AskRelay(relay.inbox_url, relay.follow_uri, relay.actor_uri, leave=True))
            await remove_relay(session, relay.id)

        await opened.db.write(write)

    run(work)
    print(f"Left {url}.")


@app.command("list")
def list_relays() -> None:
    """List the relays with what they have answered."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.peers.relays import RelayState
    from phiomia.domain.peers.relays import list_relays as load

    async def work(opened: Open) -> "list[Relay]":
        async with opened.db.read() as session:
            return await load(session)

    relays = run(work)
    for relay in relays:
        print(f"{RelayState(relay.state).name.lower():9} {relay.actor_uri or relay.inbox_url}")
    if not relays:
        print("There are no relays.")


async def _find_inbox(opened: "Open", url: str) -> tuple[str, str]:
    """The inbox, and the actor of a relay that is spoken to as one. Raises CommandError."""
    from phiomia.cli.open import CommandError
    from phiomia.entities.links import Links
    from phiomia.federation.exchange import Exchange
    from phiomia.federation.inbox.context import Unresolved
    from phiomia.federation.parse.values import address

    if url.rstrip("/").endswith("/inbox"):
        return url, ""
    links = Links(opened.config.base_url, opened.config.domain, lambda key: key)
    exchange = Exchange(opened.config, opened.db, links)
    try:
        actor = await exchange.documents.fetch(url)
    except Unresolved as error:
        raise CommandError(f"{url} can't be asked: {error.reason}.") from None
    finally:
        await exchange.close()
    inbox = address(actor.get("inbox"))
    if not inbox:
        raise CommandError(f"{url} has no inbox.")
    return inbox, url
