"""The first start of a server: its owner, and for those who want to look around a small believable world."""

from sqlalchemy import func, select

from phiomia.domain.users.models import users
from phiomia.domain.users.roles import Role
from phiomia.domain.users.sign_up import SignUpForm, draft_by_operator, sign_up
from phiomia.platform.config import Config
from phiomia.platform.db import Database, Query
from phiomia.platform.random_text import make_random_text

OWNER = "owner"
_COUNT = Query(select(func.count()).select_from(users))


async def welcome_owner(config: Config, db: Database) -> None:
    """Creates the owner and prints the sign-in, unless somebody is there already."""
    async with db.read() as session:
        if await session.value(_COUNT):
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
        f"  This is shown once. Another password: phiomia accounts reset-password {OWNER}\n",
        flush=True,
    )
