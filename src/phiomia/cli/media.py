"""`phiomia media`: what pictures, films and sounds take, and what may go."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phiomia.cli.group import Group

if TYPE_CHECKING:
    from phiomia.cli.open import Open
    from phiomia.domain.media.copies import Copy
    from phiomia.domain.media.remote_lists import Choice, RemoteAttachment
    from phiomia.platform.storage import Storage

app = Group("media", help="Pictures, films and sounds.")

_AT_ONCE = 2
_SHOWN = 20

DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@app.command()
def usage() -> None:
    """Show how much room media take."""
    from rich.console import Console
    from rich.table import Table

    from phiomia.cli.open import Open, run
    from phiomia.domain.media.copies import Amount, count_copies, count_ours, count_pictures
    from phiomia.domain.media.proxied import RemoteKind
    from phiomia.platform.storage import Usage
    from phiomia.platform.storages import open_storage

    async def work(opened: Open) -> tuple[list[tuple[int, int]], list[Amount], Usage]:
        async with opened.db.read() as session:
            ours = [await count_ours(session), await count_pictures(session)]
            copies = await count_copies(session)
        return ours, copies, await open_storage(opened.config).usage()

    ours, copies, stored = run(work)
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("files", justify="right")
    table.add_column("size", justify="right")
    for name, (files, size) in zip(("attachments", "avatars and headers"), ours, strict=True):
        table.add_row(f"{name} of members", str(files), describe_bytes(size))
    for one in copies:
        table.add_row(f"copies: {RemoteKind(one.kind).name.lower()}", str(one.files), describe_bytes(one.bytes))
    table.add_row("everything in the storage", str(stored.files), describe_bytes(stored.bytes))
    Console(markup=False, highlight=False).print(table)


@app.command()
@click.option("--days", type=click.IntRange(min=0), help="Copies that nobody looked at for so many days.")
@click.option("--host", multiple=True, help="Copies of what this server has.")
@click.option("--orphans", is_flag=True, help="Copies of what is no more, or looks otherwise.")
@DRY_RUN
def remove(days: int | None, host: tuple[str, ...], orphans: bool, dry_run: bool) -> None:
    """Remove copies of what other servers show. They come back when somebody looks."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.media.copies import drop_copies
    from phiomia.domain.media.tidy_copies import is_shown

    if days is None and not host and not orphans:
        raise click.BadParameter("say which: --days, --host or --orphans")

    async def work(opened: Open) -> tuple[int, int]:
        found = [copy for copy in await _load_copies(opened) if _is_meant(copy, days, host)]
        if orphans:
            async with opened.db.read() as session:
                found = [copy for copy in found if not await is_shown(session, copy)]
        if not dry_run:
            with _progress() as progress:
                task = progress.add_task("Removing", total=len(found))
                for start in range(0, len(found), 100):
                    page = found[start : start + 100]
                    await opened.db.write(lambda session, page=page: drop_copies(session, page))  # type: ignore[misc]
                    progress.advance(task, len(page))
        return len(found), sum(copy.bytes for copy in found)

    _tell(run(work), dry_run)


@app.command()
@DRY_RUN
def budget(dry_run: bool) -> None:
    """Show the room for copies, and remove what is above it. What members post never goes."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.media.copies import count_copies, make_room, measure_room

    async def work(opened: Open) -> tuple[int, int, int]:
        removed = 0
        async with opened.db.read() as session:
            room = await measure_room(session, opened.config.media)
            used = sum(one.bytes for one in await count_copies(session))
        if used > room and not dry_run:
            with _progress() as progress:
                task = progress.add_task("Removing", total=None)
                while gone := await opened.db.write(lambda session: make_room(session, room, most=500)):
                    removed += gone
                    progress.advance(task, gone)
        return room, used, removed

    room, used, removed = run(work)
    print(f"Copies take {describe_bytes(used)} of {describe_bytes(room)}.")
    if used > room:
        excess = describe_bytes(used - room)
        print(f"{excess} would go." if dry_run else f"{removed} copies have gone.")


@app.command()
@click.option("--host", default="", help="Attachments of this server's people.")
@click.option("--account", default=0, type=int, help="Attachments of the account with this id.")
@click.option("--status", default=0, type=int, help="Attachments of the status with this id.")
@click.option(
    "--days",
    default=0,
    type=click.IntRange(min=0),
    help="Only those that came in the last so many days.",
)
@DRY_RUN
def refresh(host: str, account: int, status: int, days: int, dry_run: bool) -> None:
    """Fetch attachments of other servers again."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.media.remote_lists import Choice
    from phiomia.platform.clock import DAY, now_ms
    from phiomia.platform.ids import id_at

    if not (host or account or status or days):
        raise click.BadParameter("say which: --host, --account, --status or --days")
    choice = Choice(host.lower(), account, status, id_at(now_ms() - days * DAY) if days else 0)

    async def work(opened: Open) -> tuple[int, list[str]]:
        found = await _load_remote(opened, choice)
        return len(found), [] if dry_run else await _fetch_again(opened, found)

    count, failures = run(work)
    print(f"{count} attachments would be fetched." if dry_run else f"Fetched {count - len(failures)} of {count}.")
    for line in failures[:_SHOWN]:
        print(line)


