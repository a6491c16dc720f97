"""The mail to the owners of the server when a release mends a weakness."""

from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.users.jobs import Context
from phiomia.domain.users.letters import Letter, address
from phiomia.domain.users.mail import Mail
from phiomia.domain.users.models import users
from phiomia.domain.users.queries import load_user
from phiomia.domain.users.roles import Role
from phiomia.platform.config import Config
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.defer import defer_many
from phiomia.platform.jobs.handlers import Handler


class TellOfRelease(Job, frozen=True):
    """Tell each owner of a release that mends a weakness."""

    TYPE = "users.tell_of_release"
    QUEUE = "mail"

    version: str


class SendReleaseLetter(Job, frozen=True):
    """Send one of them the mail."""

    TYPE = "users.send_release_letter"
    QUEUE = "mail"

    user_id: int
    version: str


_OWNERS = Query(
    select(users.c.id).where(
        users.c.role == P("role"), users.c.confirmed_at.is_not(None), users.c.disabled_at.is_(None)
    )
)


async def tell_of_release(context: Context, job: TellOfRelease) -> None:
    """Handler of TellOfRelease."""

    async def defer_letters(session: WriteSession) -> None:
        owners = await session.all(_OWNERS, role=int(Role.OWNER))
        await defer_many(session, [SendReleaseLetter(row[0], job.version) for row in owners])

    await context.db.write(defer_letters)


async def send_release_letter(context: Context, job: SendReleaseLetter) -> None:
    """Handler of SendReleaseLetter."""
    async with context.db.read() as session:
        try:
            user = await load_user(session, job.user_id)
        except NotFound:
            return
    await context.mailer.send(write_letter(context.config, user.username, user.email, job.version))


def write_letter(config: Config, username: str, email: str, version: str) -> Mail:
    """The mail."""
    letter = Letter(
        f"{config.domain} should be upgraded: {version} mends a weakness",
        (
            f"Hello {username},",
            f"a new release of the software that runs {config.domain} mends a weakness. Please take {version} up soon.",
            "Whoever may sign in on the machine sees what an upgrade would do with `phiomia upgrade plan`, and does it "
            "with `phiomia upgrade`. People go on reading and writing meanwhile.",
            "You get this once for each such release, because you are an owner of the server.",
        ),
    )
    return address(letter, email)


HANDLERS = (Handler(TellOfRelease, tell_of_release), Handler(SendReleaseLetter, send_release_letter))
