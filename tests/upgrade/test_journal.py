"""The journal, the ledger and the libraries of a release in pip's words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phiomia.upgrade import ledger
from phiomia.upgrade.journal import FAILED, FINISHED, RUNNING, JournalError, create_journal, list_journals, open_journal
from phiomia.upgrade.mirror import mirror_journal
from phiomia.upgrade.requirements import export_requirements

PLAN = {"hash": "0" * 64, "installed": "0.1.0", "target": "0.2.0", "legs": []}


def test_half_a_line_was_never_written(tmp_path: Path) -> None:
    journal = create_journal(tmp_path, PLAN)
    journal.write("done", leg=0, step="build", seconds=1.0)
    with journal.path.open("ab") as file:
        file.write(b'{"n":2,"kind":"fai')
    again = open_journal(journal.path)
    assert [entry["kind"] for entry in again.entries] == ["planned", "done"]
    again.write("failed", reason="no more")
    assert [entry["n"] for entry in open_journal(journal.path).entries] == [0, 1, 2]
    assert again.told.state == FAILED and again.told.reason == "no more"
    assert set(again.told.done) == {(0, "build")}


def test_what_is_undone_is_not_done(tmp_path: Path) -> None:
    journal = create_journal(tmp_path, PLAN)
    journal.write("done", leg=0, step="switch", seconds=0.0)
    journal.write("undone", leg=0, step="switch")
    assert journal.told.done == {} and journal.told.state == RUNNING
    journal.write("finished")
    assert [one.told.state for one in list_journals(tmp_path)] == [FINISHED]


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"n": 0, "at": 0, "kind": "planned", "format": 99, "plan": PLAN}) + "\n")
    with pytest.raises(JournalError, match="newer release"):
        open_journal(path)


def test_the_ledger(migrated_database_url: str) -> None:
    assert ledger.done(migrated_database_url) == frozenset()
    ledger.begin(migrated_database_url, "0.1.0")
    ledger.begin(migrated_database_url, "0.2.0")
    assert ledger.find_beginning(migrated_database_url) == "0.1.0"
    ledger.record(migrated_database_url, "tidy@1", "0.1.1", plan="p/0")
    ledger.record(migrated_database_url, "tidy@1", "0.2.0", ledger.BY_HAND)
    (entry,) = ledger.entries(migrated_database_url)
    assert (entry.step_id, entry.release, entry.how, entry.runs) == ("tidy@1", "0.2.0", ledger.BY_HAND, 2)
    assert ledger.done(migrated_database_url) == {"tidy@1"}


def test_a_database_without_a_ledger(database_url: str) -> None:
    assert ledger.done(database_url) == frozenset()
    assert ledger.find_beginning(database_url) == ""


def test_the_mirror_gets_each_entry_once(migrated_database_url: str, tmp_path: Path) -> None:
    from phiomia.upgrade.history import list_upgrades
    from phiomia.upgrade.places import Places

    journal = create_journal(tmp_path / "journal", PLAN)
    mirror_journal(journal, migrated_database_url)
    journal.write("finished")
    mirror_journal(journal, migrated_database_url)
    mirror_journal(journal, migrated_database_url)
    # Without the files, the database remembers.
    (told,) = list_upgrades(Places(tmp_path, tmp_path / "elsewhere"), migrated_database_url)
    assert (told.id, told.state, told.target) == (journal.id, FINISHED, "0.2.0")


def test_locked_libraries_for_pip() -> None:
    lock = """
version = 1
[[package]]
name = "phiomia"
version = "1"
dependencies = [{ name = "a" }, { name = "old", marker = "python_version < '3.12'" }]
[[package]]
name = "a"
version = "2"
dependencies = [{ name = "both" }]
wheels = [{ url = "u", hash = "sha256:aa" }]
[[package]]
name = "old"
version = "3"
dependencies = [{ name = "both" }, { name = "deep", marker = "os_name == 'nt'" }]
sdist = { url = "u", hash = "sha256:bb" }
[[package]]
name = "both"
version = "4"
sdist = { url = "u", hash = "sha256:cc" }
[[package]]
name = "deep"
version = "5"
sdist = { url = "u", hash = "sha256:dd" }
[[package]]
name = "unused"
version = "6"
"""
    lines = export_requirements(lock).replace(" \\\n   ", "").splitlines()
    assert lines == [
        "a==2 --hash=sha256:aa",
        "both==4 --hash=sha256:cc",
        "deep==5 ; (((python_version < '3.12')) and (os_name == 'nt')) --hash=sha256:dd",
        "old==3 ; ((python_version < '3.12')) --hash=sha256:bb",
    ]
