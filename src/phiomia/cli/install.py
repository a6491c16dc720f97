"""`phiomia install`: makes a server of a checkout, once; afterwards `phiomia upgrade` and the units take over."""

import sys
from pathlib import Path

import click

from phiomia.upgrade.checkout import nearest_checkout
from phiomia.upgrade.install import Installer, InstallError, Wishes
from phiomia.upgrade.units import render_units

_NEXT = """
Next:
  1. look at {config}
  2. {accounts}
  3. {start}
  4. put a proxy in front: {shared}/nginx.sample, {shared}/Caddyfile.sample
Upgrading is described in {checkout}/docs/operate/upgrade.md."""


@click.command()
@click.option("--domain", default="", help="The name that people see, such as social.example.")
@click.option(
    "--prefix",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Put everything there and make no user; needs no root.",
)
@click.option("--user", default="phiomia", show_default=True, help="The user that the server belongs to.")
@click.option(
    "--home", type=click.Path(path_type=Path), metavar="DIR", help="That user's home; /home/USER unless given."
)
@click.option("--database", default="", metavar="URL", help="postgresql://…; a SQLite file unless given.")
@click.option("--bind", default="127.0.0.1:3000", show_default=True, metavar="HOST:PORT", help="Where the web listens.")
@click.option(
    "--streaming-bind",
    default="127.0.0.1:4000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where streaming listens.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--print-units", is_flag=True, help="Only print the units.")
def install(
    domain: str,
    prefix: Path | None,
    user: str,
    home: Path | None,
    database: str,
    bind: str,
    streaming_bind: str,
    dry_run: bool,
    print_units: bool,
) -> None:
    """Install the server from this checkout: user, directories, first release, units. May be run again."""
    wishes = Wishes(
        source=nearest_checkout(),
        prefix=prefix.absolute() if prefix else None,
        user=user,
        home=home.absolute() if home else Path("/home") / user,
        domain=domain,
        bind=bind,
        streaming_bind=streaming_bind,
        database=database,
        dry_run=dry_run,
    )
    installer = Installer(wishes, lambda line: print(line, flush=True))
    try:
        if print_units:
            for name, text in render_units(installer.layout).items():
                print(f"# {name}\n{text}")
            return
        installer.install()
    except InstallError as error:
        print(error, file=sys.stderr)
        raise click.exceptions.Exit(1) from None
    if not dry_run:
        print(_describe_next(installer))


def _describe_next(installer: Installer) -> str:
    layout = installer.layout
    own = installer.wishes.prefix is not None
    sockets = [name for name in render_units(layout) if name.endswith(".socket")]
    start = f"systemctl start {' '.join(sockets)} phiomia-worker phiomia-streaming phiomia-web"
    return _NEXT.format(
        config=layout.config_file,
        accounts=f"{layout.command} accounts create NAME --email you@mail.example --role owner --confirmed",
        start=f"{layout.command} serve" if own else start,
        shared=layout.places.shared,
        checkout=layout.places.checkout,
    )
