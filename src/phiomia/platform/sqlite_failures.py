"""What SQLite's driver raises when a database can't be used, whoever asks it for what. Loads the driver only."""

import apsw

UNUSABLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
    apsw.ProtocolError,
)
# Nothing of ours was asked yet: whatever the system says is about the file and its folder.
UNREACHABLE = (*UNUSABLE, apsw.AuthError, apsw.PermissionsError, OSError)
