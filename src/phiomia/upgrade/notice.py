"""Tells people in time when an upgrade keeps them from the server. When it does not, nobody hears of it.

They are told by an announcement some minutes ahead, which apps show, and while it lasts by the answers of whoever
stands in for the server (`platform/stand_in.py`). Both end with the upgrade, however that ends.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.platform.downtime import FILE, remove_notice, write_notice
from phiomia.upgrade.journal import Entry, Journal
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Notices, Site
from phiomia.upgrade.switch import is_running

# What is done before people could notice anything.
QUIET_PHASES = ("preflight", "fetch", "build", "backup")
_LEAST_SPAN_S = 120.0
_LOOK_EVERY_S = 0.2


class Outage(NamedTuple):
    """What people will notice: for how long nobody is answered, and whether streams break off."""

    seconds: float
    reconnects: bool
    reasons: tuple[str, ...]

    @property
    def span_s(self) -> float:
        """For how long it is announced: what was estimated may take longer."""
        return max(_LEAST_SPAN_S, 2 * self.seconds)


def find_outage(plan: dict[str, Any]) -> Outage | None:
    """What people will notice of a plan; None mostly."""
    legs = plan["legs"]
    seconds = sum(float(leg["downtime_s"]) for leg in legs)
    reconnects = any(leg["restart"]["streaming"] == "reconnect" for leg in legs)
    reasons = dict.fromkeys(reason for leg in legs for reason in leg["downtime_reasons"])
    return Outage(seconds, reconnects, tuple(reasons)) if seconds or reconnects else None


class Notice:
    """What people are told of one upgrade."""

    def __init__(self, site: Site, journal: Journal, notices: Notices | None) -> None:
        self._site = site
        self._journal = journal
        self._notices = notices
        self._outage = find_outage(journal.told.plan)

    def announce(self, report: Report) -> None:
        """Announces what will be noticed, unless that was done, or is over."""
        if self._outage is None or self._notices is None or self._standing() or self._is_past():
            return
        if not is_running(self._site.run_dir, "web"):
            return
        starts_at = time.time() + 60 * int(self._journal.told.planned.get("announce", 0))
        ends_at = starts_at + self._outage.span_s
        text = describe_outage(self._outage, starts_at)
        number = self._notices.publish(self._site.config, text, int(starts_at * 1000), int(ends_at * 1000))
        self._journal.write("announced", number=number, starts_at=starts_at, ends_at=ends_at, text=text)
        report.say(f"announced: {text}")

    def wait(self, report: Report, is_stopping: Callable[[], bool]) -> bool:
        """Waits until the time that was announced; False when somebody does not want that."""
        standing = self._standing()
        if standing is None or self._outage is None:
            return True
        began = float(standing["at"])
        whole = float(standing["starts_at"]) - began
        while time.time() < standing["starts_at"]:
            if is_stopping():
                return False
            report.progress(time.time() - began, whole, "s: waiting until it was announced for")
            time.sleep(_LOOK_EVERY_S)
        if self._outage.seconds and not self._file.exists():
            write_notice(self._file, describe_now(self._outage), float(standing["ends_at"]))
        return True

    def end(self, report: Report) -> None:
        """Takes back what is not so any more."""
        standing = self._standing()
        if standing is None or self._notices is None:
            return
        remove_notice(self._file)
        number = int(standing["number"])
        try:
            self._notices.withdraw(self._site.config, number)
        except Exception as error:
            # Why the upgrade ended must not be hidden by this.
            report.say(
                f"announcement {number} could not be taken back ({error}): phiomia announcements remove {number}"
            )
        self._journal.write("notice_over", number=number)

    @property
    def _file(self) -> Path:
        return self._site.run_dir / FILE

    def _standing(self) -> Entry | None:
        told = [one for one in self._journal.entries if one["kind"] in ("announced", "notice_over")]
        return told[-1] if told and told[-1]["kind"] == "announced" else None

    def _is_past(self) -> bool:
        """Whether every role has followed already: all that is left goes unnoticed."""
        return any(one["kind"] == "settling" for one in self._journal.entries)


def describe_outage(outage: Outage, starts_at: float) -> str:
    """What is announced."""
    when = time.strftime("%H:%M UTC", time.gmtime(starts_at))
    head = f"From {when} on this server will be brought up to date."
    if not outage.seconds:
        return f"{head} Apps and pages that are open will lose their connection for a moment and come back."
    reasons = "".join(f" {reason.rstrip('.')}." for reason in outage.reasons)
    return f"{head} For {_about(outage.seconds)} it can't be reached.{reasons}"


def describe_now(outage: Outage) -> str:
    """What is answered meanwhile."""
    return f"This server is being brought up to date. It will be back in {_about(outage.seconds)}."


def _about(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "about a minute" if minutes <= 1 else f"about {minutes} minutes"
