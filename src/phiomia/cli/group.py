"""Commands that belong together."""

import click

_LONGEST = 200


class Group(click.Group):
    """Lists its commands in the order in which they are written down, each with the whole of its first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What `--help` says of them."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(_LONGEST)) for name, one in found if one is not None and not one.hidden]
            )
