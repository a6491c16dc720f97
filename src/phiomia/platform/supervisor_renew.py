"""Reload and restart: replaces every child that an order concerns, or none. Standard library only."""

import os
import time

from phiomia.platform.crew import Steps
from phiomia.platform.handover import current_python, write_state
from phiomia.platform.orders import RESTART, Order
from phiomia.platform.renewal import Renewal
from phiomia.platform.spawn import FOREVER, Process, count_wait
from phiomia.platform.supervisor_next import become_next, save_supervisor
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.topology import Release, Settings
from phiomia.platform.wanted import read_wanted


def renew_children(one: Supervisor, order: Order) -> Steps:
    """Replaces every child that the order concerns, or none; gives why none."""
    one.attempt += 1
    one.state = "reloading"
    one.reason = ""
    one.publish(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
    begun = time.monotonic()
    deadline = begun + one.renewal_limit_s
    python = current_python()
    template: Process | None = None
    settings, failure = one.settings, "the release has no interpreter"
    if os.access(python, os.X_OK):
        check = _start_check(one, python)
        while check.state != "gone":
            yield FOREVER
        settings, failure = read_wanted(check, order, one.settings, one.crew.listeners, one.log)
    release = Release(python, settings.template, one.generation + 1, settings.version)
    if not failure:
        template = one.crew.start_template(release, deadline - time.monotonic())
        failure = yield from one.crew.wait_warm(template)
        deadline += count_wait(template.pid) if template is not None else 0.0
    renewal = Renewal(one.crew, order, settings, release, template, one.renewal_limit_s)
    if not failure:
        failure = yield from (renewal.restart if order.how == RESTART else renewal.reload)(deadline)
    if template is not None:
        # Before the exec: the next supervisor knows nothing of it.
        template.leave(template.stop_signal, settings.stop_limit_s)
    if failure:
        _refuse(one, order, failure)
    else:
        one.boot_s = max(0.0, time.monotonic() - begun - settings.settle_s - renewal.tried_s)
        _commit(one, order, settings, python)
    return failure


def _start_check(one: Supervisor, python: str) -> Process:
    """Lets the new release's supervisor read our state before we depend on its being able to."""
    state_fd = write_state(save_supervisor(one))
    try:
        return one.crew.children.start_check(python, state_fd, one.renewal_limit_s)
    finally:
        os.close(state_fd)


def _refuse(one: Supervisor, order: Order, failure: str) -> None:
    one.state = "running"
    _answer(one, order, failure)
    one.log(f"{order.how} refused: {failure}; the old release keeps serving")
    one.publish(READY=1)


def _commit(one: Supervisor, order: Order, settings: Settings, python: str) -> None:
    one.crew.dismiss_template()
    one.settings = settings
    one.python = python
    one.generation += 1
    _answer(one, order, "")
    one.stand_in.dismiss()
    become_next(one)


def _answer(one: Supervisor, order: Order, reason: str) -> None:
    one.reason = reason
    if order.id:
        one.answered = {"id": order.id, "reason": reason}
