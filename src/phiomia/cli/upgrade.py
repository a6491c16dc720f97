"""`phiomia releases` and `phiomia upgrade`: what there is, what has changed, what an upgrade would do."""

import asyncio
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from phiomia.platform.config import Config, load_config
from phiomia.platform.version import describe_version
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.checkout import Checkout, open_checkout, source_root
from phiomia.upgrade.manifest import ManifestError
from phiomia.upgrade.notes import merge_notes
from phiomia.upgrade.plan import Facts, PlanError, Refused, plan
from phiomia.upgrade.plan_text import plan_json, render_plan

releases_app = typer.Typer()
app = typer.Typer(name="upgrade", help="Upgrades: what they would do, what they bring.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Root = Annotated[Path | None, typer.Option("--checkout", metavar="DIR", help="The checkout, unless it is this one.")]
Prerelease = Annotated[bool, typer.Option("--allow-prerelease", help="Let it be a release that is not finished.")]
Target = Annotated[str | None, typer.Argument(metavar="[VERSION]", help="To which release; the newest unless given.")]
Range = Annotated[str, typer.Argument(metavar="A..B", help="Two releases; an empty A is what is checked out.")]

_NONE = "Nothing is released yet."


@releases_app.command()
def releases(as_json: AsJson = False, checkout: Root = None) -> None:
    """List the releases that this checkout knows, the newest first."""
    found = _open(checkout)
    try:
        manifests = found.manifests()
    except (GitError, ManifestError) as error:
        _fail(str(error))
    listed = [manifests[version] for version in reversed(found.versions)]
    if as_json:
        rows = [
            {
                "version": one.version,
                "date": one.date.isoformat(),
                "channel": one.channel,
                "urgency": one.urgency,
                "stop": one.stop,
                "contained": one.version in found.history.here.contains,
            }
            for one in listed
        ]
        print(json.dumps({"checkout": found.history.here.name, "releases": rows}, indent=2))
        return
    for one in listed:
        here = "  checked out" if one.version == found.history.here.name else ""
        print(f"{one.version:<14} {one.date}  {one.channel:<8} {one.urgency}{here}")
    if not listed:
        print(f"{_NONE} This is {describe_version()}, commit {found.history.here.name.partition('+')[0]}.")


@app.command()
def notes(between: Range, checkout: Root = None) -> None:
    """Print what has changed between two releases, in one piece."""
    found = _open(checkout)
    start, dots, end = between.partition("..")
    if not dots:
        _fail("Say from where to where: phiomia upgrade notes 1.4.0..1.6.0", 2)
    target = end or found.newest()
    if not found.versions or target is None:
        _fail(_NONE)
    try:
        place = found.place_of(start) if start else found.history.here
        print(merge_notes(place, target, found.releases_of(target)), end="")
    except (GitError, ManifestError) as error:
        _fail(str(error))


@app.command("plan")
def show_plan(
    version: Target = None, as_json: AsJson = False, allow_prerelease: Prerelease = False, checkout: Root = None
) -> None:
    """Print what an upgrade would do, without doing anything. Exit status 1 when it can't be done as things are."""
    found = _open(checkout)
    target = version or found.newest(prereleases=allow_prerelease)
    if target is None or not found.versions:
        if as_json:
            reason = {"code": "unreleased", "reason": _NONE}
            print(json.dumps({"installed": found.history.here.name, "target": version, "refusals": [reason]}, indent=2))
        else:
            print(f"{_NONE} There is no release to go to from {describe_version()}.")
        raise typer.Exit(1 if version else 0)
    try:
        known = found.releases_of(target)
        facts = asyncio.run(gather_facts(load_config()))
        made = plan(found.history.here, target, known, facts=facts, allow_prerelease=allow_prerelease)
    except (GitError, ManifestError, PlanError) as error:
        _fail(str(error))
    print(json.dumps(plan_json(made), indent=2) if as_json else render_plan(made), end="\n" if as_json else "")
    raise typer.Exit(1 if isinstance(made, Refused) else 0)


async def gather_facts(config: Config) -> Facts:
    """What is known of this server without changing anything. Raises Unavailable when the database can't be asked."""
    from phiomia.cli.open import has_schema
    from phiomia.upgrade import schema

    kind = "sqlite" if config.database_url.startswith("sqlite:") else "postgresql"
    has = await has_schema(config)
    size, version = await _ask_database(config, kind) if has else (0.0, "")
    free = shutil.disk_usage(_existing(config.data_dir)).free / 1024**2
    return Facts(
        python=platform.python_version(),
        database=kind,
        database_version=version,
        disk_free_mb=free,
        ram_free_mb=_free_memory_mb(),
        applied=await schema.current(config.database_url) if has else None,
        named={"db_size": size},
    )


async def _ask_database(config: Config, kind: str) -> tuple[float, str]:
    if kind == "sqlite":
        import apsw

        size = os.stat(config.database_url.removeprefix("sqlite:///")).st_size
        return size / 1024**2, apsw.sqlite_lib_version()
    from phiomia.platform.db import Query, open_database

    db = open_database(config.database_url, pool=1)
    await db.start()
    try:
        async with db.read() as session:
            size = await session.value(Query.raw(sqlite="SELECT pg_database_size(current_database())"))
            version = await session.value(Query.raw(sqlite="SELECT current_setting('server_version')"))
    finally:
        await db.close()
    return float(size) / 1024**2, str(version).partition(" ")[0]


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _free_memory_mb() -> float | None:
    path = Path("/proc/meminfo")
    for line in path.read_text("ascii").splitlines() if path.exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return None


def _open(checkout: Path | None) -> Checkout:
    root = checkout or source_root()
    if checkout is None and not (root / ".git").exists():
        root = Path(os.curdir).resolve()
    try:
        return open_checkout(root)
    except GitError as error:
        _fail(f"There is no checkout to read releases from ({error}). Go into one, or name it with --checkout.")


def _fail(reason: str, status: int = 1) -> NoReturn:
    print(reason, file=sys.stderr)
    raise typer.Exit(status)
