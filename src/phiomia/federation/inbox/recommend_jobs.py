"""The jobs of collections that came in."""

from phiomia.platform.jobs import Job


class CheckItem(Job, frozen=True):
    """Find who is in a collection of another server, and whether they agree to that."""

    TYPE = "federation.check_collection_item"
    QUEUE = "pull"
    TRIES = 4

    collection_id: int
    uri: str
    account_uri: str
    approval_uri: str
