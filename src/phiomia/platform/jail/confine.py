"""Locks this process up: bounded resources, no network, no new processes, no files but those in one directory.

Resource limits always hold. The rest is the kernel's: each wall that it offers is raised, and the names of those
that stand are returned, since older kernels and some containers lack one or another.
"""

import ctypes
import os
import resource
import struct
from collections.abc import Callable
from typing import Final

from phiomia.platform.jail.seccomp import install_filter

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGKILL: Final = 9
_CLONE_NEWNET: Final = 0x4000_0000
_LANDLOCK_CREATE: Final = 444
_LANDLOCK_ADD: Final = 445
_LANDLOCK_RESTRICT: Final = 446
_LANDLOCK_PATH_BENEATH: Final = 1
_WRITE_FILE, _READ_FILE, _TRUNCATE = 1 << 1, 1 << 2, 1 << 14
_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_RIGHTS: Final = 0b11
_SIGNAL_AND_SOCKET_SCOPE: Final = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def limit_resources(cpu_seconds: int, memory_bytes: int, written_bytes: int) -> None:
    """Bound what this process may use; none of it can be raised again."""
    os.nice(10)
    # A second between the soft limit and the hard one tells SIGXCPU from other kills.
    _bound(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
    _bound(resource.RLIMIT_AS, memory_bytes)
    _bound(resource.RLIMIT_FSIZE, written_bytes)
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_NOFILE, 64)
    # Counts all threads of the user, the server's too; that none are started from here is seccomp's part.
    _bound(resource.RLIMIT_NPROC, 4_096)


def _bound(which: int, soft: int, hard: int | None = None) -> None:
    _, most = resource.getrlimit(which)
    wanted = soft if hard is None else hard
    ceiling = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(which, (min(soft, ceiling), ceiling))


def confine(out_dir: str) -> list[str]:
    """Raise every wall this kernel has, leaving only the files in `out_dir`; gives the names of those that stand."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    walls: dict[str, Callable[[], None]] = {
        "network namespace": _leave_network,
        "landlock": lambda: _allow_only(out_dir),
        "seccomp": lambda: install_filter(_libc),
    }
    return [name for name, raise_wall in walls.items() if _stands(raise_wall)]


def _stands(raise_wall: Callable[[], None]) -> bool:
    try:
        raise_wall()
    except OSError:
        return False
    return True


def _leave_network() -> None:
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def _allow_only(out_dir: str) -> None:
    version = _checked(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1), "landlock")
    handled = _FILE_RIGHTS[min(version, 5)]
    fields = [handled]
    if version >= 4:
        fields.append(_TCP_RIGHTS)
    if version >= 6:
        fields.append(_SIGNAL_AND_SOCKET_SCOPE)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock")
    directory = os.open(out_dir, os.O_PATH | os.O_DIRECTORY)
    allowed = handled & (_WRITE_FILE | _READ_FILE | _TRUNCATE)
    rule = struct.pack("=Qi", allowed, directory)
    _checked(_libc.syscall(_LANDLOCK_ADD, ruleset, _LANDLOCK_PATH_BENEATH, rule, 0), "landlock")
    _checked(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    os.close(directory)
    os.close(ruleset)


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(value), *(ctypes.c_ulong(0),) * 3), "prctl")


def _checked(outcome: int, what: str) -> int:
    if outcome < 0:
        raise OSError(ctypes.get_errno(), what)
    return outcome
