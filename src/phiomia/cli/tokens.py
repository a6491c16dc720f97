"""`phiomia tokens`: access tokens for scripts, and the end of any token."""

import sys
from typing import TYPE_CHECKING

import click

from phiomia.cli.group import Group

if TYPE_CHECKING:
    from phiomia.domain.oauth.queries import App
    from phiomia.platform.db import WriteSession

app = Group("tokens", help="Access tokens.")


@app.command()
@click.argument("name", help="User name of the one whom the token speaks for.")
@click.option(
    "--scopes", default="read write follow push", show_default=True, help="What it may do, separated by spaces."
)
@click.option(
    "--app", "app_name", default="Command line", show_default=True, metavar="NAME", help="Under what name it is listed."
)
def create(name: str, scopes: str, app_name: str) -> None:
    """Make a token and print it, and nothing else. It is not shown again."""
    from phiomia.cli.open import Open, load_member, run
    from phiomia.domain.oauth.apps import OUT_OF_BAND, draft_app
    from phiomia.domain.oauth.tokens import issue_token

    # Checks name and scopes.
    draft = draft_app(app_name, [OUT_OF_BAND], scopes)

    async def work(opened: Open) -> str:
        user = await load_member(opened, name)

        async def write(session: "WriteSession") -> str:
            registered = await _find_or_register(session, draft.name)
            issued = await issue_token(session, app_id=registered.id, user_id=user.id, scopes=draft.scopes)
            return issued.access_token

        return await opened.db.write(write)

    print(run(work))


# A token of earlier releases may begin with a dash.
@app.command(context_settings={"ignore_unknown_options": True})
@click.argument("token", required=False, help="The token; `-` reads it from standard input.")
@click.option("--user", metavar="NAME", help="Every token of somebody.")
def revoke(token: str | None, user: str | None) -> None:
    """End a token, or all of somebody: it opens nothing any more, and its streams close."""
    from phiomia.cli.open import CommandError, Open, load_member, run
    from phiomia.domain.oauth.queries import find_token
    from phiomia.domain.oauth.tokens import revoke_tokens, revoke_user_tokens

    if (token is None) == (user is None):
        raise click.BadParameter("say which: a token, or --user NAME")
    secret = sys.stdin.readline().strip() if token == "-" else token  # noqa: S105 (not a password)

    async def work(opened: Open) -> int:
        if user is not None:
            member = await load_member(opened, user)
            return await opened.db.write(lambda session: revoke_user_tokens(session, member.id))
        async with opened.db.read() as session:
            found = await find_token(session, secret or "")
        if found is None:
            raise CommandError("There is no such token; it may be revoked already.")
        await opened.db.write(lambda session: revoke_tokens(session, [found.id]))
        return 1

    print(f"Revoked {run(work)}.")


async def _find_or_register(session: "WriteSession", name: str) -> "App":
    from phiomia.domain.oauth.apps import OUT_OF_BAND, draft_app, register_app
    from phiomia.domain.oauth.queries import find_app_by_name
    from phiomia.domain.oauth.scopes import CHILDREN

    known = await find_app_by_name(session, name, OUT_OF_BAND)
    return known or await register_app(session, draft_app(name, [OUT_OF_BAND], " ".join(CHILDREN)))
