"""Moves what was written from SQLite's write-ahead log into the file, beside the writers.

SQLite by itself lets the writer whose commit finds the log long do it, and everybody in that process waits: for as long
as the log has become while a reader, a backup for instance, needed the state of before. Source: https://sqlite.org/wal.html
(2.4 Avoiding Excessively Large WAL Files).
"""

import logging
import threading
from collections.abc import Callable

import apsw

_PAGES = 1_000
_FEW_PAGES = 50
_ROUNDS = 8
_FAILED_REST_S = 5.0
_log = logging.getLogger(__name__)


class Mover:
    """One thread of a process, begun when it is first needed."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, writer: apsw.Connection) -> None:
        """Takes over from what this connection would do after a commit."""
        writer.set_wal_hook(self._committed)

    def close(self) -> None:
        """Returns when the thread has ended."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _committed(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages >= _PAGES:
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sqlite-wal", daemon=True)
                self._thread.start()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        while self._wanted.wait() and not self._ended.is_set():
            self._wanted.clear()
            try:
                connection = connection or self._connect()
                _move(connection)
            except apsw.BusyError:
                _log.debug("others write, read or move just now: a later commit asks again")
            except apsw.Error as error:
                # Nothing is lost: it stays in the log.
                _log.warning("SQLite's log could not be moved into the file: %s", error)
                self._ended.wait(_FAILED_REST_S)
        if connection is not None:
            connection.close()


def _move(connection: apsw.Connection) -> None:
    connection.pragma("user_version")  # a connection that has read nothing yet does not know of the log
    moved = -1
    for _ in range(_ROUNDS):
        before = moved
        pages, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if pages - moved <= _FEW_PAGES:
            break
        if moved <= before:
            return  # a reader needs the rest
    # While others write, some is always left. Once it is moved with no writer beside, the log begins anew.
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
