"""Runs the instructions of releases: `package.module:function` becomes a call, never a shell command.

An upgrade and `phiomia step` run the same code and write the same ledger.
"""

import asyncio
import importlib
import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.upgrade import ledger
from phiomia.upgrade.report import Report


class StepError(Exception):
    """An instruction can't be executed, or went wrong."""


class StepContext(NamedTuple):
    """What an instruction works with."""

    config: Config
    db: Database
    report: Report


Step = Callable[[StepContext], Awaitable[None]]
OpenDatabase = Callable[[Config], AbstractAsyncContextManager[Database]]


def run_step(
    step_id: str,
    run: str,
    release: str,
    *,
    config: Config,
    open_database: OpenDatabase,
    report: Report,
    how: str = ledger.BY_UPGRADE,
    plan: str = "",
) -> float:
    """Executes an instruction and notes it in the ledger; gives the seconds it took. Raises StepError."""
    started = time.time()
    function = load_step(run)
    try:
        asyncio.run(_call(function, config, open_database, report))
    except Exception as error:
        raise StepError(f"{step_id} ({run}): {type(error).__name__}: {error}") from error
    ledger.record(config.database_url, step_id, release, how, started=started, plan=plan)
    return time.time() - started


def load_step(run: str) -> Step:
    """The function that `package.module:function` names. Raises StepError."""
    module, _, name = run.partition(":")
    try:
        function: Step = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StepError(f"{run} is not part of this release: {error}") from error
    if not inspect.iscoroutinefunction(function):
        raise StepError(f"{run} is no `async def`.")
    return function


async def _call(function: Step, config: Config, open_database: OpenDatabase, report: Report) -> None:
    async with open_database(config) as db:
        await function(StepContext(config, db, report))
