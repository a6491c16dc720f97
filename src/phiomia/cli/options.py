"""Options that many commands take."""

from pathlib import Path

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
CHECKOUT = click.option(
    "--checkout", type=click.Path(path_type=Path), metavar="DIR", help="The checkout, unless it is this one."
)
