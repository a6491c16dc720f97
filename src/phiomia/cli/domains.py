"""`phiomia domains`: which other servers are limited, shut out, or allowed."""

from typing import Annotated, Literal

import typer

app = typer.Typer(name="domains", help="Other servers: which are limited, shut out, allowed.", no_args_is_help=True)

Domain = Annotated[str, typer.Argument(help="Such as social.example; those below it are meant too.")]


@app.command()
def block(
    domain: Domain,
    severity: Annotated[
        Literal["noop", "silence", "suspend"],
        typer.Option(help="noop: only what further options say; silence: limit its people; suspend: exchange nothing."),
    ] = "suspend",
    reject_media: Annotated[bool, typer.Option("--reject-media", help="Fetch no pictures from there.")] = False,
    reject_reports: Annotated[bool, typer.Option("--reject-reports", help="Take no reports from there.")] = False,
    comment: Annotated[str, typer.Option(help="Why; anybody can read it.")] = "",
    private_comment: Annotated[str, typer.Option(help="Why; for moderators.")] = "",
    obfuscate: Annotated[bool, typer.Option("--obfuscate", help="Hide part of the name in public.")] = False,
) -> None:
    """Limit a server or shut it out."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.domain_blocks import DomainBlock, block_domain
    from phiomia.domain.peers.severity import Severity

    made = DomainBlock(
        domain,
        Severity[severity.upper()],
        reject_media,
        reject_reports,
        private_comment,
        comment,
        obfuscate,
    )

    async def work(opened: Open) -> None:
        await opened.db.write(lambda session: block_domain(session, made))

    run(work)
    print(f"{domain}: {severity}. It holds at once; accounts that are here follow in the background.")


@app.command()
def unblock(domain: Domain) -> None:
    """Take a block back."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.moderation.domain_blocks import unblock_domain

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: unblock_domain(session, domain))
        except NotFound:
            raise CommandError(f"{domain} is not blocked. `phiomia domains list` shows what is.") from None

    run(work)
    print(f"{domain} is not blocked any more. Follows that ended do not come back by themselves.")


@app.command()
def allow(
    domain: Domain, remove: Annotated[bool, typer.Option("--remove", help="Allow it no longer.")] = False
) -> None:
    """Allow a server, for `federation.mode = "allowlist"`."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.moderation.domain_blocks import allow_domain, disallow_domain

    verb = disallow_domain if remove else allow_domain

    async def work(opened: Open) -> bool:
        try:
            await opened.db.write(lambda session: verb(session, domain))
        except NotFound:
            raise CommandError(f"{domain} was not allowed.") from None
        return opened.config.federation.mode == "allowlist"

    in_force = run(work)
    print(f"{domain} is {'allowed no longer' if remove else 'allowed'}.")
    if not in_force:
        print('This has an effect only with federation.mode = "allowlist".')


@app.command("list")
def list_domains() -> None:
    """Show the rules."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.domain_blocks import DomainBlock, list_allowed, list_blocks
    from phiomia.domain.peers.severity import Severity

    async def work(opened: Open) -> tuple[list[DomainBlock], list[str]]:
        async with opened.db.read() as session:
            return await list_blocks(session), await list_allowed(session)

    blocks, allowed = run(work)
    for one in blocks:
        more = [word for word, said in (("no media", one.reject_media), ("no reports", one.reject_reports)) if said]
        told = ", ".join([Severity(one.severity).name.lower(), *more])
        print(f"{one.domain}\t{told}\t{one.public_comment or one.private_comment}".rstrip())
    for domain in allowed:
        print(f"{domain}\tallowed")
    if not blocks and not allowed:
        print("There are no rules.")


@app.command()
def purge(
    domain: Domain,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all accounts of a server, with everything they left here."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.domain_blocks import Extent, clean_domain, measure, purge_some

    name = clean_domain(domain)

    async def look(opened: Open) -> Extent:
        async with opened.db.read() as session:
            return await measure(session, name)

    found = run(look)
    print(f"{name}: {found.accounts} accounts, {found.statuses} posts, {found.follows} follows.")
    if dry_run or not found.accounts:
        return
    if not yes and not typer.confirm("Erase them? They can't be brought back."):
        raise typer.Exit(1)

    async def work(opened: Open) -> None:
        done, last = 0, await purge_some(opened.db, name)
        while last is not None:
            done += 1
            if done % 10 == 0 or done == found.accounts:
                print(f"{done} of {found.accounts} accounts erased", flush=True)
            last = await purge_some(opened.db, name, last)

    run(work)
    print(f"{name} is erased.")
