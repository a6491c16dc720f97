"""What was received waits here, as a job, until the worker has time."""

from phiomia.platform.jobs import Job


class TakeActivity(Job, frozen=True):
    """Carry out an activity whose sender was verified. `news`: the mark of the key, if it was not a stored one."""

    TYPE = "federation.take_activity"
    QUEUE = "ingress"
    TRIES = 7

    body: str
    sender: str
    recipient_id: int | None = None
    received_at: int = 0
    news: int = 0
