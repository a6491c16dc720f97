"""Options that many commands take."""

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
