"""A system call filter for the jail: no network, no new processes, no reaching into other processes."""

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000
_CLONE_THREAD: Final = 0x0001_0000
_X32: Final = 0x4000_0000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16

# Numbers that are the same everywhere: pidfd_send_signal, io_uring_setup, pidfd_open, pidfd_getfd, fchmodat2.
_COMMON: Final = (424, 425, 434, 438, 452)
_CLONE3: Final = 435


class _Machine(NamedTuple):
    architecture: int
    clone: int
    tgkill: int
    refused: tuple[int, ...]


_MACHINES: Final = {
    "x86_64": _Machine(
        architecture=0xC000_003E,
        clone=56,
        tgkill=234,
        refused=(
            *(90, 92, 94, 260, 268),  # chmod chown lchown fchownat fchmodat
            *(41, 42, 53),  # socket connect socketpair
            *(57, 58, 59, 322),  # fork vfork execve execveat
            *(62, 200, 129, 297),  # kill tkill rt_sigqueueinfo rt_tgsigqueueinfo
            *(101, 310, 311),  # ptrace process_vm_readv process_vm_writev
            *(165, 272, 308),  # mount unshare setns
            *(321, 323, 298),  # bpf userfaultfd perf_event_open
            *(248, 249, 250),  # add_key request_key keyctl
        ),
    ),
    "aarch64": _Machine(
        architecture=0xC000_00B7,
        clone=220,
        tgkill=131,
        refused=(
            *(54, 53),  # fchownat fchmodat
            *(198, 203, 199),  # socket connect socketpair
            *(221, 281),  # execve execveat
            *(129, 130, 138, 240),  # kill tkill rt_sigqueueinfo rt_tgsigqueueinfo
            *(117, 270, 271),  # ptrace process_vm_readv process_vm_writev
            *(40, 97, 268),  # mount unshare setns
            *(280, 282, 241),  # bpf userfaultfd perf_event_open
            *(217, 218, 219),  # add_key request_key keyctl
        ),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install_filter(libc: ctypes.CDLL) -> None:
    """Put the filter in force for good; OSError where the kernel or the machine has none."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(errno.ENOSYS, "no system call filter for this machine")
    code = _assemble(machine)
    program = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _assemble(machine: _Machine) -> bytes:
    refuse = _op(_RETURN, _ERRNO | errno.EPERM)
    allow = _op(_RETURN, _ALLOW)
    return b"".join(
        [
            _op(_LOAD, _ARCHITECTURE_AT),
            _op(_EQUAL, machine.architecture, 1, 0),
            _op(_RETURN, _KILL),
            _op(_LOAD, _NUMBER_AT),
            _op(_AT_LEAST, _X32, 0, 1),
            refuse,
            *(_op(_EQUAL, number, 0, 1) + refuse for number in machine.refused + _COMMON),
            # The flags of clone3 are behind a pointer; without it the C library falls back to clone.
            _op(_EQUAL, _CLONE3, 0, 1),
            _op(_RETURN, _ERRNO | errno.ENOSYS),
            _op(_EQUAL, machine.clone, 0, 4),
            _op(_LOAD, _FIRST_ARGUMENT_AT),
            _op(_ANY_BIT, _CLONE_THREAD, 0, 1),
            allow,
            refuse,
            # A process aborts by signalling itself; nobody else may be signalled.
            _op(_EQUAL, machine.tgkill, 0, 3),
            _op(_LOAD, _FIRST_ARGUMENT_AT),
            _op(_EQUAL, os.getpid(), 1, 0),
            refuse,
            allow,
        ]
    )


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
