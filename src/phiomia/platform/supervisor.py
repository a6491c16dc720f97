"""Keeps the children running and replaces them without losing a request; its process id never changes.

It imports the standard library only, listens before anything else is loaded and goes on listening while releases
come and go. SIGHUP replaces every child by one of the current release: the new ones are started beside the old ones,
in the order of the settings, on the same sockets; when all of them serve, the old ones drain and the supervisor
becomes the new release's supervisor by `execve`. When one of them fails, all new ones go and nothing has changed.
SIGTERM or SIGINT stops everything. An order (`orders.py`) beside SIGHUP names the roles, or asks for the new ones
only after the old ones have ended.

With a template in the settings, the children are copies of a process that has loaded the release (`template.py`).
It is started before them, ends when all of them serve, and is started again when one of them must come back.

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
from collections.abc import Collection, Generator, Iterable
from typing import Any

from phiomia.platform.children import CHECK, TEMPLATE, Children
from phiomia.platform.handover import FORMAT, STATE_FD, become_supervisor, current_python, read_state, write_state
from phiomia.platform.listen import Listeners, adopt, open_listeners
from phiomia.platform.locks import try_lock
from phiomia.platform.notify import notify_systemd, write_status
from phiomia.platform.orders import RESTART, Order, load_order, take_order
from phiomia.platform.seat import HubSeat
from phiomia.platform.spawn import FOREVER, Process, adopt_orphans, count_wait
from phiomia.platform.topology import (
    Child,
    Release,
    Settings,
    load_release,
    load_settings,
    settings_from_environment,
)

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
# A release that takes this many times as long as the last one did does not start: seen also on a machine that has
# much else to do, yet soon enough for who waits.
PATIENCE = 5.0
LEAST_LIMIT_S = 12.0
LOCKED_LIMIT_S = 2.0
# A step of a long action gives the moment at which it wants to look again, whatever happens before.
Steps = Generator[float, None, str]


class Slot:
    """A place that must always be filled by a running child."""

    __slots__ = ("child", "failures", "process", "release", "retry_at")

    def __init__(self, child: Child, process: Process, release: Release) -> None:
        self.child = child
        self.process = process
        self.release = release
        self.failures = 0
        self.retry_at = FOREVER


class Supervisor:
    """The state of the supervisor and its loop."""

    def __init__(self, settings: Settings, python: str) -> None:
        self.settings = settings
        self.python = python
        self.generation = 1
        self.attempt = 0
        self.state = "starting"
        self.reason = ""
        self.answered = {"id": "", "reason": ""}
        self.boot_s = 0.0
        self.selector = selectors.DefaultSelector()
        self.listeners: Listeners = {}
        self.seat = HubSeat(self.selector, settings.bus_path)
        self.slots: list[Slot] = []
        self.children = Children(self.selector, self._publish)
        self.template: Process | None = None
        self.action: Steps | None = None
        self.action_wakes = FOREVER
        self.orders: deque[Order] = deque()
        self.lock = -1
        self.exit_code = 0
        self.finished = False
        self.wakers: tuple[socket.socket, ...] = ()

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
        deadlines = [process.kill_at for process in self.children]
        deadlines.append(self.seat.retry_at)
        if not self._is_warming():
            deadlines += [slot.retry_at for slot in self.slots]
        return min([self.action_wakes, *deadlines])

    def _tick(self) -> None:
        now = time.monotonic()
        problem = self.seat.retry()
        if problem:
            self._log(f"cannot serve the bus: {problem}")
        for process in self.children:
            if process.kill_at <= now and not process.extend(self.settings.ready_limit_s):
                process.kill(self._why_killed(process))
                self._log(f"{process.role} {process.pid} {process.why}; killed")
        if self.state != "stopping":
            self._refill([slot for slot in self.slots if slot.retry_at <= now])
        if self.action is not None:
            self._step()
        elif self.orders and self.state == "running":
            self._begin(self._renew(self.orders.popleft()))
        elif self.state == "running" and all(slot.process.state == "ready" for slot in self.slots):
            self._dismiss_template()
        self.finished = self.state == "stopping" and not self.children

    def _refill(self, due: list[Slot]) -> None:
        if not due:
            return
        if self.template is None:
            self.template = self._start_template(due[0].release, self.settings.ready_limit_s)
        release = due[0].release if self.template is None else self.template.release
        if self.template is not None and self.template.state == "gone":
            self._lost_template(self.template)
            return
        if self._is_warming():
            return
        for slot in due:
            if slot.release == release:
                slot.retry_at = FOREVER
                slot.process = self._start(slot.child, release, self.template, self.settings.ready_limit_s)
                if slot.process.state == "gone":
                    self._lost(slot.process)
                self._publish()
        if any(slot.release != release for slot in due):
            # Roles that were left out of a reload: their turn comes with a template of their own release.
            self._dismiss_template()

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
        self.listeners = open_listeners(self.settings.listen, dict(os.environ))
        self.seat.take()
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

    def _first_start(self) -> Steps:
        begun = time.monotonic()
        release = Release(self.python, self.settings.template, self.generation, self.settings.version)
        limit_s = self.settings.ready_limit_s
        self.template = self._start_template(release, limit_s)
        failure = yield from self._wait_warm(self.template)
        if not failure:
            children = [child for child in self.settings.children for _ in range(child.processes)]
            self.slots = [self._fill(child, release, self.template, limit_s) for child in children]
            failure = yield from self._wait_ready(self.slots)
        if failure:
            self._log(f"gave up: {failure}")
            self.exit_code = 1
            self._stop(failure)
        else:
            self.boot_s = time.monotonic() - begun
            self.state = "running"
            self._publish(READY=1, MAINPID=os.getpid())
        return failure

    def _wait_ready(self, slots: Iterable[Slot]) -> Steps:
        while True:
            states = {slot.process.state for slot in slots}
            gone = next((slot.process for slot in slots if slot.process.state == "gone"), None)
            if gone is not None:
                return f"{gone.role} {gone.why}"
            if states <= {"ready"}:
                return ""
            yield FOREVER

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
            settings, failure = self._read_check(check, order)
        release = Release(python, settings.template, self.generation + 1, settings.version)
        if not failure:
            template = self._start_template(release, deadline - time.monotonic())
            failure = yield from self._wait_warm(template)
            deadline += count_wait(template.pid) if template is not None else 0.0
        if not failure:
            change = self._restart if order.how == RESTART else self._reload
            failure = yield from change(order, settings, release, template, deadline)
        if template is not None:
            # Before the exec: the next supervisor knows nothing of it.
            template.leave(template.stop_signal, settings.stop_limit_s)
        if failure:
            self._refuse(order, failure)
        else:
            self.boot_s = max(0.0, time.monotonic() - begun - settings.settle_s)
            self._commit(order, settings, python)
        return failure

    def _reload(
        self, order: Order, settings: Settings, release: Release, template: Process | None, deadline: float
    ) -> Steps:
        """New children beside the old ones, which drain when all new ones serve."""
        candidates: list[Slot] = []
        failure = yield from self._bring_up(order, settings, release, template, deadline, candidates)
        if failure:
            self._discard(candidates)
            return failure
        for slot in candidates:
            slot.process.admit()
        kept = [slot for slot in self.slots if self._keeps(slot, order, settings)]
        for slot in self.slots:
            if slot not in kept:
                slot.process.leave(signal.SIGTERM, settings.drain_limit_s)
        self.slots = _in_order(settings, [*kept, *candidates])
        return ""

    def _bring_up(
        self,
        order: Order,
        settings: Settings,
        release: Release,
        template: Process | None,
        deadline: float,
        candidates: list[Slot],
    ) -> Steps:
        for child in settings.children:
            if not order.concerns(child.role):
                continue
            limit_s = max(0.1, deadline - time.monotonic())
            added = [self._fill(child, release, template, limit_s) for _ in range(child.processes)]
            for slot in added:
                slot.process.held = True
            candidates += added
            failure = yield from self._wait_ready(candidates)
            if failure:
                return failure
            deadline += max((count_wait(slot.process.pid) for slot in added), default=0.0)
        # A child that falls over soon is found out before it was given a single request.
        return (yield from self._settle(candidates, settings))

    def _settle(self, candidates: list[Slot], settings: Settings) -> Steps:
        settled_at = time.monotonic() + settings.settle_s
        while time.monotonic() < settled_at:
            yield settled_at
            failure = yield from self._wait_ready(candidates)
            if failure:
                return failure
        return ""

    def _restart(
        self, order: Order, settings: Settings, release: Release, template: Process | None, deadline: float
    ) -> Steps:
        """Ends the old children, then starts new ones; when these fail, the old release again.

        Those that hand their connections over end last, when there is somebody to take them.
        """
        replaced = [slot for slot in self.slots if not self._keeps(slot, order, settings)]
        handing = [slot for slot in replaced if slot.child.hands_over and order.concerns(slot.child.role)]
        before = [slot for slot in replaced if slot not in handing]
        self.slots = [slot for slot in self.slots if slot not in before]
        for slot in before:
            slot.process.leave(slot.process.stop_signal, settings.stop_limit_s)
        while any(slot.process.state != "gone" for slot in before):
            yield FOREVER
        # The wait for the old ones must not be counted against the new ones.
        limit_s = max(self.renewal_limit_s, deadline - time.monotonic())
        children = [child for child in settings.children if order.concerns(child.role) for _ in range(child.processes)]
        candidates = [self._fill(child, release, template, limit_s) for child in children]
        for slot in candidates:
            slot.process.held = slot.child.hands_over
        failure = yield from self._wait_ready(candidates)
        if not failure:
            failure = yield from self._settle(candidates, settings)
        if not failure:
            self.slots = [slot for slot in self.slots if slot not in handing]
            for slot in candidates:
                slot.process.admit()
            for slot in handing:
                slot.process.leave(signal.SIGTERM, settings.drain_limit_s)
            self.slots = _in_order(settings, [*self.slots, *candidates])
            return ""
        self._discard(candidates)
        back = [self._vacant(slot.child, slot.release) for slot in before]
        self.slots = _in_order(self.settings, [*self.slots, *back])
        yield from self._wait_back(back)
        return failure

    def _wait_back(self, slots: list[Slot]) -> Steps:
        until = time.monotonic() + self.settings.ready_limit_s
        while time.monotonic() < until and any(slot.process.state != "ready" for slot in slots):
            yield until
        return ""

    def _keeps(self, slot: Slot, order: Order, settings: Settings) -> bool:
        wanted = {child.role for child in settings.children}
        return not order.concerns(slot.child.role) and slot.child.role in wanted

    def _discard(self, candidates: list[Slot]) -> None:
        for slot in candidates:
            if slot.process.state == "ready":
                # A role that does not wait to be admitted may be at work already: let it finish.
                slot.process.leave(signal.SIGTERM, self.settings.drain_limit_s)
            else:
                slot.process.kill()

    def _refuse(self, order: Order, failure: str) -> None:
        self.state = "running"
        self._answer(order, failure)
        self._log(f"{order.how} refused: {failure}; the old release keeps serving")
        self._publish(READY=1)

    def _commit(self, order: Order, settings: Settings, python: str) -> None:
        self._dismiss_template()
        self.settings = settings
        self.python = python
        self.generation += 1
        self._answer(order, "")
        self._become_next()

    def _answer(self, order: Order, reason: str) -> None:
        self.reason = reason
        if order.id:
            self.answered = {"id": order.id, "reason": reason}

    def _start_check(self, python: str, limit_s: float) -> Process:
        """Lets the new release's supervisor read our state before we depend on its being able to."""
        state_fd = write_state(self._save())
        try:
            return self.children.start_check(python, state_fd, limit_s)
        finally:
            os.close(state_fd)

    def _read_check(self, check: Process, order: Order) -> tuple[Settings, str]:
        if check.exit_code != 0:
            return self.settings, f"the new release does not start: its supervisor {check.why}"
        try:
            settings = load_settings(json.loads(check.heard))
        except (ValueError, KeyError, TypeError) as error:
            return self.settings, f"the new release gives no settings: {error!r}"
        missing = [role for role in order.roles or () if role not in {child.role for child in settings.children}]
        if missing:
            return self.settings, f"the release has no role {', '.join(missing)}"
        unknown = {child.listen for child in settings.children} - {*self.listeners, ""}
        if unknown:
            return self.settings, f"no socket for {', '.join(sorted(unknown))}: a new address needs a restart"
        if settings.listen not in ({}, self.settings.listen):
            self._log("a changed address takes effect with a restart")
        same = {name: getattr(self.settings, name) for name in ("listen", "bus_path", "status_path")}
        return settings._replace(**same), ""

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
        listeners = [sock.fileno() for sockets in self.listeners.values() for sock in sockets]
        locks = [self.lock] if self.lock >= 0 else []
        return listeners + self.children.pipes() + self.seat.descriptors() + locks

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
            "listeners": {name: [sock.fileno() for sock in sockets] for name, sockets in self.listeners.items()},
            "hub": self.seat.save(),
            "processes": self.children.save(),
            "slots": [
                {
                    "child": slot.child._asdict(),
                    "release": slot.release._asdict(),
                    "pid": slot.process.pid,
                    "failures": slot.failures,
                }
                for slot in self.slots
            ],
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
            self.listeners[name] = [adopt(fd) for fd in fds]
        self.seat.restore(saved["hub"])
        self.children.restore(saved["processes"])
        for entry in saved["slots"]:
            self._restore_slot(entry)
        self._resumed()
        self._catch_signals()

    def _restore_slot(self, entry: dict[str, Any]) -> None:
        child = load_settings({"listen": {}, "children": [entry["child"]], "bus_path": ""}).children[0]
        release = load_release(entry["release"])
        process = self.children.processes.get(entry["pid"])
        # One whose process had ended before the exec was about to get another.
        slot = self._vacant(child, release) if process is None else Slot(child, process, release)
        slot.failures = entry["failures"]
        self.slots.append(slot)

    # Children

    def _vacant(self, child: Child, release: Release) -> Slot:
        slot = Slot(child, Process(child.role, -1, -1, child.stop_signal, 0), release)
        slot.process.reaped(0)
        slot.retry_at = time.monotonic()
        return slot

    def _fill(self, child: Child, release: Release, template: Process | None, limit_s: float) -> Slot:
        return Slot(child, self._start(child, release, template, limit_s), release)

    def _start(self, child: Child, release: Release, template: Process | None, limit_s: float) -> Process:
        sockets = [sock.fileno() for sock in self.listeners.get(child.listen, ())]
        bus = self.settings.bus_path
        child = child._replace(env=child.env | {"PHIOMIA_GENERATION": str(release.generation)})
        if template is None:
            process = self.children.start(child, release.python, sockets, bus, limit_s)
        else:
            process = self.children.copy(template, child, sockets, bus, limit_s)
        process.release = release
        return process

    def _start_template(self, release: Release, limit_s: float) -> Process | None:
        # What is copied is not our child until its parent, the template's other copy, has ended.
        if not release.template or not adopt_orphans():
            return None
        process = self.children.start_template(release.template, release.python, max(0.1, limit_s))
        process.release = release
        return process

    def _wait_warm(self, template: Process | None) -> Steps:
        while template is not None and template.state != "ready":
            if template.state == "gone":
                return f"{TEMPLATE} {template.why}"
            yield FOREVER
        return ""

    def _is_warming(self) -> bool:
        return self.template is not None and self.template.state == "starting"

    def _dismiss_template(self) -> None:
        if self.template is not None:
            # What its children have made their own it would keep as it was, for nobody.
            self.template.leave(self.template.stop_signal, self.settings.stop_limit_s)
            self.template = None

    def _reap(self) -> None:
        for process, told in self.children.reap():
            if process is self.template:
                self._lost_template(process)
            elif not told:
                self._lost(process)
            self._publish()

    def _lost(self, process: Process) -> None:
        """A child ended that nobody had told to: it comes back, later each time."""
        slot = next((slot for slot in self.slots if slot.process is process), None)
        if slot is None or self.state in ("starting", "stopping"):
            return
        if time.monotonic() - process.since >= HEALTHY_AFTER_S:
            slot.failures = 0
        delay = self._delay(slot)
        self._log(f"{process.role} {process.pid} {process.why}; starting another in {delay:g} s")

    def _lost_template(self, process: Process) -> None:
        """The template ended, perhaps before it had made what we wanted of it."""
        self.template = None
        if self.state in ("starting", "stopping"):
            return
        self._log(f"{process.role} {process.pid} {process.why}")
        now = time.monotonic()
        for slot in self.slots:
            if slot.retry_at <= now:
                self._delay(slot)

    def _delay(self, slot: Slot) -> float:
        delay: float = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**slot.failures)
        slot.failures += 1
        slot.retry_at = time.monotonic() + delay
        return delay

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
        self._reap()

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGHUP in numbers:
            order = take_order(self.settings.status_path)
            if order not in self.orders:
                self.orders.append(order)
        stops = [number for number in numbers if number in (signal.SIGTERM, signal.SIGINT)]
        if stops and self.state == "stopping":
            if signal.SIGINT in stops:
                for process in self.children:
                    process.kill()
        elif stops:
            self._stop("")

    def _stop(self, reason: str) -> None:
        self.state = "stopping"
        self.reason = reason
        self.action = None
        self.action_wakes = FOREVER
        for slot in self.slots:
            slot.retry_at = FOREVER
        # Refused at once is better than queued and then cut; where systemd holds the socket too, it goes on queueing.
        for sockets in self.listeners.values():
            for sock in sockets:
                sock.close()
        for process in self.children:
            # What does not serve yet has nothing to finish, and no handler either that makes SIGINT a quiet end.
            number = signal.SIGTERM if process.state == "starting" else process.stop_signal
            process.leave(number, self.settings.stop_limit_s)
        self._publish(STOPPING=1)

    def _clean_up(self) -> None:
        self.seat.leave()
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
        children = [process for process in self.children if process.role not in (CHECK, TEMPLATE)]
        status = {
            "pid": os.getpid(),
            "generation": self.generation,
            "attempt": self.attempt,
            "state": self.state,
            "reason": self.reason,
            "answered": self.answered,
            "boot_s": round(self.boot_s, 3),
            "python": self.python,
            "version": self.settings.version,
            "roles": [child.role for child in self.settings.children],
            "listen": {name: [_name(sock) for sock in sockets] for name, sockets in self.listeners.items()},
            "children": [
                {
                    "role": child.role,
                    "pid": child.pid,
                    "state": child.state,
                    "generation": child.release.generation,
                    "python": child.release.python,
                    "version": child.release.version,
                }
                for child in children
            ],
        }
        try:
            write_status(self.settings.status_path, status)
            notify_systemd(**systemd, STATUS=f"{self.state}, generation {self.generation} {self.reason}".strip())
        except OSError as error:
            # A full disk must not end what serves well.
            self._log(f"cannot report the status: {error}")

    def _log(self, message: str) -> None:
        print(f"supervisor: {message}", file=sys.stderr, flush=True)


def _in_order(settings: Settings, slots: Collection[Slot]) -> list[Slot]:
    roles = [child.role for child in settings.children]
    return sorted(slots, key=lambda slot: roles.index(slot.child.role) if slot.child.role in roles else len(roles))


def run(settings: Settings) -> int:
    """Starts everything and serves until told to stop; gives the exit status."""
    supervisor = Supervisor(settings, current_python())
    try:
        supervisor.start()
    except OSError as error:
        print(f"supervisor: cannot start: {error}", file=sys.stderr, flush=True)
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


def _name(sock: socket.socket) -> str:
    if sock.fileno() < 0:
        return ""
    name = sock.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
