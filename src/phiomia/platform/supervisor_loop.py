"""The loop of the supervisor. Standard library only."""

import time

from phiomia.platform.spawn import FOREVER, Process
from phiomia.platform.supervisor_renew import renew_children
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.supervisor_stop import clean_up


def serve(one: Supervisor) -> int:
    """Serves until it is told to stop; gives the exit status."""
    while not one.finished:
        wait = max(0.0, _next_wake(one) - time.monotonic())
        for key, mask in one.selector.select(None if wait == FOREVER else wait):
            key.data(mask)
        _tick(one)
    clean_up(one)
    return one.exit_code


def _next_wake(one: Supervisor) -> float:
    deadlines = [process.kill_at for process in one.crew.children]
    deadlines += [one.seat.retry_at, one.stand_in.wakes_at]
    if not one.crew.is_warming():
        deadlines += [slot.retry_at for slot in one.crew.slots]
    return min([one.action_wakes, *deadlines])


def _tick(one: Supervisor) -> None:
    now = time.monotonic()
    problem = one.seat.retry()
    if problem:
        one.log(f"cannot serve the bus: {problem}")
    _kill_late(one, now)
    if one.state != "stopping":
        one.crew.refill(now)
        one.stand_in.look()
    if one.action is not None:
        one.step()
    # In the same breath: nothing else may wake us for a long time.
    if one.action is None and one.state == "running":
        if one.orders:
            one.begin(renew_children(one, one.orders.popleft()))
        elif all(slot.process.state == "ready" for slot in one.crew.slots):
            one.crew.dismiss_template()
    one.finished = one.state == "stopping" and not one.crew.children


def _kill_late(one: Supervisor, now: float) -> None:
    for process in one.crew.children:
        if process.kill_at <= now and not process.extend(one.settings.ready_limit_s):
            process.kill(_why_killed(one, process))
            one.log(f"{process.role} {process.pid} {process.why}; killed")


def _why_killed(one: Supervisor, process: Process) -> str:
    if process.state == "starting":
        renewed = one.action is not None and process.release.generation > one.generation
        return f"was not ready within {one.renewal_limit_s if renewed else process.limit_s:.3g} s"
    return "did not end in time"
