"""Removes stored files for good, after the transaction that let go of them."""

from phiomia.platform.db import WriteSession
from phiomia.platform.jobs.context import HasStorage
from phiomia.platform.jobs.defer import Job, defer


class DeleteFiles(Job, frozen=True):
    """Remove files that nothing refers to any more."""

    TYPE = "instance.delete_files"
    QUEUE = "scheduled"

    keys: list[str]


async def defer_deletion(session: WriteSession, *keys: str) -> None:
    """Lets files be removed once this transaction stands; empty keys are left out."""
    named = [key for key in keys if key]
    if named:
        await defer(session, DeleteFiles(named))


async def delete_files(context: HasStorage, job: DeleteFiles) -> None:
    """Handler of DeleteFiles."""
    for key in job.keys:
        await context.storage.delete(key)
