"""`phiomia domains`: which other servers are limited, shut out, or allowed."""

import click

from phiomia.cli.group import Group

app = Group("domains", help="Other servers: which are limited, shut out, allowed.")

DOMAIN = click.argument("domain", help="Such as social.example; those below it are meant too.")


@app.command()
@DOMAIN
@click.option(
    "--severity",
    default="suspend",
    show_default=True,
    type=click.Choice(["noop", "silence", "suspend"]),
    help="noop: only what further options say; silence: limit its people; suspend: exchange nothing.",
)
@click.option("--reject-media", is_flag=True, help="Fetch no pictures from there.")
@click.option("--reject-reports", is_flag=True, help="Take no reports from there.")
@click.option("--comment", default="", help="Why; anybody can read it.")
@click.option("--private-comment", default="", help="Why; for moderators.")
@click.option("--obfuscate", is_flag=True, help="Hide part of the name in public.")
def block(
    domain: str,
    severity: str,
    reject_media: bool,
    reject_reports: bool,
    comment: str,
    private_comment: str,
    obfuscate: bool,
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
@DOMAIN
def unblock(domain: str) -> None:
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
@DOMAIN
@click.option("--remove", is_flag=True, help="Allow it no longer.")
def allow(domain: str, remove: bool) -> None:
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
@DOMAIN
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(domain: str, dry_run: bool, yes: bool) -> None:
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
    if not yes and not click.confirm("Erase them? They can't be brought back."):
        raise click.exceptions.Exit(1)

    async def work(opened: Open) -> None:
        done, last = 0, await purge_some(opened.db, name)
        while last is not None:
            done += 1
            if done % 10 == 0 or done == found.accounts:
                print(f"{done} of {found.accounts} accounts erased", flush=True)
            last = await purge_some(opened.db, name, last)

    run(work)
    print(f"{name} is erased.")
