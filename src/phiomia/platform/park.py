"""Where connections wait while a unit is restarted: in a pair of sockets that the service manager keeps for us.

What is written into `put` waits in `take`, descriptors included, as long as somebody has both ends open. The service
manager has, from our start until the unit is stopped for good, and gives them back to whoever is started in our place.
So nothing is left to do when we end, however we end. Children get both from a socket of ours.

Where the service manager leaves our children alone, one with connections need not park them: it goes on until the next
one takes them. That none will come it learns from the pair as well, of which the service manager then has let go.
Standard library only.
"""

import os
import selectors
import socket

from phiomia.platform.listen import adopt, bind_unix, take_named
from phiomia.platform.notify import keep_descriptor, notify_systemd

PUT, TAKE = "park-put", "park-take"
OUTLIVED = "PHIOMIA_SUPERVISOR_OUTLIVED"
_ANSWER_S = 5.0
Pair = tuple[socket.socket, socket.socket]


class ParkKeeper:
    """Keeps the pair for the children of one supervisor; without a service manager that would, there is none."""

    def __init__(self, selector: selectors.BaseSelector, folder: str) -> None:
        self.selector = selector
        self.path = park_path(folder, os.getpid())
        self.pair: Pair | None = None
        self.listener: socket.socket | None = None

    def open(self, environ: dict[str, str]) -> None:
        """Takes the pair that the service manager kept, or lets it keep a new one. Raises OSError."""
        given = take_named((PUT, TAKE), environ)
        if PUT in given and TAKE in given:
            self._serve((given[PUT][0], given[TAKE][0]))
        elif "NOTIFY_SOCKET" in environ and is_kept(environ):
            self._make()

    def descriptors(self) -> list[int]:
        """The descriptors that an exec must leave open; the next generation needs them to go on."""
        return [sock.fileno() for sock in self.pair or ()]

    def restore(self, saved: list[int] | None, environ: dict[str, str]) -> None:
        """Takes over from the previous generation, which may have known nothing of all this. Raises OSError."""
        if saved:
            put, take = map(adopt, saved)
            self._serve((put, take))
        elif "NOTIFY_SOCKET" in environ and is_kept(environ):
            self._make()

    def close(self) -> None:
        """Gives it to nobody any more; what waits in it is the service manager's."""
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None
            os.unlink(self.path)
        for sock in self.pair or ():
            sock.close()
        self.pair = None

    def _make(self) -> None:
        put, take = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for name, sock in ((PUT, put), (TAKE, take)):
            # One may be left from before a release that knew nothing of it.
            notify_systemd(FDSTOREREMOVE=1, FDNAME=name)
            keep_descriptor(sock.fileno(), name)
        self._serve((put, take))

    def _serve(self, pair: Pair) -> None:
        self.pair = pair
        self.listener = bind_unix(self.path)
        self.selector.register(self.listener, selectors.EVENT_READ, lambda _mask: self._give())

    def _give(self) -> None:
        assert self.listener is not None
        try:
            child, _ = self.listener.accept()
        except OSError:
            return
        with child:
            try:
                socket.send_fds(child, [b"park"], self.descriptors())
            except OSError:
                # Who asked has gone.
                return


def is_kept(environ: dict[str, str]) -> bool:
    """Whether the service manager keeps descriptors for this unit."""
    # It says so itself since version 254; for those before it, the variable stands in the unit.
    return environ.get("FDSTORE", "0") not in ("", "0")


def may_outlive(environ: dict[str, str]) -> bool:
    """Whether the service manager leaves children alone when their supervisor ends; its unit says so."""
    return environ.get(OUTLIVED) == "1"


def park_path(folder: str, supervisor: int) -> str:
    """Where a supervisor gives the pair to its children."""
    return os.path.join(folder, f"park-{supervisor}.sock")


def fetch_park(path: str) -> Pair | None:
    """Both ends, `put` and `take`; None when nobody keeps them. Raises OSError when the supervisor does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_ANSWER_S)
        try:
            sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        _, fds, _, _ = socket.recv_fds(sock, 16, 2)
    if len(fds) != len((PUT, TAKE)):
        raise OSError("the supervisor did not say where connections can wait")
    put, take = map(adopt, fds)
    return put, take
