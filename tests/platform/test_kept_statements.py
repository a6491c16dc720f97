"""SQL that is kept from one start to the next: the same SQL as would be made, and only for the same sources."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from phiomia.platform.db import Query, statement
from phiomia.platform.db.compiled import Compiled
from phiomia.platform.db.kept_statements import KeptStatements, hash_sources

COMPILED = Compiled("SELECT ?1, ?2", ("a", "b"), frozenset({"b"}))
MODULE = """
from sqlalchemy import Column, Integer, MetaData, Table, func, select
from phiomia.platform.db import P, Query
from phiomia.platform.db.query import insert_into

things = Table("things", MetaData(), Column("id", Integer), Column("size", Integer))

def find(name):
    return Query(select(things.c.id).where(things.c[name] == P(name)))

BY = {name: find(name) for name in ("id", "size")}
PUT = insert_into(things, "id", "size")
COUNT = Query.raw(sqlite="SELECT :one", postgresql="SELECT :one + 1")
"""
LOAD = """
import json
from phiomia.platform.db import kept_statements
kept_statements.KeptStatements._read = lambda self: {}
kept_statements.KeptStatements.save = lambda self: print(json.dumps({key: one.sql for key, one in self._made.items()}))
from phiomia.preload import preload
preload("sqlite")
"""


@pytest.fixture(autouse=True)
def _writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def test_the_sources_alone_decide_what_is_made() -> None:
    # Python's hashes differ from start to start. What depended on them would be read by code that goes another way.
    first, second = (load_with_hashes(seed) for seed in ("1", "2"))
    assert len(first) > 500
    assert first == second


def load_with_hashes(seed: str) -> dict[str, str]:
    """Every statement that a server makes when it starts."""
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-P", "-c", LOAD], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made: dict[str, str] = json.loads(done.stdout)
    return made


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_second_start_makes_no_sql(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "KeptStatements", partial(KeptStatements, folder=tmp_path))
    made = load_module(database)
    with monkeypatch.context() as patched:
        patched.setattr(Query, "_compile", lambda *_: pytest.fail("it is made again"))
        kept = load_module(database)
    assert kept == made
    assert "things.size" in made["size"].sql and "things.id" in made["id"].sql
    assert made["put"].names == ("id", "size")
    assert ("+ 1" in made["count"].sql) == (database == "postgresql")


def load_module(database: str) -> dict[str, Compiled]:
    """What a module's statements are as text."""
    names: dict[str, Any] = {"__name__": "things"}
    with statement.compiled_when_made(database):
        exec(compile(MODULE, "things.py", "exec"), names)
    queries = {**names["BY"], "put": names["PUT"], "count": names["COUNT"]}
    assert all(one._source is None for one in queries.values())
    return {name: getattr(one, database) for name, one in queries.items()}


def test_several_processes_may_save(tmp_path: Path) -> None:
    web, worker = KeptStatements("sqlite", tmp_path), KeptStatements("sqlite", tmp_path)
    web.add("api 1", COMPILED)
    worker.add("jobs 1", COMPILED)
    web.save()
    worker.save()
    assert (web.is_new, worker.is_new) == (True, True)
    read = KeptStatements("sqlite", tmp_path)
    read.save()
    assert not read.is_new
    assert (read.get("api 1"), read.get("jobs 1"), read.get("api 2")) == (COMPILED, COMPILED, None)
    assert KeptStatements("postgresql", tmp_path).get("api 1") is None
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644


def test_what_other_sources_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptStatements("sqlite", tmp_path)
    kept.add("api 1", COMPILED)
    kept.save()
    monkeypatch.setattr("phiomia.platform.db.kept_statements.hash_sources", lambda package: "another")
    assert KeptStatements("sqlite", tmp_path).get("api 1") is None


def test_every_source_counts(tmp_path: Path) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "one.py").write_text("LIMIT = 1")
    (tmp_path / "domain" / "two.py").write_text("")
    seen = {hash_sources(tmp_path)}
    (tmp_path / "one.py").write_text("LIMIT = 2")
    seen.add(hash_sources(tmp_path))
    (tmp_path / "domain" / "two.py").rename(tmp_path / "domain" / "three.py")
    seen.add(hash_sources(tmp_path))
    assert len(seen) == 3


@pytest.mark.parametrize("content", [b"", b"\x92\xa1a", b"not at all"])
def test_a_broken_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    kept = KeptStatements("sqlite", tmp_path)
    kept.add("api 1", COMPILED)
    kept.save()
    [file] = tmp_path.iterdir()
    file.write_bytes(content)
    again = KeptStatements("sqlite", tmp_path)
    assert again.get("api 1") is None
    again.add("api 2", COMPILED)
    again.save()
    assert KeptStatements("sqlite", tmp_path).get("api 2") == COMPILED


def test_where_nothing_may_be_written_nothing_is_kept(tmp_path: Path) -> None:
    # A file stands where the folder would be: this stops root too.
    (tmp_path / "cache").write_text("")
    kept = KeptStatements("sqlite", tmp_path / "cache")
    kept.add("api 1", COMPILED)
    kept.save()
    assert KeptStatements("sqlite", tmp_path / "cache").get("api 1") is None


def test_who_wants_no_bytecode_gets_no_statements_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept = KeptStatements("sqlite", tmp_path)
    kept.add("api 1", COMPILED)
    kept.save()
    assert list(tmp_path.iterdir()) == []
