"""Locks on files, which end with the process that holds them however it ends. Standard library only."""

import fcntl
import os


def try_lock(path: str) -> int | None:
    """The descriptor of a lock that nobody else holds, or None; it is ours until it is closed, even over an exec."""
    fd = _open(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def wait_for_lock(path: str) -> int:
    """The same, once it is free."""
    fd = _open(path)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock."""
    if not os.path.exists(path):
        return False
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _open(path: str) -> int:
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
