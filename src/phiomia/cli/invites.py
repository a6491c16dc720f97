"""`phiomia invites`: letting people in who have a code."""

import click

from phiomia.cli.group import Group

app = Group("invites", help="Letting people in who have a code.")


@app.command()
@click.option(
    "--max-uses",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many may join with it; 0: as many as like to.",
)
@click.option(
    "--days", default=7, show_default=True, type=click.IntRange(min=0), help="How long it holds; 0: for ever."
)
@click.option("--comment", default="", help="For whom it is.")
def add(max_uses: int, days: int, comment: str) -> None:
    """Make an invitation. Whoever has it may join, also while registrations are closed or need approval."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.users.invites import invite
    from phiomia.platform.clock import DAY, now_ms

    until = now_ms() + days * DAY if days else None

    async def work(opened: Open) -> str:
        code = await opened.db.write(
            lambda session: invite(session, max_uses=max_uses or None, expires_at=until, comment=comment)
        )
        return f"{opened.config.base_url}/invite/{code}"

    print(run(work))


@app.command("list")
def list_them() -> None:
    """Show the invitations."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.users.invites import InviteView, list_invites
    from phiomia.platform.clock import iso, now_ms

    async def work(opened: Open) -> list[InviteView]:
        async with opened.db.read() as session:
            return await list_invites(session)

    views = run(work)
    for view in views:
        state = "holds" if view.holds(now_ms()) else "over"
        until = "for ever" if view.expires_at is None else f"until {iso(view.expires_at)}"
        uses = f"{view.uses} of {'any' if view.max_uses is None else view.max_uses}"
        print(f"{view.code}\t{state}\t{uses}\t{until}\t{view.comment}".rstrip())
    if not views:
        print("There are no invitations.")


@app.command()
@click.argument("code", help="As `phiomia invites list` shows it.")
def remove(code: str) -> None:
    """Take an invitation back. Whoever has joined with it stays."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.users.invites import take_invite_back

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: take_invite_back(session, code))
        except NotFound:
            raise CommandError(f"There is no invitation {code}. `phiomia invites list` shows them.") from None

    run(work)
    print(f"{code} is taken back.")
