"""What PostgreSQL's driver raises when a database can't be used, whoever asks it for what. Loads the driver only."""

import asyncpg

UNUSABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
)
# Nothing of ours was asked yet: whatever the system says is about the network, and the address may be wrong.
UNREACHABLE = (
    *UNUSABLE,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    OSError,
)
