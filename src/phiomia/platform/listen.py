"""Listening sockets: bound here, taken from systemd, or inherited from the supervisor. Standard library only."""

import errno
import os
import socket
import stat
from collections.abc import Iterable

BACKLOG = 4096
FIRST_SYSTEMD_FD = 3
Address = str
Listeners = dict[str, list[socket.socket]]
_MENDS = {
    errno.EADDRINUSE: ". Stop what listens there, or choose another `bind` (PHIOMIA_BIND)",
    errno.EACCES: ". Ports below 1024 are for root: put a proxy before another one (PHIOMIA_BIND)",
    errno.EADDRNOTAVAIL: ". This machine has no such address: choose another `bind` (PHIOMIA_BIND)",
}
# Says to a child that the service manager has its sockets as well.
KEPT = "PHIOMIA_LISTEN_KEPT"


def open_listeners(wanted: dict[str, tuple[Address, ...]], environ: dict[str, str]) -> Listeners:
    """Every wanted socket by name: systemd's where it gave one, else bound to the given addresses."""
    given = take_systemd_sockets(list(wanted), environ)
    return {name: given.get(name) or [bind(address) for address in addresses] for name, addresses in wanted.items()}


def take_systemd_sockets(names: list[str], environ: dict[str, str]) -> Listeners:
    """The sockets of LISTEN_FDS by name: by LISTEN_FDNAMES where it says one of ours, else in order."""
    found: Listeners = {}
    unnamed: list[socket.socket] = []
    for label, fd in _list_given(environ):
        if label in names:
            found.setdefault(label, []).append(adopt(fd))
        elif _listens(fd):
            unnamed.append(adopt(fd))
    for name in names:
        if name not in found and unnamed:
            found[name] = [unnamed.pop(0)]
    return found


def take_named(names: tuple[str, ...], environ: dict[str, str]) -> Listeners:
    """Those of LISTEN_FDS that have one of these names, and no others."""
    found: Listeners = {}
    for label, fd in _list_given(environ):
        if label in names:
            found.setdefault(label, []).append(adopt(fd))
    return found


def list_kept(names: Iterable[str], environ: dict[str, str]) -> set[str]:
    """Those of the names whose sockets are the service manager's, which has them when we have gone."""
    labels = {label for label, fd in _list_given(environ)}
    return labels & set(names)


def _list_given(environ: dict[str, str]) -> list[tuple[str, int]]:
    """Names and descriptors of what the service manager gave to this process."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    labels = environ.get("LISTEN_FDNAMES", "").split(":")
    return [(labels[number] if number < len(labels) else "", FIRST_SYSTEMD_FD + number) for number in range(count)]


def _listens(fd: int) -> bool:
    """Whether connections can be accepted from it; the service manager may keep other things for us as well."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    with socket.socket(fileno=os.dup(fd)) as sock:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def bind(address: Address) -> socket.socket:
    """A listening socket on `host:port`, `[v6]:port` or `unix:/path`."""
    if address.startswith("unix:"):
        return bind_unix(address.removeprefix("unix:"), mode=0o666)
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" would otherwise claim IPv4 as well, and a second address for IPv4 could not be bound.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, int(port)))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        mend = _MENDS.get(error.errno or 0, "")
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}{mend}") from error
    sock.setblocking(False)
    return sock


def bind_unix(path: str, mode: int = 0o600) -> socket.socket:
    """A listening unix socket; one that nobody answers any more is replaced, a live one is an error."""
    remove_dead_socket(path)
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(path)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror}") from error
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def remove_dead_socket(path: str) -> None:
    """Removes a socket file that a dead process left behind."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} exists and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise FileExistsError(f"another process is listening on {path}")


def adopt(fd: int) -> socket.socket:
    """An inherited descriptor as a non-blocking socket that the next child does not get by accident."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def inherited_sockets(environ: dict[str, str] | None = None) -> list[socket.socket]:
    """The sockets that the supervisor handed to this child (PHIOMIA_LISTEN_FD); empty when it gave none."""
    value = (os.environ if environ is None else environ).get("PHIOMIA_LISTEN_FD", "")
    return [adopt(int(fd)) for fd in value.split(",") if fd]
