"""`phiomia accounts`: create, change and list those who may sign in."""

from typing import TYPE_CHECKING

import click

from phiomia.cli.group import Group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from phiomia.cli.open import Open
    from phiomia.domain.accounts.views import AccountView
    from phiomia.domain.users.queries import UserView
    from phiomia.domain.users.roles import Role
    from phiomia.platform.db import WriteSession

app = Group("accounts", help="Those who may sign in.")

NAME = click.argument("name", help="User name, without @ and server.")
HANDLE = click.argument("name", help="Of a member the user name, of somebody elsewhere user@server.")


@app.command()
@NAME
@click.option("--email", required=True, help="Address for mails, and to sign in with.")
@click.option("--password", envvar="PHIOMIA_PASSWORD", show_envvar=True, help="Made and printed when left out.")
@click.option("--role", help="Owner, Admin or Moderator.")
@click.option("--confirmed", is_flag=True, help="Send no mail: the address is theirs.")
def create(name: str, email: str, password: str | None, role: str | None, confirmed: bool) -> None:
    """Create somebody who may sign in."""
    from phiomia.cli.open import Open, run
    from phiomia.domain.users.passwords import make_password
    from phiomia.domain.users.roles import Role, parse_role
    from phiomia.domain.users.sign_up import SignUpForm, draft_by_operator, sign_up

    given = parse_role(role) if role is not None else Role.NONE
    chosen = password or make_password()

    async def work(opened: Open) -> None:
        form = SignUpForm(username=name, email=email, password=chosen)
        draft = await draft_by_operator(form, confirmed=confirmed, role=given)
        await opened.db.write(lambda session: sign_up(session, draft))

    run(work, create=True)
    print(f"Created {name}.")
    if not confirmed:
        print(f"A mail to {email} asks to confirm the address.")
    if password is None:
        print(f"New password: {chosen}")


@app.command()
@NAME
@click.option("--role", help="Owner, Admin or Moderator.")
@click.option("--remove-role", is_flag=True, help="Be an ordinary member again.")
@click.option("--email", help="Another address; it counts as confirmed.")
@click.option("--confirm", is_flag=True, help="The address is theirs.")
@click.option("--approve", is_flag=True, help="Let in who waits for approval.")
@click.option("--disable", is_flag=True, help="Freeze the login, with all tokens.")
@click.option("--enable", is_flag=True, help="Thaw the login.")
@click.option("--reset-password", is_flag=True, help="Print a new password; sign out everywhere.")
def modify(
    name: str,
    role: str | None,
    remove_role: bool,
    email: str | None,
    confirm: bool,
    approve: bool,
    disable: bool,
    enable: bool,
    reset_password: bool,
) -> None:
    """Change somebody's role, address, standing or password."""
    from phiomia.cli.open import load_member, run
    from phiomia.domain.users.roles import Role, parse_role

    if (role is not None and remove_role) or (disable and enable):
        raise click.BadParameter("these two options contradict each other")
    wanted = Role.NONE if remove_role else parse_role(role) if role is not None else None
    if wanted is None and email is None and not any((confirm, approve, disable, enable, reset_password)):
        raise click.BadParameter("say what to change; see --help")

    async def work(opened: "Open") -> str | None:
        user = await load_member(opened, name)

        async def write(session: "WriteSession") -> None:
            await _change(session, user, wanted, email, confirm, approve, disable, enable)

        await opened.db.write(write)
        return await _reset_password(opened, user) if reset_password else None

    password = run(work)
    print(f"Changed {name}.")
    if password is not None:
        print(f"New password: {password}")


@app.command("reset-password")
@NAME
def reset_password(name: str) -> None:
    """Give somebody a new password, printed here; they are signed out everywhere."""
    from phiomia.cli.open import Open, load_member, run

    async def work(opened: Open) -> str:
        return await _reset_password(opened, await load_member(opened, name))

    print(f"New password: {run(work)}")


