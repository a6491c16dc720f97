"""`phiomia announcements`: what all members shall know."""

import click

from phiomia.cli.group import Group

app = Group("announcements", help="What all members shall know.")

Moment = "A moment such as 2026-05-01 or 2026-05-01T18:00+02:00; without a zone it is UTC."


@app.command()
@click.argument("text", help="Plain text; links, hashtags, @mentions and :emoji: work in it.")
@click.option("--starts", default="", help=f"When what it is about begins. {Moment}")
@click.option("--ends", default="", help="When it is over: then nobody sees the announcement any more.")
@click.option("--all-day", is_flag=True, help="Show days only, without hours.")
def add(text: str, starts: str, ends: str, all_day: bool) -> None:
    """Announce something; it appears at once in the apps that are open."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.moderation.announcements import NewAnnouncement, announce
    from phiomia.platform.clock import parse_iso

    try:
        times = [parse_iso(moment) if moment else None for moment in (starts, ends)]
    except ValueError:
        raise CommandError(f"--starts and --ends take moments. {Moment}") from None
    new = NewAnnouncement(text, times[0], times[1], all_day)

    async def work(opened: Open) -> int:
        return await opened.db.write(lambda session: announce(session, new, opened.config.base_url))

    print(f"Announced as {run(work)}.")


@app.command("list")
def list_them() -> None:
    """Show what was announced, with its numbers."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.moderation.announcements import AnnouncementView, list_all_announcements
    from phiomia.platform.clock import iso, now_ms

    async def work(opened: Open) -> list[AnnouncementView]:
        async with opened.db.read() as session:
            return await list_all_announcements(session, opened.config.base_url)

    views = run(work)
    for view in views:
        row = view.row
        told = [f"from {iso(row.starts_at)}"] if row.starts_at is not None else []
        if row.ends_at is not None:
            told.append(f"{'over since' if row.ends_at <= now_ms() else 'until'} {iso(row.ends_at)}")
        print(f"{row.id}\t{', '.join(told) or 'always'}\t{' '.join(row.text.split())}")
    if not views:
        print("Nothing is announced.")


@app.command()
@click.argument("number", type=int, help="As `phiomia announcements list` shows it.")
def remove(number: int) -> None:
    """Take an announcement back."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.moderation.announcements import take_back

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: take_back(session, number))
        except NotFound:
            raise CommandError(f"There is no announcement {number}. `phiomia announcements list` shows them.") from None

    run(work)
    print(f"{number} is taken back.")
