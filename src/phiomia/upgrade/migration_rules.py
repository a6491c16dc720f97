"""What a migration must keep to, so that the releases before and after it can work on the same database.

`check_migrations` reads the files, the SQL that they become on both databases, and the code that would have to do
without what a contract removes. A table counts as existing when an earlier release has made it: before the first
release nobody has one.
"""

import ast
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.revisions import Revision, render

_ALLOWED_IMPORTS = ("alembic", "sqlalchemy", "collections", "typing")
# Verbs of backfills read what a contract removes, and run only before it.
_BACKFILL = "fill_"
_NAME = re.compile(r"([ec]\d{4})_[a-z0-9_]+\.py")
_TABLE = re.compile(r"ALTER TABLE (?:ONLY )?(\w+)|\bINDEX .*?\bON (\w+)|^DROP TABLE (?:IF EXISTS )?(\w+)", re.S)
_CREATED = re.compile(r"^CREATE (?:VIRTUAL )?TABLE (?:IF NOT EXISTS )?(\w+)")
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+) ON (\w+)")
_CONDITION = re.compile(r"\) WHERE (.+)$")
_DROPPED_INDEX = re.compile(r"^DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?(\w+)")
_DROPPED_COLUMN = re.compile(r"\bDROP COLUMN (?:IF EXISTS )?(\w+)")
_ADDED_COLUMN = re.compile(r"\bADD COLUMN (.+)$")
_CONSTANT = re.compile(r"DEFAULT (?:'[^']*'|\(?-?\d+\)?|true|false|NULL)(?:::\w+)?(?=\s|$|,)", re.I)
_INLINE = re.compile(r"\b(REFERENCES|UNIQUE|PRIMARY KEY|CHECK)\b")
_ADDED_CONSTRAINT = re.compile(r"\bADD (CONSTRAINT|FOREIGN KEY|CHECK|UNIQUE|PRIMARY KEY|EXCLUDE)\b")
_CONSTRAINT_NAME = re.compile(r"CONSTRAINT (\w+)")
_DATA = re.compile(r"^(UPDATE|INSERT|DELETE|TRUNCATE|MERGE|COPY|SELECT|WITH)\b")
_EXPANDS = re.compile(
    r"^(CREATE (VIRTUAL TABLE|TABLE|UNIQUE INDEX|INDEX|TRIGGER|FUNCTION|OR REPLACE FUNCTION)|ALTER TABLE)\b"
)
_CONTRACTS = re.compile(
    r"^(DROP (INDEX|TABLE|TRIGGER|FUNCTION)|ALTER TABLE \w+ (DROP (COLUMN|CONSTRAINT)|ALTER COLUMN \w+ DROP))\b"
)
_STAR = re.compile(r"\bSELECT\s+(\w+\.)?\*|,\s*\w+\.\*\s+FROM\b", re.I)


class Finding(NamedTuple):
    """A rule that is broken, where, and how."""

    rule: str
    place: str
    text: str


class _Where(NamedTuple):
    """A statement with what has to be known about it."""

    revision: Revision
    dialect: str
    sql: str
    table: str
    exists: bool  # the table was there before the release of this revision
    new: bool  # no release has brought this revision yet
    added: tuple[str, ...]  # the columns that this release has added to the table so far


def check_migrations(place: Path, releases: Sequence[frozenset[str]], code: Sequence[Path]) -> list[Finding]:
    """What is wrong with the migrations of a folder; nothing when all is well.

    `releases`: the revisions that each release has brought, the oldest first. `code`: the source trees that must not
    read what a contract removes, that of the last release among them.
    """
    found = list(_check_files(place))
    if any(one.rule in ("chain", "imports", "depends") for one in found):
        return found
    for dialect in ("postgresql", "sqlite"):
        try:
            revisions = render(dialect, frozenset(), place)
        except Exception as error:
            return [*found, Finding("cannot-render", str(place), f"{dialect}: {type(error).__name__}: {error}")]
        for where in _place_statements(dialect, revisions, releases):
            found += _check_statement(where)
            if where.revision.branch == "contract":
                found += _check_readers(where, code)
        found += _check_revisions(dialect, revisions, releases)
    return list(dict.fromkeys(found))


def check_code(tree: Path) -> list[Finding]:
    """Each `SELECT *`: after a migration its prepared statements fail, and its rows have another order."""
    found = []
    for path, text, parsed in _sources(tree):
        if "*" not in text:
            continue
        said = _said(parsed)
        for node in ast.walk(parsed):
            text_of = node.value if isinstance(node, ast.Constant) and id(node) not in said else None
            if isinstance(node, ast.Constant) and isinstance(text_of, str) and _STAR.search(text_of):
                found.append(Finding("select-star", f"{path.name}:{node.lineno}", "name the columns"))
    return found


