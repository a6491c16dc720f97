"""`phiomia texts`: privacy policy, terms of service, a longer description."""

import sys
from pathlib import Path

import click

from phiomia.cli.group import Group

app = Group("texts", help="Privacy policy, terms of service, a longer description of the server.")

KIND = click.argument("kind", type=click.Choice(["privacy", "terms", "description"]), help="Which text.")
EFFECTIVE = click.option(
    "--effective", default="", help="Terms of service: from which day on they hold, such as 2026-05-01."
)


@app.command("set")
@KIND
@click.argument(
    "file", type=click.Path(path_type=Path), help="Plain text, or HTML if its name ends in .html; - reads plain text."
)
@EFFECTIVE
def set_text(kind: str, file: Path, effective: str) -> None:
    """Store a text in place of the one before; terms of service are kept in versions by their date."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.texts import TextKind, write_text

    source = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    is_html = file.suffix == ".html"

    async def work(opened: Open) -> None:
        await opened.db.write(
            lambda session: write_text(session, TextKind(kind), source, is_html=is_html, effective_date=effective)
        )

    run(work)
    print(f"The text {kind} is stored.")


@app.command("list")
def list_them() -> None:
    """Show which texts there are."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.texts import TextKind, TextView, list_versions
    from phiomia.platform.clock import iso

    async def work(opened: Open) -> list[tuple[str, TextView]]:
        async with opened.db.read() as session:
            return [(kind.value, view) for kind in TextKind for view in await list_versions(session, kind)]

    found = run(work)
    for kind, view in found:
        print(f"{kind}\t{view.effective_date or '-'}\tchanged {iso(view.updated_at)}\t{len(view.content)} characters")
    if not found:
        print("There are no texts.")


@app.command()
@KIND
@EFFECTIVE
def remove(kind: str, effective: str) -> None:
    """Remove a text."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.moderation.texts import TextKind, remove_text

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: remove_text(session, TextKind(kind), effective))
        except NotFound:
            raise CommandError("There is no such text. `phiomia texts list` shows which there are.") from None

    run(work)
    print(f"The text {kind} is removed.")