@app.command()
@NAME
@click.option("--yes", is_flag=True, help="Don't ask: it can't be undone.")
def delete(name: str, yes: bool) -> None:
    """Delete somebody for ever, with all they wrote, here and on other servers; nobody can take the name again."""
    from phiomia.cli.open import Open, load_member, run
    from phiomia.domain.moderation.leave import leave

    if not yes:
        click.confirm(f"Delete {name} for ever?", abort=True)

    async def work(opened: Open) -> None:
        user = await load_member(opened, name)
        await opened.db.write(lambda session: leave(session, user.account_id))

    run(work)
    print(f"Deleted {name}. What they wrote goes as the worker gets to it.")


@app.command()
@NAME
@click.argument("text", help="What they are told, in their apps and by mail.")
def warn(name: str, text: str) -> None:
    """Tell somebody what is wrong with what they do, in a notification and a mail."""
    from phiomia.cli.open import Open, load_member, run
    from phiomia.domain.moderation.warn import NewWarning, warn_account

    async def work(opened: Open) -> None:
        user = await load_member(opened, name)
        await opened.db.write(lambda session: warn_account(session, NewWarning(user.account_id, text)))

    run(work)
    print(f"Warned {name}.")


@app.command()
@HANDLE
@click.option("--text", help="Why: told to a member of this server by mail.")
def suspend(name: str, text: str | None) -> None:
    """Hide somebody, here or elsewhere, with all they wrote, and let them do nothing here any more."""
    from phiomia.domain.moderation.account_state import suspend_account

    account = _judge(name, suspend_account, text, "suspend")
    print(f"Suspended {account.acct}.")
    if not account.local:
        print("Follows to and from here end in the background, and do not come back by themselves.")


@app.command()
@HANDLE
def unsuspend(name: str) -> None:
    """Bring somebody back whom `suspend` has hidden."""
    from phiomia.domain.moderation.account_state import unsuspend_account

    account = _judge(name, unsuspend_account)
    print(f"{account.acct} is not suspended any more.")


@app.command()
@HANDLE
@click.option("--text", help="Why: told to a member of this server, also by mail.")
def limit(name: str, text: str | None) -> None:
    """Show somebody, here or elsewhere, only to those who follow them."""
    from phiomia.domain.moderation.account_state import limit_account

    account = _judge(name, limit_account, text, "silence")
    print(f"Limited {account.acct}.")


@app.command()
@HANDLE
def unlimit(name: str) -> None:
    """Show somebody to everybody again whom `limit` has hidden."""
    from phiomia.domain.moderation.account_state import unlimit_account

    account = _judge(name, unlimit_account)
    print(f"{account.acct} is not limited any more.")


@app.command("list")
def list_accounts() -> None:
    """List those who may sign in, in the order of their joining."""
    from rich.console import Console
    from rich.table import Table

    from phiomia.cli.open import Open, run
    from phiomia.domain.users.queries import UserView, list_users
    from phiomia.domain.users.roles import NAMES, Role
    from phiomia.platform.clock import iso_day

    async def work(opened: Open) -> list[UserView]:
        found: list[UserView] = []
        async with opened.db.read() as session:
            while page := await list_users(session, after=found[-1].id if found else 0):
                found += page
        return found

    table = Table(box=None, pad_edge=False)
    for column in ("name", "e-mail", "role", "standing", "since"):
        table.add_column(column, overflow="fold")
    for user in run(work):
        table.add_row(user.username, user.email, NAMES[Role(user.role)], _standing(user), iso_day(user.created_at))
    Console(markup=False, highlight=False).print(table)


@app.command()
@NAME
@click.argument("handle", help="The former account: user@server, or its address.")
@click.option("--remove", is_flag=True, help="It was not theirs.")
def alias(name: str, handle: str, remove: bool) -> None:
    """Name an account that somebody had elsewhere, so that they can move here from it."""
    from phiomia.cli.open import Open, load_member, run
    from phiomia.cli.remote import find_remote
    from phiomia.domain.accounts.move_away import change_aliases

    async def work(opened: Open) -> list[str]:
        user = await load_member(opened, name)
        uri = (await find_remote(opened, handle)).uri
        add, gone = ("", uri) if remove else (uri, "")
        return await opened.db.write(lambda session: change_aliases(session, user.account_id, add=add, remove=gone))

    for uri in run(work):
        print(uri)