def _check_files(place: Path) -> Iterator[Finding]:
    for branch in ("expand", "contract"):
        last: str | None = None
        for path in sorted((place / branch).glob("*.py")):
            parsed = ast.parse(path.read_text("utf-8"))
            named = _NAME.fullmatch(path.name)
            values = _assigned(parsed)
            if named is None or named[1][0] != branch[0] or values.get("revision") != named[1]:
                yield Finding("chain", path.name, f"the file is called <revision>_<what>.py, here {branch[0]}NNNN")
            elif values.get("down_revision") != last:
                yield Finding("chain", path.name, f"down_revision is {last!r}: each branch is one chain")
            if branch == "contract" and not values.get("depends_on"):
                yield Finding(
                    "depends", path.name, "depends_on names the expand whose readers and writers came instead"
                )
            last = str(values.get("revision"))
            for name in _imported(parsed):
                if name.partition(".")[0] not in _ALLOWED_IMPORTS:
                    yield Finding("imports", path.name, f"{name} will change, and this file must not")


def _place_statements(
    dialect: str, revisions: Sequence[Revision], releases: Sequence[frozenset[str]]
) -> Iterator[_Where]:
    made_by: dict[str, int] = {}
    indexes: dict[str, str] = {}
    added: dict[tuple[str, int], list[str]] = {}
    for revision in revisions:
        release = _release_of(revision.id, releases)
        for statement in revision.statements:
            sql = " ".join(statement.sql.replace('"', "").split())
            if created := _CREATED.match(sql):
                made_by.setdefault(created[1], release)
            if index := _INDEX.match(sql):
                indexes[index[1]] = index[2]
            table = _table_of(sql, indexes)
            columns = added.setdefault((table, release), [])
            if column := _ADDED_COLUMN.search(sql):
                columns.append(column[1])
            exists, new = made_by.get(table, release) < release, release == len(releases)
            yield _Where(revision, dialect, sql, table, exists, new, tuple(columns))


def _release_of(revision: str, releases: Sequence[frozenset[str]]) -> int:
    return next((place for place, brought in enumerate(releases) if revision in brought), len(releases))


def _table_of(sql: str, indexes: Mapping[str, str]) -> str:
    if dropped := _DROPPED_INDEX.match(sql):
        return indexes.get(dropped[1], "")
    found = _TABLE.search(sql)
    return next((name for name in found.groups() if name), "") if found else ""


def _check_statement(where: _Where) -> Iterator[Finding]:
    rules = _EXPAND_RULES if where.revision.branch == "expand" else _CONTRACT_RULES
    for rule, broken, advice in rules:
        if broken(where):
            yield Finding(rule, where.revision.path.name, f"{advice} ({where.dialect}: {where.sql[:100]})")
            return


def _adds_not_null(where: _Where) -> bool:
    adds = _ADDED_COLUMN.search(where.sql) and " NOT NULL" in where.sql and " DEFAULT " not in where.sql
    return bool(adds) or " SET NOT NULL" in where.sql


def _plain_index(where: _Where) -> bool:
    touches = _INDEX.match(where.sql) or _DROPPED_INDEX.match(where.sql)
    return bool(touches) and where.exists and where.dialect == "postgresql" and " CONCURRENTLY " not in where.sql


def _long_index(where: _Where) -> bool:
    """SQLite lets nobody write while an index is made: a million rows take a second, if none belongs into it 0.1 s."""
    if not (_INDEX.match(where.sql) and where.exists and where.new and where.dialect == "sqlite"):
        return False
    condition = _CONDITION.search(where.sql)
    return condition is None or _holds_for_old_rows(condition[1], where.added)


def _holds_for_old_rows(condition: str, added: Sequence[str]) -> bool:
    """What is said of new columns alone is the same for all rows that are there already."""
    if not added:
        return True
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"CREATE TABLE added ({', '.join(added)})")
        database.execute("INSERT INTO added DEFAULT VALUES")
        return bool(database.execute(f"SELECT count(*) FROM added WHERE {condition}").fetchone()[0])  # noqa: S608
    except sqlite3.OperationalError:
        return True  # it names other columns, of which nothing is known
    finally:
        database.close()


def _constraint(where: _Where) -> bool:
    if not where.exists or where.dialect != "postgresql":
        return False
    if _ADDED_COLUMN.search(where.sql):
        return bool(_INLINE.search(where.sql))
    later = " NOT VALID" in where.sql or " USING INDEX " in where.sql
    return bool(_ADDED_CONSTRAINT.search(where.sql)) and not later


