"""`phiomia trends`: what is talked about, and what of it is shown."""

import click

from phiomia.cli.group import Group

app = Group("trends", help="What is talked about, and what of it is shown.")

KINDS = click.Choice(["tag", "status", "link"])
KIND = click.argument("kind", type=KINDS, help="What it is.")
NUMBER = click.argument("number", type=int, help="As `phiomia trends list` shows it.")


@app.command("list")
@click.argument("kind", default="tag", type=KINDS, help="What it is.")
def list_them(kind: str) -> None:
    """Show what is talked about, the most first."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.trends.kinds import TrendKind, Verdict
    from phiomia.domain.trends.queries import TrendView, list_trends

    async def work(opened: Open) -> list[TrendView]:
        async with opened.db.read() as session:
            return await list_trends(session, TrendKind[kind.upper()])

    views = run(work)
    for view in views:
        decided = Verdict(view.verdict).name.lower() if view.verdict else "not reviewed"
        print(f"{view.object_id}\t{decided}\tscore {view.score / 1000:.1f}")
    if not views:
        print("Nothing is talked about more than usual.")


@app.command()
@KIND
@NUMBER
def allow(kind: str, number: int) -> None:
    """Let it be shown, also where everything has to be reviewed first."""
    _decide(kind, number, "ALLOWED")


@app.command()
@KIND
@NUMBER
def reject(kind: str, number: int) -> None:
    """Never show it."""
    _decide(kind, number, "REJECTED")


def _decide(kind: str, number: int, verdict: str) -> None:
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.trends.kinds import TrendKind, Verdict
    from phiomia.domain.trends.review import review_trend

    chosen = TrendKind[kind.upper()]

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: review_trend(session, chosen, number, Verdict[verdict]))
        except NotFound as error:
            raise CommandError(f"{error}. `phiomia trends list {kind}` shows them with their numbers.") from None

    run(work)
    print(f"{kind} {number}: {verdict.lower()}.")
