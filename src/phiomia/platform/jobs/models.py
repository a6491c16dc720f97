"""Tables of the queue.

A job is ready when `run_at` has passed. Claiming pushes `run_at` to the end of the lease, so a job
whose worker died is ready again by itself, and one index serves everything.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from phiomia.platform.db.tables import PartialIndex, id_column, metadata, moment, small, words

jobs = Table(
    "jobs",
    metadata,
    id_column(),
    words("queue"),
    words("type"),
    small("version", default=1),
    words("args"),
    small("priority"),
    moment("run_at"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    words("claimed_by"),  # empty: nobody's
    words("unique_key", nullable=True),
    words("error"),
    words("host"),  # the server it speaks with or came from; empty: none
    moment("created_at"),
    Index("ix_jobs_ready", "queue", "priority", "run_at"),
    PartialIndex("ix_jobs_host", "host", "run_at", where="host <> ''"),
    Index("uq_jobs_unique_key", "unique_key", unique=True),
)

dead_jobs = Table(
    "dead_jobs",
    metadata,
    id_column(),
    words("queue"),
    words("type"),
    small("version", default=1),
    words("args"),
    Column("attempt", Integer, nullable=False),
    words("error"),
    words("host"),  # the server it speaks with or came from; empty: none
    moment("created_at"),
    moment("died_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    words("holder"),
    Column("until", BigInteger, nullable=False),
)

periodic_runs = Table(
    "periodic_runs",
    metadata,
    Column("name", Text, primary_key=True),
    moment("last_run_at"),
)