@app.command()
@NAME
@click.argument("handle", help="The new account: user@server, or its address.")
def move(name: str, handle: str) -> None:
    """Send somebody's followers to their new account elsewhere, which must name this one as its former one."""
    from phiomia.cli.open import Open, load_member, run
    from phiomia.cli.remote import find_remote
    from phiomia.domain.accounts.move_away import move_away
    from phiomia.domain.oauth.tokens import look_again_at_user

    async def work(opened: Open) -> None:
        user = await load_member(opened, name)
        target = await find_remote(opened, handle)
        uri = f"{opened.config.base_url}/users/{user.username}"

        async def write(session: "WriteSession") -> None:
            await move_away(session, user.account_id, uri, target.id)
            await look_again_at_user(session, user.id)

        await opened.db.write(write)

    run(work)
    print(f"{name} has moved to {handle}. Followers are told in the background.")


def _judge(
    name: str,
    verb: "Callable[[WriteSession, int], Awaitable[None]]",
    text: str | None = None,
    action: str = "none",
) -> "AccountView":
    """The account of that name, with which `verb` was done. Raises CommandError."""
    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.accounts.queries import find_by_handle
    from phiomia.domain.errors import DomainError, NotFound
    from phiomia.domain.moderation.warn import NewWarning, warn_account

    async def work(opened: Open) -> "AccountView":
        username, _, domain = name.removeprefix("@").partition("@")
        here = domain.lower() in (opened.config.domain.lower(), opened.config.web_domain.lower())
        async with opened.db.read() as session:
            found = await find_by_handle(session, username, "" if here else domain)
        if found is None:
            raise CommandError(f"Nobody called {name!r} is known here.")
        if text is not None and not found.local:
            raise CommandError(f"{name} lives elsewhere: nobody here can tell them why.")

        async def write(session: "WriteSession") -> None:
            await verb(session, found.id)
            if text is not None:
                await warn_account(session, NewWarning(found.id, text, action))

        try:
            await opened.db.write(write)
        except NotFound:
            raise CommandError(f"There is no account {name} any more.") from None
        except DomainError as error:
            raise CommandError(f"{error}.") from None
        return found

    return run(work)


def _standing(user: "UserView") -> str:
    from phiomia.domain.accounts.state import AccountState

    if user.state == AccountState.SUSPENDED:
        return "suspended"
    if user.disabled_at is not None:
        return "disabled"
    if user.confirmed_at is None:
        return "unconfirmed"
    if user.state == AccountState.LIMITED:
        return "limited"
    return "active" if user.approved_at is not None else "waits for approval"


async def _change(
    session: "WriteSession",
    user: "UserView",
    role: "Role | None",
    email: str | None,
    confirm: bool,
    approve: bool,
    disable: bool,
    enable: bool,
) -> None:
    from phiomia.domain.oauth.tokens import forget_user_tokens, look_again_at_user
    from phiomia.domain.users.approve import approve_user
    from phiomia.domain.users.confirm import confirm_user
    from phiomia.domain.users.disable import disable_user, enable_user
    from phiomia.domain.users.emails import change_email
    from phiomia.domain.users.roles import set_role

    if role is not None:
        await set_role(session, user.id, role)
        await look_again_at_user(session, user.id)
    if email is not None:
        await change_email(session, user.id, email)
    if confirm or email is not None:
        await confirm_user(session, user.id)
    if approve:
        await approve_user(session, user.id)
    if enable:
        await enable_user(session, user.id)
    if disable:
        await disable_user(session, user.id)
        await forget_user_tokens(session, user.id)


async def _reset_password(opened: "Open", user: "UserView") -> str:
    from phiomia.domain.oauth.tokens import revoke_user_tokens
    from phiomia.domain.users.passwords import hash_password, make_password
    from phiomia.domain.users.reset_password import reset_password

    password = make_password()
    hashed = await hash_password(password)

    async def write(session: "WriteSession") -> None:
        await reset_password(session, user.id, hashed)
        await revoke_user_tokens(session, user.id)

    await opened.db.write(write)
    return password
