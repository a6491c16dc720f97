"""What has happened to filters."""

from phiomia.platform.events import Event


class FiltersChanged(Event, frozen=True):
    """A member wants other things filtered than before."""

    account_id: int
