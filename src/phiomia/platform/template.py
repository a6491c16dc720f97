"""The template: a process that has loaded a release once and is copied into each of its children.

What was loaded before the copy is in memory once, however many children there are; only what a child writes to is
its own. The supervisor asks over a socket for each child. The copy is made by a process that ends at once: its child
falls to the nearest subreaper, which is the supervisor, so that it can wait for it, signal it and take it along when
it dies, as if it had started it by itself. Standard library only.
"""

import ctypes
import gc
import json
import os
import signal
import socket
import sys
from typing import Any

from phiomia.platform.notify import tell_ready
from phiomia.platform.spawn import end_with_parent, libc

TEMPLATE_FD = "PHIOMIA_TEMPLATE_FD"
PR_SET_NAME = 15
MAX_MESSAGE = 128 * 1024
MAX_DESCRIPTORS = 250
ANSWER_LIMIT_S = 5.0


def ask_for_copy(control: int, role: str, env: dict[str, str], descriptors: list[int]) -> int:
    """Lets the template make a child with these descriptors (READY, gate, sockets); gives its process id.

    The child does nothing before a byte comes through the gate, and ends when none can come any more: one that the
    supervisor did not hear of must not serve. Raises OSError when the template does not answer.
    """
    with socket.socket(fileno=os.dup(control)) as sock:
        sock.settimeout(ANSWER_LIMIT_S)
        request = {"role": role, "env": env, "supervisor": os.getpid()}
        socket.send_fds(sock, [json.dumps(request).encode()], descriptors)
        answer = sock.recv(MAX_MESSAGE)
    if not answer:
        raise OSError("the template has ended")
    made = json.loads(answer)
    if "error" in made:
        raise OSError(made["error"])
    return int(made["pid"])


def wait_to_be_copied() -> str:
    """Serves the supervisor; returns in each child, with its role, and never in the template itself.

    Call it when everything is loaded, with no thread running and nothing open that a child must not share.
    """
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the template has {threads} threads, of which a copy would have one")
    control = socket.socket(fileno=int(os.environ.pop(TEMPLATE_FD)))
    control.set_inheritable(False)
    # SIGINT is how it ends with the supervisor: quietly, unlike Python's own handler.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A later collection would write to every object, in each child anew.
    gc.collect()
    gc.freeze()
    tell_ready()
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(
            control, MAX_MESSAGE, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        if not message:
            os._exit(0)
        made = _copy()
        if not made:
            control.close()
            return _become_child(json.loads(message), *descriptors)
        for fd in descriptors:
            os.close(fd)
        try:
            control.send(made)
        except OSError:
            # The supervisor does not want to hear it any more; then the child hears nothing from it either, and ends.
            os._exit(0)


def _copy() -> bytes:
    """Makes a child; gives the answer for the supervisor, and nothing in the child."""
    sys.stdout.flush()
    sys.stderr.flush()
    heard, said = os.pipe()
    try:
        between = os.fork()
    except OSError as error:
        os.close(heard)
        os.close(said)
        return _refusal(error)
    if between == 0:
        _leave_a_child(said)
        os.close(heard)
        os.close(said)
        return b""
    os.close(said)
    made = os.read(heard, MAX_MESSAGE)
    os.close(heard)
    # Only when the process between is gone the child belongs to the supervisor, and may be told to begin.
    os.waitpid(between, 0)
    return made or _refusal("the copy was interrupted")


def _leave_a_child(said: int) -> None:
    """Makes the child, says its process id and ends; returns in the child."""
    try:
        pid = os.fork()
        if pid == 0:
            return
        made = json.dumps({"pid": pid}).encode()
    except OSError as error:
        made = _refusal(error)
    try:
        os.write(said, made)
    finally:
        os._exit(0)


def _refusal(reason: object) -> bytes:
    return json.dumps({"error": str(reason)}).encode()


def _become_child(request: dict[str, Any], ready: int, gate: int, *sockets: int) -> str:
    if not os.read(gate, 1):
        os._exit(1)
    os.close(gate)
    end_with_parent(request["supervisor"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(request["env"])
    os.environ["PHIOMIA_LISTEN_FD"] = ",".join(map(str, sockets))
    os.environ["PHIOMIA_READY_FD"] = str(ready)
    role: str = request["role"]
    _show_as(f"phiomia: {role}")
    return role


def _show_as(title: str) -> None:
    """Lets `ps` and `top` tell the children apart, in the memory where the arguments of the template stand."""
    libc.prctl(PR_SET_NAME, title.replace(": ", "-").encode(), 0, 0, 0)
    with open("/proc/self/stat", "rb") as file:
        # The name of the program, in parentheses, may contain anything. Then come the fields from the third on.
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        text = title.encode()[: end - start - 1]
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
