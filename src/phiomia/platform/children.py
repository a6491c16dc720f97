"""The children of the supervisor: started, listened to until they are ready, and reaped. Standard library only.

A child is a program of its own, or a copy of the release's template (`template.py`), which the supervisor starts first.
"""

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

from phiomia.platform.handover import STATE_FD, SUPERVISOR
from phiomia.platform.spawn import FOREVER, Process, restore_process, spawn
from phiomia.platform.template import TEMPLATE_FD, ask_for_copy
from phiomia.platform.topology import PYTHON, Child

CHECK = "release check"
TEMPLATE = "template"
SYSTEMD_ONLY = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


class Children:
    """Every child that was not reaped yet, by process id."""

    def __init__(self, selector: selectors.BaseSelector, on_ready: Callable[[], None]) -> None:
        self.selector = selector
        self.on_ready = on_ready
        self.processes: dict[int, Process] = {}

    def __iter__(self) -> Iterator[Process]:
        return iter(list(self.processes.values()))

    def __len__(self) -> int:
        return len(self.processes)

    def start(self, child: Child, python: str, sockets: list[int], bus_path: str, limit_s: float) -> Process:
        """Starts one child on the sockets; one that cannot even be started is gone from the beginning."""
        heard, said = _talk()
        env = _inherited() | child.env
        env["PHIOMIA_LISTEN_FD"] = ",".join(map(str, sockets))
        env["PHIOMIA_READY_FD"] = str(said)
        env["PHIOMIA_BUS_SOCKET"] = bus_path
        process = Process(child.role, -1, heard, child.stop_signal, limit_s)
        return self._launch(process, _with_python(child.argv, python), env, [*sockets, said], said)

    def start_template(self, argv: tuple[str, ...], python: str, limit_s: float) -> Process:
        """Starts the process of which `copy` makes children once it is ready."""
        heard, said = os.pipe()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env = _inherited() | {"PHIOMIA_READY_FD": str(said), TEMPLATE_FD: str(theirs.fileno())}
        process = Process(TEMPLATE, -1, heard, signal.SIGTERM, limit_s)
        process.control = ours.detach()
        with theirs:
            return self._launch(process, _with_python(argv, python), env, [theirs.fileno(), said], said)

    def copy(self, template: Process, child: Child, sockets: list[int], bus_path: str, limit_s: float) -> Process:
        """Makes one child of the template; what `start` says of it is true here too."""
        heard, said = _talk()
        gate, opened = os.pipe()
        env = child.env | {"PHIOMIA_BUS_SOCKET": bus_path}
        process = Process(child.role, -1, heard, child.stop_signal, limit_s)
        try:
            process.pid = ask_for_copy(template.control, child.role, env, [said, gate, *sockets])
        except OSError as error:
            self._not_started(process, error)
            # Whatever is wrong with it: the next one is made by a new template.
            template.kill(f"made no child: {error}")
        else:
            self.watch(process)
            with contextlib.suppress(BrokenPipeError):  # it is dead already, as will be heard
                os.write(opened, b"1")
        finally:
            for fd in (said, gate, opened):
                os.close(fd)
        return process

    def start_check(self, python: str, state_fd: int, limit_s: float) -> Process:
        """Lets the new release's supervisor read our state; what it prints is in `heard` when it is gone."""
        heard, said = os.pipe()
        env = {**os.environ, STATE_FD: str(state_fd)}
        process = Process(CHECK, -1, heard, signal.SIGKILL, limit_s)
        return self._launch(process, [python, *SUPERVISOR, "--check"], env, [state_fd], said, stdout=said)

    def _launch(
        self, process: Process, argv: list[str], env: dict[str, str], keep: list[int], said: int, stdout: int = -1
    ) -> Process:
        try:
            process.pid = spawn(argv, env, keep, stdout)
        except OSError as error:
            self._not_started(process, error)
            return process
        finally:
            os.close(said)
        return self.watch(process)

    def _not_started(self, process: Process, error: OSError) -> None:
        for fd in (process.pipe, process.control):
            if fd >= 0:
                os.close(fd)
        process.pipe = process.control = -1
        process.why = f"could not be started: {error}"
        process.reaped(127)

    def watch(self, process: Process) -> Process:
        """Listens to what the child says."""
        self.processes[process.pid] = process
        if process.pipe >= 0:
            os.set_inheritable(process.pipe, False)
            os.set_blocking(process.pipe, False)
            self.selector.register(process.pipe, selectors.EVENT_READ, lambda _mask: self._hear(process))
        return process

    def _hear(self, process: Process) -> None:
        if process.pipe < 0:
            return
        try:
            data = os.read(process.pipe, 65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        process.hear(data)
        if process.state == "starting" and b"READY" in process.heard:
            process.state = "ready"
            process.kill_at = FOREVER
            if not process.held:
                process.admit()
            self.on_ready()
        if not data:
            self._stop_hearing(process)

    def _stop_hearing(self, process: Process) -> None:
        if process.pipe >= 0:
            self.selector.unregister(process.pipe)
            os.close(process.pipe)
            process.pipe = -1

    def let_go(self, process: Process) -> None:
        """Leaves a child to itself."""
        self._stop_hearing(process)
        self.processes.pop(process.pid, None)

    def reap(self) -> Iterator[tuple[Process, bool]]:
        """The children that have ended, and whether they had been told to."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            process = self.processes.pop(pid, None)
            if process is not None:
                self._hear(process)
                self._stop_hearing(process)
                if process.control >= 0:
                    os.close(process.control)
                    process.control = -1
                told = process.state == "leaving"
                process.reaped(os.waitstatus_to_exitcode(status))
                yield process, told

    def pipes(self) -> list[int]:
        """The descriptors that an exec must leave open."""
        return [process.pipe for process in self if process.pipe >= 0]

    def save(self) -> list[dict[str, Any]]:
        """What the next generation needs to know about the children."""
        return [process.save() for process in self]

    def restore(self, saved: list[dict[str, Any]]) -> None:
        """Takes over the children of the previous generation."""
        for entry in saved:
            self.watch(restore_process(entry))


def _talk() -> tuple[int, int]:
    """Two ends: the child says READY on the one, and on the other is told when it may begin."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return ours.detach(), theirs.detach()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SYSTEMD_ONLY}


def _with_python(argv: tuple[str, ...], python: str) -> list[str]:
    return [python if word == PYTHON else word for word in argv]
