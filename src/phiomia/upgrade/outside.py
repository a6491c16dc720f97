"""Lets the server be tried out from outside while it is upgraded, and sums up what was seen."""

import time
from pathlib import Path

from phiomia.upgrade.database import connect
from phiomia.upgrade.journal import Journal
from phiomia.upgrade.probe import BASELINE_S, find_probe, judge, list_targets, start_probe, stop_probe, sum_up
from phiomia.upgrade.site import Site
from phiomia.upgrade.switch import is_running


class Outside:
    """The prober of one upgrade."""

    def __init__(self, site: Site, journal: Journal) -> None:
        self._site = site
        self._journal = journal
        self._begun = False

    @property
    def samples(self) -> Path:
        """The file of what it sees."""
        return self._journal.path.with_suffix(".probe")

    def begin(self) -> None:
        """Lets it begin before anything changes, unless it has, or nothing serves."""
        if self._begun or self._is_summed_up() or not is_running(self._site.run_dir, "web"):
            return
        self._begun = True
        config = self._site.config
        if not find_probe(self.samples):
            targets = list_targets(config.bind, config.public_url, config.web_domain)
            start_probe(self.samples, targets, config.database_url)
            self._journal.write("probing", job_age_s=oldest_job(config.database_url))
            time.sleep(BASELINE_S)

    def end(self) -> None:
        """Ends it, without a word about what it saw."""
        stop_probe(self.samples)

    def sum_up(self) -> None:
        """Ends it and writes into the journal what it saw."""
        begun = [entry for entry in self._journal.entries if entry["kind"] == "probing"]
        if not begun or self._is_summed_up():
            return
        if find_probe(self.samples):
            time.sleep(BASELINE_S)
        stop_probe(self.samples)
        summary = sum_up(self.samples, self._journal.entries)
        oldest = {"before": begun[0]["job_age_s"], "after": oldest_job(self._site.config.database_url)}
        ages = {**oldest, **summary["job_age_s"]}
        self._journal.write("probed", summary={**summary, "job_age_s": ages, "verdict": judge(summary)})
        self.samples.unlink(missing_ok=True)

    def _is_summed_up(self) -> bool:
        return any(entry["kind"] == "probed" for entry in self._journal.entries)


def oldest_job(database_url: str) -> float:
    """For how many seconds the oldest job waits that could be done."""
    with connect(database_url) as connection:
        now = int(time.time() * 1000)
        found = connection.rows("SELECT min(run_at) FROM jobs WHERE run_at <= ?", now)[0][0]
    return round((now - int(found)) / 1000, 1) if found is not None else 0.0