@app.command()
@click.option("--from", "source", required=True, help="disk or s3.")
@click.option("--to", "target", required=True, help="disk or s3.")
@click.option("--delete", is_flag=True, help="Remove each file from where it was.")
@DRY_RUN
def move(source: str, target: str, delete: bool, dry_run: bool) -> None:
    """Copy all files from one storage to the other; those that are there already are left out, so it may run again."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.platform.storages import open_storage

    if {source, target} != {"disk", "s3"}:
        raise click.BadParameter("move --from disk --to s3, or the other way round")

    async def work(opened: Open) -> tuple[int, int]:
        if not opened.config.media.s3_bucket:
            raise CommandError("media.s3_bucket does not name a bucket.")
        here, there = open_storage(opened.config, source), open_storage(opened.config, target)
        files = [(key, size) async for key, size in here.walk()]
        missing = [(key, size) for key, size in files if await there.size(key) != size]
        if not dry_run:
            await _copy_files(here, there, missing)
            for key, _ in files if delete else []:
                await here.delete(key)
        return len(missing), sum(size for _, size in missing)

    count, size = run(work)
    word = "would be copied" if dry_run else "were copied"
    print(f"{count} files ({describe_bytes(size)}) {word}.")


def describe_bytes(count: int) -> str:
    """A size as people read it."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


async def _copy_files(here: "Storage", there: "Storage", missing: list[tuple[str, int]]) -> None:
    import mimetypes

    with _progress() as progress, tempfile.TemporaryDirectory() as folder:
        task = progress.add_task("Copying", total=len(missing))
        for key, size in missing:
            file = here.path(key)
            if file is None:
                file = Path(folder) / "file"
                with open(file, "wb") as out:  # noqa: ASYNC230
                    async for piece in here.stream(key, 0, size):
                        out.write(piece)
            await there.put(key, file, mimetypes.guess_type(key)[0] or "application/octet-stream")
            progress.advance(task)


async def _load_copies(opened: "Open") -> "list[Copy]":
    from phiomia.domain.media.copies import list_copies

    found: list[Copy] = []
    async with opened.db.read() as session:
        while page := await list_copies(session, found[-1].id if found else 0):
            found += page
    return found


def _is_meant(copy: "Copy", days: int | None, hosts: tuple[str, ...]) -> bool:
    from phiomia.domain.peers.rules import levels
    from phiomia.platform.clock import DAY, now_ms

    if days is not None and copy.used_at > now_ms() - days * DAY:
        return False
    return not hosts or any(host.lower() in levels(copy.host) for host in hosts)


async def _load_remote(opened: "Open", choice: "Choice") -> "list[RemoteAttachment]":
    from phiomia.domain.media.remote_lists import list_remote_media

    found: list[RemoteAttachment] = []
    async with opened.db.read() as session:
        while page := await list_remote_media(session, choice, found[-1].id if found else 0):
            found += page
    return found


async def _fetch_again(opened: "Open", found: "list[RemoteAttachment]") -> list[str]:
    """Fetches each; gives why some could not be."""
    import asyncio

    from phiomia.domain.media.fetch_copy import NoCopy, Wanted
    from phiomia.domain.media.passing import Passing
    from phiomia.domain.media.proxied import RemoteKind
    from phiomia.entities.links import Links
    from phiomia.federation.exchange import Exchange
    from phiomia.federation.media import make_copier
    from phiomia.platform.storages import open_storage

    config, failures, places = opened.config, list[str](), asyncio.Semaphore(_AT_ONCE)
    storage = open_storage(config)
    exchange = Exchange(config, opened.db, Links(config.base_url, config.domain, storage.url))
    copier = make_copier(config, opened.db, storage, exchange)
    with _progress() as progress:
        task = progress.add_task("Fetching", total=len(found))

        async def fetch(one: "RemoteAttachment") -> None:
            async with places:
                try:
                    # Asked again, since a rule may forbid it.
                    wanted, _ = await copier.find(RemoteKind.ATTACHMENT, one.id)
                    if isinstance(await copier.bring(Wanted(RemoteKind.ATTACHMENT, one.id, wanted.url)), Passing):
                        raise NoCopy("there is no room for it")
                except NoCopy as error:
                    failures.append(f"{one.remote_url}: {error}")
                progress.advance(task)

        try:
            await asyncio.gather(*(fetch(one) for one in found))
        finally:
            await exchange.close()
    return failures


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _tell(found: tuple[int, int], dry_run: bool) -> None:
    count, size = found
    if dry_run:
        print(f"{count} copies ({describe_bytes(size)}) would be removed.")
    else:
        print(f"{count} copies ({describe_bytes(size)}) are removed; their files go in the background.")
