"""Accounts of other servers, as commands name them."""

from typing import TYPE_CHECKING

from phiomia.cli.open import CommandError, Open

if TYPE_CHECKING:
    from phiomia.domain.accounts.remote import Actor


async def find_remote(opened: Open, handle: str) -> "Actor":
    """The account of another server, asked for now. Raises CommandError."""
    from phiomia.entities.links import Links
    from phiomia.federation.exchange import Exchange
    from phiomia.federation.inbox.context import Unresolved

    links = Links(opened.config.base_url, opened.config.domain, lambda key: key)
    exchange = Exchange(opened.config, opened.db, links)
    resolver = exchange.resolver
    try:
        if "://" in handle:
            return await resolver.account(handle, fresh=True)
        found = await resolver.account_of_handle(handle.removeprefix("@"))
        return await resolver.account(found.uri, fresh=True)
    except Unresolved as error:
        raise CommandError(f"{handle} can't be found: {error.reason}.") from None
    finally:
        await exchange.close()
