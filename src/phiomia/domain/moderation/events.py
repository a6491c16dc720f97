"""What has happened for moderators to look at."""

from phiomia.platform.events import Event


class ReportFiled(Event, frozen=True):
    """Somebody was reported: by a member, or (without `account_id` or with `from_domain`) from another server.

    `domains` are those of other servers that shall hear of it.
    """

    report_id: int
    account_id: int | None
    target_id: int
    from_domain: str = ""
    domains: list[str] = []
    first: bool = True  # no other one about the same account waits


class AccountWarned(Event, frozen=True):
    """The moderators have told a member something about what they did."""

    warning_id: int
    account_id: int
    user_id: int
    text: str
