"""Keeps the children running and replaces them without losing a request; its process id never changes.

It imports the standard library only, listens before anything else is loaded and goes on listening while releases
come and go. SIGHUP replaces every child by one of the current release: the new ones are started beside the old ones,
in the order of the settings, on the same sockets; when all of them serve, the old ones drain and the supervisor
becomes the new release's supervisor by `execve`. When one of them fails, all new ones go and nothing has changed.
SIGTERM or SIGINT stops everything. An order (`orders.py`) beside SIGHUP names the roles, or asks for the new ones
only after the old ones have ended.

With a template in the settings, the children are copies of a process that has loaded the release (`template.py`).
It is started before them, ends when all of them serve, and is started again when several must come back.
One alone runs its own program, which is there sooner.

A child finds its sockets in PHIOMIA_LISTEN_FD, writes READY to PHIOMIA_READY_FD when it serves, and reaches the bus
at PHIOMIA_BUS_SOCKET. SIGTERM asks it to drain, SIGINT to end soon. These four are the contract between releases.
PHIOMIA_GENERATION says which one it belongs to: one whose connections outlive it hands them over to the next.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from phiomia.platform.crew import Crew, Steps
from phiomia.platform.handover import FORMAT, STATE_FD, become_supervisor, current_python, read_state, write_state
from phiomia.platform.listen import adopt, open_listeners
from phiomia.platform.locks import try_lock
from phiomia.platform.notify import notify_systemd, write_status
from phiomia.platform.orders import RESTART, Order, load_order, take_order
from phiomia.platform.park import ParkKeeper, may_outlive
from phiomia.platform.renewal import Renewal
from phiomia.platform.seat import HubSeat
from phiomia.platform.spawn import FOREVER, Process, count_wait
from phiomia.platform.stand_in import StandIn
from phiomia.platform.supervisor_status import describe_supervisor
from phiomia.platform.topology import Release, Settings, load_settings, settings_from_environment
from phiomia.platform.wanted import read_wanted

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
# A release that takes this many times as long as the last one did does not start: seen also on a machine that has
# much else to do, yet soon enough for who waits.
PATIENCE = 5.0
LEAST_LIMIT_S = 12.0
LOCKED_LIMIT_S = 2.0


class Supervisor:
    """The state of the supervisor and its loop."""

    def __init__(self, settings: Settings, python: str) -> None:
        self.python = python
        self.generation = 1
        self.attempt = 0
        self.state = "starting"
        self.reason = ""
        self.answered = {"id": "", "reason": ""}
        self.boot_s = 0.0
        self.selector = selectors.DefaultSelector()
        self.seat = HubSeat(self.selector, settings.bus_path)
        self.park = ParkKeeper(self.selector, os.path.dirname(settings.bus_path))
        self.crew = Crew(self.selector, settings, self._is_serving, self._publish, self._log)
        self.stand_in = StandIn(self.crew, os.path.dirname(settings.status_path), self._log)
        self.action: Steps | None = None
        self.action_wakes = FOREVER
        self.orders: deque[Order] = deque()
        self.lock = -1
        self.exit_code = 0
        self.finished = False
        self.wakers: tuple[socket.socket, ...] = ()

    @property
    def settings(self) -> Settings:
        """What the release that serves wants to run."""
        return self.crew.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.crew.settings = settings

    def _is_serving(self) -> bool:
        return self.state not in ("starting", "stopping")

    # The loop

    def run(self) -> int:
        """Serves until it is told to stop; gives the exit status."""
        while not self.finished:
            wait = max(0.0, self._next_wake() - time.monotonic())
            for key, mask in self.selector.select(None if wait == FOREVER else wait):
                key.data(mask)
            self._tick()
        self._clean_up()
        return self.exit_code

    def _next_wake(self) -> float:
        deadlines = [process.kill_at for process in self.crew.children]
        deadlines += [self.seat.retry_at, self.stand_in.wakes_at]
        if not self.crew.is_warming():
            deadlines += [slot.retry_at for slot in self.crew.slots]
        return min([self.action_wakes, *deadlines])

    def _tick(self) -> None:
        now = time.monotonic()
        problem = self.seat.retry()
        if problem:
            self._log(f"cannot serve the bus: {problem}")
        for process in self.crew.children:
            if process.kill_at <= now and not process.extend(self.settings.ready_limit_s):
                process.kill(self._why_killed(process))
                self._log(f"{process.role} {process.pid} {process.why}; killed")
        if self.state != "stopping":
            self.crew.refill(now)
            self.stand_in.look()
        if self.action is not None:
            self._step()
        # In the same breath: nothing else may wake us for a long time.
        if self.action is None and self.state == "running":
            if self.orders:
                self._begin(self._renew(self.orders.popleft()))
            elif all(slot.process.state == "ready" for slot in self.crew.slots):
                self.crew.dismiss_template()
        self.finished = self.state == "stopping" and not self.crew.children

    def _why_killed(self, process: Process) -> str:
        if process.state == "starting":
            renewed = self.action is not None and process.release.generation > self.generation
            return f"was not ready within {self.renewal_limit_s if renewed else process.limit_s:.3g} s"
        return "did not end in time"

    def _begin(self, action: Steps) -> None:
        self.action = action
        self._step()

    def _step(self) -> None:
        assert self.action is not None
        try:
            self.action_wakes = next(self.action)
        except StopIteration:
            self.action = None
            self.action_wakes = FOREVER

    # First start

    def start(self) -> None:
        """Listens, then starts every child; the loop waits for them. Raises OSError."""
        self._catch_signals()
        self._take_place()
        self.crew.listeners = open_listeners(self.settings.listen, dict(os.environ))
        self.seat.take()
        self._open_park(lambda: self.park.open(dict(os.environ)))
        self._publish()
        self._begin(self._first_start())

    def _take_place(self) -> None:
        """Makes sure that no other supervisor does the same on this data directory."""
        path = self.settings.status_path
        if not path:
            return
        deadline = time.monotonic() + LOCKED_LIMIT_S
        while (lock := try_lock(f"{path}.lock")) is None:
            # Whoever looks whether we run holds it for a moment.
            if time.monotonic() > deadline:
                raise FileExistsError(f"another supervisor runs here: it keeps {path}")
            time.sleep(0.05)
        self.lock = lock
        # Whoever sees the lock believes the file, which may still be that of somebody who has gone.
        self._publish()

    def _open_park(self, open_it: Callable[[], None]) -> None:
        try:
            open_it()
        except OSError as error:
            # Streams will be closed when the unit is restarted; that is no reason not to serve them now.
            self._log(f"streams have no place to wait in: {error}")

    def _first_start(self) -> Steps:
        begun = time.monotonic()
        crew, limit_s = self.crew, self.settings.ready_limit_s
        release = Release(self.python, self.settings.template, self.generation, self.settings.version)
        crew.template = crew.start_template(release, limit_s)
        failure = yield from crew.wait_warm(crew.template)
        if not failure:
            children = [child for child in self.settings.children for _ in range(child.processes)]
            crew.slots = [crew.fill(child, release, crew.template, limit_s) for child in children]
            failure = yield from crew.wait_ready(crew.slots)
        if failure:
            self._log(f"gave up: {failure}")
            self.exit_code = 1
            self._stop(failure)
        else:
            self.boot_s = time.monotonic() - begun
            self.state = "running"
            self._publish(READY=1, MAINPID=os.getpid())
        return failure

    # Reload and restart

    @property
    def renewal_limit_s(self) -> float:
        """How long the children of another release may take together."""
        return self.settings.reload_limit_s or max(LEAST_LIMIT_S, PATIENCE * self.boot_s)

    def _renew(self, order: Order) -> Steps:
        """Replaces every child that the order concerns, or none."""
        self.attempt += 1
        self.state = "reloading"
        self.reason = ""
        self._publish(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        begun = time.monotonic()
        deadline = begun + self.renewal_limit_s
        python = current_python()
        template: Process | None = None
        settings, failure = self.settings, "the release has no interpreter"
        if os.access(python, os.X_OK):
            check = self._start_check(python, self.renewal_limit_s)
            while check.state != "gone":
                yield FOREVER
            settings, failure = read_wanted(check, order, self.settings, self.crew.listeners, self._log)
        release = Release(python, settings.template, self.generation + 1, settings.version)
        if not failure:
            template = self.crew.start_template(release, deadline - time.monotonic())
            failure = yield from self.crew.wait_warm(template)
            deadline += count_wait(template.pid) if template is not None else 0.0
        renewal = Renewal(self.crew, order, settings, release, template, self.renewal_limit_s)
        if not failure:
            failure = yield from (renewal.restart if order.how == RESTART else renewal.reload)(deadline)
        if template is not None:
            # Before the exec: the next supervisor knows nothing of it.
            template.leave(template.stop_signal, settings.stop_limit_s)
        if failure:
            self._refuse(order, failure)
        else:
            self.boot_s = max(0.0, time.monotonic() - begun - settings.settle_s - renewal.tried_s)
            self._commit(order, settings, python)
        return failure

    def _refuse(self, order: Order, failure: str) -> None:
        self.state = "running"
        self._answer(order, failure)
        self._log(f"{order.how} refused: {failure}; the old release keeps serving")
        self._publish(READY=1)

    def _commit(self, order: Order, settings: Settings, python: str) -> None:
        self.crew.dismiss_template()
        self.settings = settings
        self.python = python
        self.generation += 1
        self._answer(order, "")
        self.stand_in.dismiss()
        self._become_next()

    def _answer(self, order: Order, reason: str) -> None:
        self.reason = reason
        if order.id:
            self.answered = {"id": order.id, "reason": reason}

    def _start_check(self, python: str, limit_s: float) -> Process:
        """Lets the new release's supervisor read our state before we depend on its being able to."""
        state_fd = write_state(self._save())
        try:
            return self.crew.children.start_check(python, state_fd, limit_s)
        finally:
            os.close(state_fd)

    def _become_next(self) -> None:
        """Turns this process into the supervisor of the release that its children already run."""
        # Between the exec and the new handlers a signal would have its default effect, which is death.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        state_fd = write_state(self._save())
        os.set_inheritable(state_fd, True)
        for fd in self._descriptors():
            os.set_inheritable(fd, True)
        try:
            become_supervisor(self.python, state_fd)
        except OSError as error:
            # The children run the new release, which is what was asked for; only this process stays behind.
            self._log(f"cannot become the new supervisor: {error}")
            os.close(state_fd)
            for fd in self._descriptors():
                os.set_inheritable(fd, False)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._resumed()

    def _resumed(self) -> None:
        self.state = "running"
        self._log(f"generation {self.generation} serves")
        self._publish(READY=1, MAINPID=os.getpid())

    def _descriptors(self) -> list[int]:
        locks = [self.lock] if self.lock >= 0 else []
        return self.crew.descriptors() + self.seat.descriptors() + self.park.descriptors() + locks

    def _save(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "settings": self.settings.save(),
            "generation": self.generation,
            "attempt": self.attempt,
            "orders": [order._asdict() for order in self.orders],
            "answered": self.answered,
            "boot_s": self.boot_s,
            "lock": self.lock,
            "listeners": {name: [sock.fileno() for sock in sockets] for name, sockets in self.crew.listeners.items()},
            "hub": self.seat.save(),
            "park": self.park.descriptors(),
            "processes": self.crew.children.save(),
            "slots": self.crew.save_slots(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Takes over what the previous generation left: sockets, children, bus connections."""
        self.generation = saved["generation"]
        self.attempt = saved["attempt"]
        self.orders += map(load_order, saved["orders"])
        self.answered = saved["answered"]
        self.boot_s = saved["boot_s"]
        self.lock = saved["lock"]
        if self.lock >= 0:
            os.set_inheritable(self.lock, False)
        for name, fds in saved["listeners"].items():
            self.crew.listeners[name] = [adopt(fd) for fd in fds]
        self.seat.restore(saved["hub"])
        self._open_park(lambda: self.park.restore(saved.get("park"), dict(os.environ)))
        self.crew.children.restore(saved["processes"])
        self.crew.restore_slots(saved["slots"])
        self._resumed()
        self._catch_signals()

    # Signals, stop, reports

    def _catch_signals(self) -> None:
        awake, wake = socket.socketpair()
        awake.setblocking(False)
        wake.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.wakers = (awake, wake)
        self.selector.register(awake, selectors.EVENT_READ, lambda _mask: self._on_signals(awake.recv(4096)))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        # What ended before we listened for it left no signal.
        self.crew.reap()

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGCHLD in numbers:
            self.crew.reap()
        if signal.SIGHUP in numbers:
            order = take_order(self.settings.status_path)
            if order not in self.orders:
                self.orders.append(order)
        stops = [number for number in numbers if number in (signal.SIGTERM, signal.SIGINT)]
        if stops and self.state == "stopping":
            if signal.SIGINT in stops:
                for process in self.crew.children:
                    process.kill()
        elif stops:
            self._stop("")

    def _stop(self, reason: str) -> None:
        self.state = "stopping"
        self.reason = reason
        self.action = None
        self.action_wakes = FOREVER
        for slot in self.crew.slots:
            slot.retry_at = FOREVER
        # Refused at once is better than queued and then cut; where systemd holds the socket too, it goes on queueing.
        for sockets in self.crew.listeners.values():
            for sock in sockets:
                sock.close()
        for process in self.crew.children:
            if self._outlives(process):
                # It hears of our end by itself, and goes on until a child of the next supervisor relieves it.
                self.crew.children.let_go(process)
                continue
            # What does not serve yet has nothing to finish, and no handler either that makes SIGINT a quiet end.
            number = signal.SIGTERM if process.state == "starting" else process.stop_signal
            process.leave(number, self.settings.stop_limit_s)
        self._publish(STOPPING=1)

    def _outlives(self, process: Process) -> bool:
        slot = next((slot for slot in self.crew.slots if slot.process is process), None)
        hands_over = slot is not None and slot.child.hands_over and process.state == "ready"
        return hands_over and self.park.pair is not None and may_outlive(dict(os.environ))

    def _clean_up(self) -> None:
        self.seat.leave()
        self.park.close()
        for path in self._unix_paths():
            if os.path.exists(path):
                os.unlink(path)
        self.state = "stopped"
        self._publish()

    def _unix_paths(self) -> list[str]:
        if "LISTEN_FDS" in os.environ:
            return []
        addresses = [address for names in self.settings.listen.values() for address in names]
        return [address.removeprefix("unix:") for address in addresses if address.startswith("unix:")]

    def _publish(self, **systemd: str | int) -> None:
        status = describe_supervisor(
            self.settings,
            self.crew.listeners,
            self.crew.children,
            generation=self.generation,
            attempt=self.attempt,
            state=self.state,
            reason=self.reason,
            answered=self.answered,
            boot_s=round(self.boot_s, 3),
            python=self.python,
        )
        try:
            write_status(self.settings.status_path, status)
            notify_systemd(**systemd, STATUS=f"{self.state}, generation {self.generation} {self.reason}".strip())
        except OSError as error:
            # A full disk must not end what serves well.
            self._log(f"cannot report the status: {error}")

    def _log(self, message: str) -> None:
        print(f"supervisor: {message}", file=sys.stderr, flush=True)


def run(settings: Settings) -> int:
    """Starts everything and serves until told to stop; gives the exit status."""
    supervisor = Supervisor(settings, current_python())
    try:
        supervisor.start()
    except OSError as error:
        # What is said of a file names it only as a whole.
        reason = error if error.filename else error.strerror or error
        print(f"supervisor: cannot start: {reason}", file=sys.stderr, flush=True)
        return 1
    return supervisor.run()


def resume(state: dict[str, Any]) -> int:
    """Goes on where the previous generation stopped."""
    supervisor = Supervisor(load_settings(state["settings"]), sys.executable)
    supervisor.restore(state)
    return supervisor.run()


def check(state: dict[str, Any]) -> None:
    """Prints the settings this release wants, after having read the state of the running one."""
    settings = load_settings(state["settings"])
    if settings.describe:
        os.execv(sys.executable, [sys.executable, "-P", *settings.describe])  # noqa: S606
    print(json.dumps(settings.save()))


def main(argv: list[str]) -> int:
    """The program: a fresh start, a start with prepared settings, the exec of a reload, or the check before it."""
    state_fd = os.environ.pop(STATE_FD, None)
    if state_fd is None:
        return run(settings_from_environment(dict(os.environ)))
    state = read_state(int(state_fd))
    os.close(int(state_fd))
    if "--check" in argv:
        check(state)
        return 0
    return resume(state) if "generation" in state else run(load_settings(state["settings"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