def _not_validated(where: _Where) -> bool:
    name = _CONSTRAINT_NAME.search(where.sql)
    if " NOT VALID" not in where.sql:
        return False
    wanted = f"VALIDATE CONSTRAINT {name[1] if name else ''}"
    return not any(wanted in one.sql.replace('"', "") for one in where.revision.statements)


def _odd_default(where: _Where) -> bool:
    return bool(_ADDED_COLUMN.search(where.sql)) and " DEFAULT " in where.sql and not _CONSTANT.search(where.sql)


_EXPAND_RULES = (
    ("rename", lambda one: " RENAME " in one.sql, "the release before knows the old name only: add, fill, remove"),
    ("drop", lambda one: re.search(r"\bDROP\b", one.sql) is not None, "an expand only adds; a contract removes"),
    ("type-change", lambda one: re.search(r"ALTER COLUMN \w+ (SET DATA )?TYPE\b", one.sql) is not None,
     "add a column of the new type, fill it, remove the old one"),
    ("not-null", _adds_not_null, "the release before does not fill it: give it a default, or let it be null"),
    ("odd-default", _odd_default, "a default that is no constant rewrites the table"),
    ("plain-index", _plain_index, "writers would wait: postgresql_concurrently=True"),
    ("long-index", _long_index, "on SQLite nobody could write for long: index a new column, WHERE it is not as in"
     " the rows that are there, and let a backfill put them in"),
    ("constraint", _constraint, "everybody would wait for the check of all rows: NOT VALID, then VALIDATE"),
    ("not-validated", _not_validated, "VALIDATE CONSTRAINT is missing"),
    ("data", lambda one: _DATA.match(one.sql) is not None, "rows are a backfill's work"),
    ("unknown", lambda one: _EXPANDS.match(one.sql) is None, "nobody has thought about this kind of statement"),
)  # fmt: skip
_CONTRACT_RULES = (
    ("contract-adds", lambda one: _CONTRACTS.match(one.sql) is None, "a contract only removes"),
    ("plain-index", _plain_index, "everybody would wait: postgresql_concurrently=True"),
)


def _check_revisions(
    dialect: str, revisions: Sequence[Revision], releases: Sequence[frozenset[str]]
) -> Iterator[Finding]:
    for revision in revisions:
        if revision.branch == "contract" and not revision.min_code:
            yield Finding("min-code", revision.path.name, "MIN_CODE names the oldest release that can do without")
    for where in _place_statements(dialect, revisions, releases):
        if where.exists and where.table not in where.revision.cost:
            text = f"COST says for {where.table} how many rows a second are worked through, or None"
            yield Finding("cost", where.revision.path.name, text)


def _check_readers(where: _Where, code: Sequence[Path]) -> Iterator[Finding]:
    column = _DROPPED_COLUMN.search(where.sql)
    whole = where.sql.startswith("DROP TABLE")
    if not where.table or not (column or whole):
        return
    for tree in code:
        for path, text, parsed in _sources(tree):
            if path.name.startswith(_BACKFILL):
                continue
            if re.search(rf"\b{where.table}\b", text) is None:
                continue
            line = _find_reader(parsed, where.table, column[1] if column else None)
            if line is not None:
                what = f"{where.table}.{column[1]}" if column else where.table
                yield Finding("still-read", where.revision.path.name, f"{what} is named in {path}:{line}")


def _find_reader(parsed: ast.Module, table: str, column: str | None) -> int | None:
    said = _said(parsed)
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute) and node.attr == column:
            if ast.unparse(node.value) in (f"{table}.c", f"{table}.columns"):
                return node.lineno
        elif isinstance(node, ast.Name) and column is None and node.id == table:
            return node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            if node.value == (column or table):
                return node.lineno
            wanted = (table, column) if column else (table,)
            if " " in node.value and all(re.search(rf"\b{word}\b", node.value) for word in wanted):
                return node.lineno
    return None


def _said(parsed: ast.Module) -> frozenset[int]:
    """The strings that do nothing, docstrings among them."""
    return frozenset(id(node.value) for node in ast.walk(parsed) if isinstance(node, ast.Expr))


def _sources(tree: Path) -> Iterator[tuple[Path, str, ast.Module]]:
    for path in sorted(tree.rglob("*.py")):
        if "migrations" not in path.relative_to(tree).parts:
            text = path.read_text("utf-8")
            yield path, text, ast.parse(text)


def _assigned(parsed: ast.Module) -> dict[str, object]:
    return {
        target.id: node.value.value
        for node in parsed.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _imported(parsed: ast.Module) -> Iterator[str]:
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
