"""Starts one child process of the supervisor and remembers what is known about it. Standard library only."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import Any, NoReturn

from phiomia.platform.topology import Release, load_release

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FOREVER = float("inf")
LEAST_EXTENSION_S = 0.1
ANSWERED = b"ANSWERED"
libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A child: `starting` until it wrote READY, `leaving` once it was told to end, `gone` when it was reaped."""

    __slots__ = (
        "answered",
        "control",
        "exit_code",
        "extended_s",
        "heard",
        "held",
        "kill_at",
        "pid",
        "pipe",
        "release",
        "role",
        "since",
        "state",
        "stop_signal",
        "why",
    )

    def __init__(self, role: str, pid: int, pipe: int, stop_signal: int, limit_s: float) -> None:
        self.role = role
        self.release = Release("")
        self.pid = pid
        self.pipe = pipe
        self.stop_signal = stop_signal
        self.state = "starting"
        self.since = time.monotonic()
        self.kill_at = self.since + limit_s
        self.heard = b""
        self.held = False
        self.control = -1
        self.exit_code = 0
        self.extended_s = 0.0
        self.why = ""
        self.answered = (0, 0)

    @property
    def limit_s(self) -> float:
        """How long it was given."""
        return self.kill_at - self.since

    def extend(self, most_s: float) -> bool:
        """Gives back the time in which others had the processor, up to a limit; whether there was any."""
        deadline = self.since + min(most_s, self.limit_s + count_wait(self.pid) - self.extended_s)
        if self.state != "starting" or deadline < self.kill_at + LEAST_EXTENSION_S:
            return False
        self.extended_s += deadline - self.kill_at
        self.kill_at = deadline
        return True

    def admit(self) -> None:
        """Lets a child that offered its service begin; one that has gone meanwhile is told nothing."""
        self.held = False
        if self.pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self.pipe, b"GO\n")

    def hear(self, data: bytes) -> None:
        """Takes what the child says: READY, and when it serves how many requests it has answered, how many wrongly."""
        self.heard += data
        if self.state == "starting":
            return
        *lines, self.heard = self.heard.split(b"\n")
        for words in map(bytes.split, lines):
            if len(words) == 3 and words[0] == ANSWERED:
                self.answered = int(words[1]), int(words[2])

    def send(self, number: int) -> None:
        """Sends a signal to a child that was not reaped yet (its number cannot belong to another process)."""
        if self.state != "gone":
            os.kill(self.pid, number)

    def leave(self, number: int, limit_s: float) -> None:
        """Tells the child to end; it is killed when it has not done so within the limit."""
        if self.state == "gone":
            return
        self.state = "leaving"
        self.kill_at = time.monotonic() + limit_s
        self.send(number)

    def kill(self, why: str = "") -> None:
        """Ends the child at once."""
        self.why = self.why or why
        self.kill_at = FOREVER
        self.send(signal.SIGKILL)

    def reaped(self, exit_code: int) -> None:
        """Remembers how it ended."""
        self.state = "gone"
        self.exit_code = exit_code
        self.kill_at = FOREVER
        self.why = self.why or describe_exit(exit_code)

    def save(self) -> dict[str, Any]:
        """What the next generation needs to know about this child."""
        return {
            "role": self.role,
            "release": self.release._asdict(),
            "pid": self.pid,
            "pipe": self.pipe,
            "stop_signal": self.stop_signal,
            "state": self.state,
            "since": self.since,
            "kill_at": None if self.kill_at == FOREVER else self.kill_at,
            "answered": self.answered,
        }


def restore_process(saved: dict[str, Any]) -> Process:
    """The child that a previous generation of the supervisor started."""
    process = Process(saved["role"], saved["pid"], saved["pipe"], saved["stop_signal"], 0)
    process.release = load_release(saved["release"])
    process.state = saved["state"]
    process.since = saved["since"]
    process.answered = tuple(saved.get("answered", (0, 0)))
    process.kill_at = FOREVER if saved["kill_at"] is None else saved["kill_at"]
    return process


def count_wait(pid: int) -> float:
    """The seconds that a process could have run and had to wait for a processor; 0 where the kernel does not say."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def describe_exit(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code >= 0:
        return f"exited with status {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"


def spawn(argv: list[str], env: dict[str, str], keep: list[int], stdout: int = -1) -> int:
    """Starts a program that inherits only the given descriptors and ends when we do; gives its process id."""
    parent = os.getpid()
    # Nothing buffered may be written twice.
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        _become(parent, argv, env, keep, stdout)
    except BaseException as error:
        os.write(2, f"supervisor: cannot start {argv[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _become(parent: int, argv: list[str], env: dict[str, str], keep: list[int], stdout: int) -> NoReturn:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    end_with_parent(parent)
    for fd in keep:
        os.set_inheritable(fd, True)
    if stdout >= 0:
        os.dup2(stdout, 1)
    os.execve(argv[0], argv, env)  # noqa: S606


def end_with_parent(parent: int) -> None:
    """Lets this process hear of its parent's death, and of nothing that a terminal tells its parent."""
    # Ctrl-C in a terminal reaches the whole group: the children shall hear it from the supervisor only.
    os.setpgid(0, 0)
    # SIGINT is the short way out of every child, and unlike SIGKILL it lets a request in flight finish.
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> bool:
    """Makes this process, also after an exec, the parent of descendants whose own has ended; whether it could."""
    return int(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0
