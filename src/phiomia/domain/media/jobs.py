"""Later work about uploads."""

from pathlib import Path
from typing import Protocol

from phiomia.domain.instance.files import DeleteFiles, delete_files
from phiomia.domain.media.discard import discard_forgotten_sources, discard_unattached
from phiomia.domain.media.process import process_media
from phiomia.domain.media.tidy_copies import TidyCopies, run_tidy_copies
from phiomia.platform.clock import DAY, HOUR, SECOND, now_ms
from phiomia.platform.jail.process import is_film_under_way
from phiomia.platform.jobs.context import HasConfig, HasDatabase, HasStorage
from phiomia.platform.jobs.defer import Job
from phiomia.platform.jobs.handlers import Handler, Retry
from phiomia.platform.jobs.periodic import Periodic

UNATTACHED_MS = DAY
_LOOK_AGAIN_MS = SECOND


class ProcessMedia(Job, frozen=True):
    """Decode an upload and store what may be shown."""

    TYPE = "media.process"
    QUEUE = "local"

    media_id: int


class ProcessFilm(Job, frozen=True):
    """The same for films and sounds, which may take minutes: one at a time, on a queue where nobody waits for it."""

    TYPE = "media.process_film"
    QUEUE = "pull"

    media_id: int


class DiscardMedia(Job, frozen=True):
    """Remove uploads that nobody has posted within a day, and halves of files that a killed process left."""

    TYPE = "media.discard"
    QUEUE = "scheduled"


class Context(HasDatabase, HasConfig, HasStorage, Protocol):
    """What the handlers need of the worker's context."""


async def run_process_media(context: Context, job: ProcessMedia) -> None:
    """Handler of ProcessMedia."""
    await process_media(context.db, context.storage, _temporary(context), job.media_id)


async def run_process_film(context: Context, job: ProcessFilm) -> None:
    """Handler of ProcessFilm."""
    if is_film_under_way():
        raise Retry("another film is being decoded", delay_ms=_LOOK_AGAIN_MS, counts=False)
    await process_media(context.db, context.storage, _temporary(context), job.media_id)


async def run_discard_media(context: Context, _job: DiscardMedia) -> None:
    """Handler of DiscardMedia."""
    before = now_ms() - UNATTACHED_MS
    while await context.db.write(lambda session: discard_unattached(session, before)):
        pass
    await discard_forgotten_sources(_temporary(context), before)
    await context.storage.discard_unfinished()


def _temporary(context: Context) -> Path:
    return context.config.data_dir / "tmp"


HANDLERS = (
    Handler(ProcessMedia, run_process_media, limit_s=180.0),
    Handler(ProcessFilm, run_process_film, limit_s=3_600.0),
    Handler(DiscardMedia, run_discard_media),
    Handler(TidyCopies, run_tidy_copies, limit_s=3_600.0),
    Handler(DeleteFiles, delete_files),
)
PERIODIC = (Periodic("media.discard", HOUR, DiscardMedia), Periodic("media.tidy_copies", HOUR, TidyCopies))
