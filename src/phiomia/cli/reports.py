"""`phiomia reports`: whom members and other servers have complained about."""

import click

from phiomia.cli.group import Group

app = Group("reports", help="Whom members and other servers complain about.")


@app.command("list")
@click.option("--all", "every", is_flag=True, help="Show those that are resolved, too.")
def list_them(every: bool) -> None:
    """Show the reports that wait, the newest first."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.accounts.queries import load_accounts
    from phiomia.domain.accounts.views import AccountView
    from phiomia.domain.moderation.report import ReportView, list_reports
    from phiomia.domain.moderation.report_category import ReportCategory
    from phiomia.platform.clock import iso

    async def work(opened: Open) -> tuple[list[ReportView], dict[int, AccountView]]:
        async with opened.db.read() as session:
            found = await list_reports(session, resolved=every)
            ids = {view.target_id for view in found} | {view.account_id for view in found if view.account_id}
            return found, await load_accounts(session, sorted(ids))

    views, people = run(work)
    for view in views:
        target = people[view.target_id].acct
        by = people[view.account_id].acct if view.account_id in people else view.from_domain
        state = "waits" if view.resolved_at is None else f"resolved {iso(view.resolved_at)}"
        posts = f"\tposts {' '.join(map(str, view.status_ids))}" if view.status_ids else ""
        print(f"{view.id}\t@{target}\t{ReportCategory(view.category).word}\tby {by}\t{state}{posts}")
        if view.comment:
            print(f"\t{' '.join(view.comment.split())}")
    if not views:
        print("There are no reports." if every else "No report waits.")


@app.command()
@click.argument("number", type=int, help="As `phiomia reports list` shows it.")
def resolve(number: int) -> None:
    """Close a report, whatever was done about it."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.errors import NotFound
    from phiomia.domain.moderation.report import resolve_report

    async def work(opened: Open) -> None:
        try:
            await opened.db.write(lambda session: resolve_report(session, number))
        except NotFound:
            raise CommandError(f"No report {number} waits. `phiomia reports list` shows which do.") from None

    run(work)
    print(f"Report {number} is resolved.")
