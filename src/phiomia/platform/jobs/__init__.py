"""The queue in the database: rows written in the transaction of their cause.

`defer.py` puts a job there, `worker.py` claims and runs as many as `room.py` has room for, `periodic.py` defers what
recurs, `hosts.py` puts off what is for a server that does not answer, `view.py` shows counts and dead ones. A job is a
Struct of ids; its handler is idempotent, since a job may run again after a crash.
"""

from phiomia.platform.jobs.defer import QUEUES, Hosted, Job, defer, defer_hosted, defer_many

__all__ = ["QUEUES", "Hosted", "Job", "defer", "defer_hosted", "defer_many"]
