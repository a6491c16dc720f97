"""The first start of a server: its owner, and for those who want to look around a small believable world."""

import shlex
import shutil
import sys
from pathlib import Path

from phiomia.domain.users.queries import list_users
from phiomia.domain.users.roles import Role
from phiomia.domain.users.sign_up import SignUpForm, draft_by_operator, sign_up
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.random_text import make_random_text

OWNER = "owner"


async def welcome_owner(config: Config, db: Database) -> None:
    """Creates the owner and prints the sign-in, unless somebody is there already."""
    async with db.read() as session:
        if await list_users(session, limit=1):
            return
    password = make_random_text(12)
    form = SignUpForm(username=OWNER, email=f"{OWNER}@{config.domain.partition(':')[0]}", password=password)
    draft = await draft_by_operator(form, confirmed=True, role=Role.OWNER)
    await db.write(lambda session: sign_up(session, draft))
    print(
        f"\n  Phiomia is new here. Your account:\n\n"
        f"    address   {config.base_url}\n"
        f"    e-mail    {form.email}\n"
        f"    password  {password}\n\n"
        f"  This is shown once. Another password:\n"
        f"  {name_command(config)} accounts reset-password {OWNER}\n",
        flush=True,
    )


def name_command(config: Config) -> str:
    """How this command is to be called again from here, so that it finds the same server."""
    called = Path(sys.argv[0])
    name = str(called) if called.name == "phiomia" and not shutil.which("phiomia") else "phiomia"
    if config.data_dir == Config().data_dir:
        return shlex.quote(name)
    return f"PHIOMIA_DATA={shlex.quote(str(config.data_dir))} {shlex.quote(name)}"
