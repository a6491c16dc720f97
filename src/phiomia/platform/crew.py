"""The places that must always be filled by a running child, and the template that children are copied from.

Standard library only, as everything the supervisor is made of.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable, Collection, Generator, Iterable
from typing import Any

from phiomia.platform.children import TEMPLATE, Children
from phiomia.platform.listen import KEPT, Listeners, list_kept
from phiomia.platform.spawn import FOREVER, Process, adopt_orphans
from phiomia.platform.topology import Child, Release, Settings, load_release, load_settings

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
# A step of a long action gives the moment at which it wants to look again, whatever happens before.
Steps = Generator[float, None, str]


class Slot:
    """A place that must always be filled by a running child."""

    __slots__ = ("child", "failures", "process", "release", "retry_at")

    def __init__(self, child: Child, process: Process, release: Release) -> None:
        self.child = child
        self.process = process
        self.release = release
        self.failures = 0
        self.retry_at = FOREVER


class Crew:
    """The places with their children. `keeps` says whether one that ends by itself comes back."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        settings: Settings,
        keeps: Callable[[], bool],
        publish: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.listeners: Listeners = {}
        self.slots: list[Slot] = []
        self.children = Children(selector, publish)
        self.template: Process | None = None
        self._keeps = keeps
        self._publish = publish
        self._log = log

    # Filling places

    def fill(self, child: Child, release: Release, template: Process | None, limit_s: float) -> Slot:
        """A place with a new child in it."""
        return Slot(child, self._start(child, release, template, limit_s), release)

    def vacant(self, child: Child, release: Release) -> Slot:
        """A place that is filled as soon as possible."""
        slot = Slot(child, Process(child.role, -1, -1, child.stop_signal, 0), release)
        slot.process.reaped(0)
        slot.retry_at = time.monotonic()
        return slot

    def discard(self, candidates: Iterable[Slot]) -> None:
        """Ends children that are not wanted after all."""
        for slot in candidates:
            if slot.process.state == "ready":
                # A role that does not wait to be admitted may be at work already: let it finish.
                slot.process.leave(signal.SIGTERM, self.settings.drain_limit_s)
            else:
                slot.process.kill()

    def wait_ready(self, slots: Iterable[Slot]) -> Steps:
        """Returns when all of them serve, with "", or why one does not."""
        while True:
            states = {slot.process.state for slot in slots}
            gone = next((slot.process for slot in slots if slot.process.state == "gone"), None)
            if gone is not None:
                return f"{gone.role} {gone.why}"
            if states <= {"ready"}:
                return ""
            yield FOREVER

    def _start(self, child: Child, release: Release, template: Process | None, limit_s: float) -> Process:
        sockets = [sock.fileno() for sock in self.listeners.get(child.listen, ())]
        bus = self.settings.bus_path
        told = {"PHIOMIA_GENERATION": str(release.generation)}
        if child.listen in list_kept(self.listeners, dict(os.environ)):
            told[KEPT] = "1"
        child = child._replace(env=child.env | told)
        if template is None:
            process = self.children.start(child, release.python, sockets, bus, limit_s)
        else:
            process = self.children.copy(template, child, sockets, bus, limit_s)
        process.release = release
        return process

    # The template

    def start_template(self, release: Release, limit_s: float) -> Process | None:
        """The template of a release; None when its children are started one by one."""
        # What is copied is not our child until its parent, the template's other copy, has ended.
        if not release.template or not adopt_orphans():
            return None
        process = self.children.start_template(release.template, release.python, max(0.1, limit_s))
        process.release = release
        return process

    def wait_warm(self, template: Process | None) -> Steps:
        """Returns when the template can be copied, with "", or why it can't."""
        while template is not None and template.state != "ready":
            if template.state == "gone":
                return f"{TEMPLATE} {template.why}"
            yield FOREVER
        return ""

    def is_warming(self) -> bool:
        """Whether our template still loads the release."""
        return self.template is not None and self.template.state == "starting"

    def dismiss_template(self) -> None:
        """Ends our template."""
        if self.template is not None:
            # What its children have made their own it would keep as it was, for nobody.
            self.template.leave(self.template.stop_signal, self.settings.stop_limit_s)
            self.template = None

    # Children that end

    def refill(self, now: float) -> None:
        """Fills the places whose turn it is."""
        due = [slot for slot in self.slots if slot.retry_at <= now]
        if not due:
            return
        # One alone needs only its own role, which is sooner there; nobody would share with it what all of them need.
        if self.template is None and sum(slot.retry_at < FOREVER for slot in self.slots) > 1:
            self.template = self.start_template(due[0].release, self.settings.ready_limit_s)
        release = due[0].release if self.template is None else self.template.release
        if self.template is not None and self.template.state == "gone":
            self._lost_template(self.template)
            return
        if self.is_warming():
            return
        for slot in due:
            if slot.release == release:
                slot.retry_at = FOREVER
                slot.process = self._start(slot.child, release, self.template, self.settings.ready_limit_s)
                if slot.process.state == "gone":
                    self._lost(slot.process)
                self._publish()
        if any(slot.release != release for slot in due):
            # Roles that were left out of a reload: their turn comes with a template of their own release.
            self.dismiss_template()

    def reap(self) -> None:
        """Notes which children have ended."""
        for process, told in self.children.reap():
            if process is self.template:
                self._lost_template(process)
            elif not told:
                self._lost(process)
            self._publish()

    def _lost(self, process: Process) -> None:
        """A child ended that nobody had told to: it comes back, later each time."""
        slot = next((slot for slot in self.slots if slot.process is process), None)
        if slot is None or not self._keeps():
            return
        if time.monotonic() - process.since >= HEALTHY_AFTER_S:
            slot.failures = 0
        delay = _delay(slot)
        self._log(f"{process.role} {process.pid} {process.why}; starting another in {delay:g} s")

    def _lost_template(self, process: Process) -> None:
        """The template ended, perhaps before it had made what we wanted of it."""
        self.template = None
        if not self._keeps():
            return
        self._log(f"{process.role} {process.pid} {process.why}")
        now = time.monotonic()
        for slot in self.slots:
            if slot.retry_at <= now:
                _delay(slot)

    # The next generation

    def save_slots(self) -> list[dict[str, Any]]:
        """What the next generation needs to know about the places."""
        return [
            {
                "child": slot.child._asdict(),
                "release": slot.release._asdict(),
                "pid": slot.process.pid,
                "failures": slot.failures,
            }
            for slot in self.slots
        ]

    def restore_slots(self, saved: Iterable[dict[str, Any]]) -> None:
        """Takes over the places of the previous generation, whose children are ours already."""
        for entry in saved:
            child = load_settings({"listen": {}, "children": [entry["child"]], "bus_path": ""}).children[0]
            release = load_release(entry["release"])
            process = self.children.processes.get(entry["pid"])
            # One whose process had ended before the exec was about to get another.
            slot = self.vacant(child, release) if process is None else Slot(child, process, release)
            slot.failures = entry["failures"]
            self.slots.append(slot)

    def descriptors(self) -> list[int]:
        """The descriptors that an exec must leave open."""
        listeners = [sock.fileno() for sockets in self.listeners.values() for sock in sockets]
        return listeners + self.children.pipes()


def in_order(settings: Settings, slots: Collection[Slot]) -> list[Slot]:
    """The places in the order of the settings."""
    roles = [child.role for child in settings.children]
    return sorted(slots, key=lambda slot: roles.index(slot.child.role) if slot.child.role in roles else len(roles))


def _delay(slot: Slot) -> float:
    delay: float = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**slot.failures)
    slot.failures += 1
    slot.retry_at = time.monotonic() + delay
    return delay
