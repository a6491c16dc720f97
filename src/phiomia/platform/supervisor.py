"""Keeps the children running and replaces them without losing a request; its process id never changes.

It imports the standard library only, listens before anything else is loaded and goes on listening while releases
come and go. SIGHUP replaces every child by one of the current release: the new ones are started beside the old ones,
in the order of the settings, on the same sockets; when all of them serve, the old ones drain and the supervisor
becomes the new release's supervisor by `execve`. When one of them fails, all new ones go and nothing has changed.
SIGTERM or SIGINT stops everything.

With a template in the settings, the children are copies of a process that has loaded the release (`template.py`).
It is started before them, ends when all of them serve, and is started again when one of them must come back.

A child finds its sockets in PHIOMIA_LISTEN_FD, writes READY to PHIOMIA_READY_FD when it serves, and reaches the bus
at PHIOMIA_BUS_SOCKET. SIGTERM asks it to drain, SIGINT to end soon. These four are the contract between releases.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Generator, Iterable
from typing import Any

from phiomia.platform.children import CHECK, TEMPLATE, Children
from phiomia.platform.handover import FORMAT, STATE_FD, become_supervisor, current_python, read_state, write_state
from phiomia.platform.hub import Hub
from phiomia.platform.listen import Listeners, adopt, bind_unix, open_listeners
from phiomia.platform.notify import notify_systemd, write_status
from phiomia.platform.spawn import FOREVER, Process, adopt_orphans
from phiomia.platform.topology import Child, Settings, load_settings, settings_from_environment

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
# A step of a long action gives the moment at which it wants to look again, whatever happens before.
Steps = Generator[float, None, str]


class Slot:
    """A place that must always be filled by a running child."""

    __slots__ = ("child", "failures", "process", "retry_at")

    def __init__(self, child: Child, process: Process) -> None:
        self.child = child
        self.process = process
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
        self.selector = selectors.DefaultSelector()
        self.listeners: Listeners = {}
        self.hub: Hub | None = None
        self.slots: list[Slot] = []
        self.children = Children(self.selector, self._publish)
        self.template: Process | None = None
        self.action: Steps | None = None
        self.action_wakes = FOREVER
        self.reload_wanted = False
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
        if not self._is_warming():
            deadlines += [slot.retry_at for slot in self.slots]
        return min([self.action_wakes, *deadlines])

    def _tick(self) -> None:
        now = time.monotonic()
        for process in self.children:
            if process.kill_at <= now:
                process.kill(self._why_killed(process))
                self._log(f"{process.role} {process.pid} {process.why}; killed")
        if self.state != "stopping":
            self._refill([slot for slot in self.slots if slot.retry_at <= now])
        if self.action is not None:
            self._step()
        elif self.reload_wanted and self.state == "running":
            self.reload_wanted = False
            self._begin(self._reload())
        elif self.state == "running" and all(slot.process.state == "ready" for slot in self.slots):
            self._dismiss_template()
        self.finished = self.state == "stopping" and not self.children

    def _refill(self, due: list[Slot]) -> None:
        if due and self.template is None:
            self.template = self._start_template(self.settings, self.python)
        if self.template is not None and self.template.state == "gone":
            self._lost_template(self.template)
            return
        if self._is_warming():
            return
        for slot in due:
            slot.retry_at = FOREVER
            slot.process = self._start(slot.child, self.python, self.template)
            if slot.process.state == "gone":
                self._lost(slot.process)
            self._publish()

    def _why_killed(self, process: Process) -> str:
        if process.state == "starting":
            return f"was not ready within {self.settings.ready_limit_s:g} s"
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
        """Listens, then starts every child; the loop waits for them."""
        self._catch_signals()
        self.listeners = open_listeners(self.settings.listen, dict(os.environ))
        self.hub = Hub(self.selector, bind_unix(self.settings.bus_path))
        self._publish()
        self._begin(self._first_start())

    def _first_start(self) -> Steps:
        self.template = self._start_template(self.settings, self.python)
        failure = yield from self._wait_warm(self.template)
        if not failure:
            children = [child for child in self.settings.children for _ in range(child.processes)]
            self.slots = [self._fill(child, self.python, self.template) for child in children]
            failure = yield from self._wait_ready(self.slots)
        if failure:
            self._log(f"gave up: {failure}")
            self.exit_code = 1
            self._stop(failure)
        else:
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

    # Reload

    def _reload(self) -> Steps:
        """Replaces every child, or none."""
        self.attempt += 1
        self.state = "reloading"
        self.reason = ""
        self._publish(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        python = current_python()
        candidates: list[Slot] = []
        template: Process | None = None
        settings, failure = self.settings, "the release has no interpreter"
        if os.access(python, os.X_OK):
            check = self._start_check(python)
            while check.state != "gone":
                yield FOREVER
            settings, failure = self._read_check(check)
        if not failure:
            template = self._start_template(settings, python)
            failure = yield from self._wait_warm(template)
        if not failure:
            failure = yield from self._bring_up(settings, python, template, candidates)
        if template is not None:
            # Before the exec: the next supervisor knows nothing of it.
            template.leave(template.stop_signal, settings.stop_limit_s)
        if failure:
            self._refuse(candidates, failure)
        else:
            self._commit(candidates, settings, python)
        return failure

    def _bring_up(self, settings: Settings, python: str, template: Process | None, candidates: list[Slot]) -> Steps:
        for child in settings.children:
            added = [self._fill(child, python, template) for _ in range(child.processes)]
            for slot in added:
                slot.process.held = True
            candidates += added
            failure = yield from self._wait_ready(candidates)
            if failure:
                return failure
        # A child that falls over soon is found out before it was given a single request.
        settled_at = time.monotonic() + settings.settle_s
        while time.monotonic() < settled_at:
            yield settled_at
            failure = yield from self._wait_ready(candidates)
            if failure:
                return failure
        return ""

    def _refuse(self, candidates: list[Slot], failure: str) -> None:
        for slot in candidates:
            if slot.process.state == "ready":
                # A role that does not wait to be admitted may be at work already: let it finish.
                slot.process.leave(signal.SIGTERM, self.settings.drain_limit_s)
            else:
                slot.process.kill()
        self.state = "running"
        self.reason = failure
        self._log(f"reload refused: {failure}; the old processes keep serving")
        self._publish(READY=1)

    def _commit(self, candidates: list[Slot], settings: Settings, python: str) -> None:
        for slot in candidates:
            slot.process.admit()
        for slot in self.slots:
            slot.process.leave(signal.SIGTERM, settings.drain_limit_s)
        self._dismiss_template()
        self.slots = candidates
        self.settings = settings
        self.python = python
        self.generation += 1
        self._become_next()

    def _start_check(self, python: str) -> Process:
        """Lets the new release's supervisor read our state before we depend on its being able to."""
        state_fd = write_state(self._save())
        try:
            return self.children.start_check(python, state_fd, self.settings.ready_limit_s)
        finally:
            os.close(state_fd)

    def _read_check(self, check: Process) -> tuple[Settings, str]:
        if check.exit_code != 0:
            return self.settings, f"the new release does not start: its supervisor {check.why}"
        try:
            settings = load_settings(json.loads(check.heard))
        except (ValueError, KeyError, TypeError) as error:
            return self.settings, f"the new release gives no settings: {error!r}"
        unknown = {child.listen for child in settings.children} - {*self.listeners, ""}
        if unknown:
            return self.settings, f"no socket for {', '.join(sorted(unknown))}: a new address needs a restart"
        if settings.listen not in ({}, self.settings.listen):
            self._log("a changed address takes effect with a restart")
        return settings._replace(listen=self.settings.listen, bus_path=self.settings.bus_path), ""

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
        assert self.hub is not None
        listeners = [sock.fileno() for sockets in self.listeners.values() for sock in sockets]
        return listeners + self.children.pipes() + self.hub.descriptors()

    def _save(self) -> dict[str, Any]:
        assert self.hub is not None
        return {
            "format": FORMAT,
            "settings": self.settings.save(),
            "generation": self.generation,
            "attempt": self.attempt,
            "reload_wanted": self.reload_wanted,
            "listeners": {name: [sock.fileno() for sock in sockets] for name, sockets in self.listeners.items()},
            "hub": self.hub.save(),
            "processes": self.children.save(),
            "slots": [
                {"child": slot.child._asdict(), "pid": slot.process.pid, "failures": slot.failures}
                for slot in self.slots
            ],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Takes over what the previous generation left: sockets, children, bus connections."""
        self.generation = saved["generation"]
        self.attempt = saved["attempt"]
        self.reload_wanted = saved["reload_wanted"]
        for name, fds in saved["listeners"].items():
            self.listeners[name] = [adopt(fd) for fd in fds]
        self.hub = Hub(self.selector, adopt(saved["hub"]["listener"]))
        self.hub.restore(saved["hub"]["clients"])
        self.children.restore(saved["processes"])
        for entry in saved["slots"]:
            self._restore_slot(entry)
        self._resumed()
        self._catch_signals()

    def _restore_slot(self, entry: dict[str, Any]) -> None:
        settings = load_settings({"listen": {}, "children": [entry["child"]], "bus_path": ""})
        process = self.children.processes.get(entry["pid"])
        child = settings.children[0]
        # One whose process had ended before the exec was about to get another.
        slot = Slot(child, process or Process(child.role, -1, -1, child.stop_signal, 0))
        if process is None:
            slot.process.reaped(0)
            slot.retry_at = time.monotonic()
        slot.failures = entry["failures"]
        self.slots.append(slot)

    # Children

    def _fill(self, child: Child, python: str, template: Process | None) -> Slot:
        return Slot(child, self._start(child, python, template))

    def _start(self, child: Child, python: str, template: Process | None) -> Process:
        sockets = [sock.fileno() for sock in self.listeners.get(child.listen, ())]
        bus, limit_s = self.settings.bus_path, self.settings.ready_limit_s
        if template is None:
            return self.children.start(child, python, sockets, bus, limit_s)
        return self.children.copy(template, child, sockets, bus, limit_s)

    def _start_template(self, settings: Settings, python: str) -> Process | None:
        # What is copied is not our child until its parent, the template's other copy, has ended.
        if not settings.template or not adopt_orphans():
            return None
        return self.children.start_template(settings.template, python, settings.ready_limit_s)

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
            self.reload_wanted = True
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
        if self.hub is not None:
            self.hub.close()
        for path in [self.settings.bus_path, *self._unix_paths()]:
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
            "python": self.python,
            "listen": {name: [_name(sock) for sock in sockets] for name, sockets in self.listeners.items()},
            "children": [{"role": child.role, "pid": child.pid, "state": child.state} for child in children],
        }
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
