"""The migrations keep to the rules, and the rules find what they are for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from schema_world import NOTE, THINGS, Migrations, write_history

from missing import miss
from phiomia.upgrade.manifest import read_releases
from phiomia.upgrade.migration_rules import check_code, check_migrations
from phiomia.upgrade.revisions import PLACE, render

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "phiomia"
# What squawk minds and we don't: the migrator sets the limits and knows where it was, and our types are chosen.
EXCLUDED = (
    "ban-drop-column",
    "ban-drop-table",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
)


def test_our_migrations_keep_to_the_rules(tmp_path: Path) -> None:
    assert check_migrations(PLACE, _releases(), [SOURCE, *_last_release(tmp_path)]) == []


def test_nothing_asks_for_every_column() -> None:
    assert check_code(SOURCE) == []


def test_a_good_history_is_let_through(tmp_path: Path) -> None:
    place = write_history(tmp_path / "migrations").place
    assert check_migrations(place, [frozenset({"e0001"})], [_code(tmp_path, "things.c.body")]) == []


def _alter(what: str) -> str:
    return f'\n    op.execute("ALTER TABLE things {what}")\n'


ADDED = '\n    op.add_column("things", sa.Column("rank", sa.Integer()))\n'
BAD = {
    "rename": ("e0002", _alter("RENAME COLUMN old TO new"), {}),
    "drop": ("e0002", '\n    op.drop_column("things", "old")\n', {}),
    "type-change": ("e0002", _alter("ALTER COLUMN old TYPE BIGINT"), {}),
    "not-null": ("e0002", '\n    op.add_column("things", sa.Column("n", sa.Integer(), nullable=False))\n', {}),
    "odd-default": (
        "e0002",
        '\n    op.add_column("things", sa.Column("n", sa.Text(), server_default=sa.text("gen_random_uuid()")))\n',
        {},
    ),
    "plain-index": (
        "e0002",
        ADDED + '    op.create_index("ix_things_rank", "things", ["rank"], sqlite_where=sa.text("rank IS NOT NULL"))\n',
        {},
    ),
    "long-index": (
        "e0002",
        '\n    op.create_index("ix_things_body", "things", ["body"], postgresql_concurrently=True)\n',
        {},
    ),
    "constraint": ("e0002", _alter("ADD CONSTRAINT ck_things CHECK (id > 0)"), {}),
    "not-validated": ("e0002", _alter("ADD CONSTRAINT ck_things CHECK (id > 0) NOT VALID"), {}),
    "data": ("e0002", "\n    op.execute(\"UPDATE things SET old = ''\")\n", {}),
    "unknown": ("e0002", '\n    op.execute("CLUSTER things USING pk_things")\n', {}),
    "cost": ("e0002", NOTE, {"cost": None}),
    "imports": ("e0002", "\n    from phiomia.tables import metadata\n    metadata.create_all()\n", {}),
    "cannot-render": ("e0002", '\n    op.batch_alter_table("nothing", table_args=(1,)).nothing()\n', {}),
    "contract-adds": ("c0001", _alter("ADD COLUMN more TEXT"), {"min_code": "0.1.0", "needs": "e0001"}),
    "min-code": ("c0001", '\n    op.drop_column("things", "old")\n', {"needs": "e0001"}),
    "depends": ("c0001", '\n    op.drop_column("things", "old")\n', {"min_code": "0.1.0"}),
    "still-read": ("c0001", '\n    op.drop_column("things", "body")\n', {"min_code": "0.1.0", "needs": "e0001"}),
}


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_migration_is_rejected_by_its_rule(tmp_path: Path, rule: str) -> None:
    id_, body, more = BAD[rule]
    made = Migrations(tmp_path / "migrations")
    made.add("e0001", THINGS)
    made.add(id_, body, **{"cost": {"things": None}, **more})
    found = check_migrations(made.place, [frozenset({"e0001"})], [_code(tmp_path, "things.c.body")])
    assert {one.rule for one in found} == {rule}, found


@pytest.mark.parametrize(
    ("condition", "good"),
    [
        ("rank IS NOT NULL", True),
        ("rank > 5", True),
        ("kind <> 0 AND rank IS NULL", True),
        ("rank IS NULL", False),
        ("kind = 0", False),
        ("body <> ''", False),  # how many that are nobody knows
        ("rank IS NOT NULL AND body <> ''", False),
    ],
)
def test_an_index_that_nothing_goes_into_is_made_at_once(tmp_path: Path, condition: str, good: bool) -> None:
    made = Migrations(tmp_path / "migrations")
    made.add("e0001", THINGS)
    kind = '    op.add_column("things", sa.Column("kind", sa.Integer(), server_default=sa.text("0"), nullable=False))\n'
    made.add("e0002", ADDED + kind, cost={"things": None})
    index = f'"ix", "things", ["rank"], postgresql_concurrently=True, sqlite_where=sa.text("{condition}")'
    made.add("e0003", f"\n    op.create_index({index})\n", cost={"things": None})
    found = check_migrations(made.place, [frozenset({"e0001"})], [])
    assert [one.rule for one in found] == ([] if good else ["long-index"])
    # A release can't be changed any more.
    assert check_migrations(made.place, [frozenset({"e0001"}), frozenset({"e0002", "e0003"})], []) == []


def test_a_plain_index_is_no_way_to_drop_one(tmp_path: Path) -> None:
    made = Migrations(tmp_path / "migrations")
    made.add("e0001", THINGS)
    made.add(
        "c0001",
        '\n    op.drop_index("ix_things_old", "things")\n',
        cost={"things": None},
        min_code="0.1.0",
        needs="e0001",
    )
    assert {one.rule for one in check_migrations(made.place, [frozenset({"e0001"})], [])} == {"plain-index"}


def test_a_second_branch_of_expands_is_rejected(tmp_path: Path) -> None:
    made = Migrations(tmp_path / "migrations")
    for id_ in ("e0001", "e0002", "e0003"):
        path = made.add(id_, "\n    pass\n")
    path.write_text(path.read_text().replace("'e0002'", "'e0001'"))
    assert [one.rule for one in check_migrations(made.place, [], [])] == ["chain"]


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("select(things.c.body)", True),
        ("things\nQuery.raw(sqlite='SELECT id, body FROM things')", True),
        ("insert_into(things, 'id', 'body')", True),
        ("select(others.c.body, things.c.id)", False),
        ('"""The body of things."""', False),
    ],
)
def test_what_counts_as_reading(tmp_path: Path, code: str, read: bool) -> None:
    made = Migrations(tmp_path / "migrations")
    made.add("e0001", THINGS)
    made.add("c0001", '\n    op.drop_column("things", "body")\n', cost={"things": 1}, min_code="0.1.0", needs="e0001")
    found = check_migrations(made.place, [frozenset({"e0001"})], [_code(tmp_path, code)])
    assert bool(found) is read


@pytest.mark.parametrize(
    ("code", "star"),
    [("'SELECT * FROM things'", True), ("'SELECT t.* FROM things t'", True), ("'SELECT count(*) FROM things'", False)],
)
def test_asking_for_every_column_is_found(tmp_path: Path, code: str, star: bool) -> None:
    assert bool(check_code(_code(tmp_path, f"ask({code})"))) is star


def test_squawk_finds_nothing_in_what_comes_after_the_first_release(tmp_path: Path) -> None:
    first = _releases()[0] if _releases() else frozenset(one.id for one in render("postgresql", frozenset()))
    assert _squawk(tmp_path, PLACE, first) == []
    assert _squawk(tmp_path, write_history(tmp_path / "good").place, frozenset({"e0001"})) == []


def test_squawk_is_listened_to(tmp_path: Path) -> None:
    made = Migrations(tmp_path / "bad")
    made.add("e0001", THINGS)
    made.add("e0002", BAD["type-change"][1])
    made.add("e0003", BAD["plain-index"][1])
    assert _squawk(tmp_path, made.place, frozenset({"e0001"})) == [
        "changing-column-type",
        "require-concurrent-index-creation",
    ]


def _squawk(folder: Path, place: Path, without: frozenset[str]) -> list[str]:
    """The names of the rules that squawk finds broken in the SQL for PostgreSQL."""
    squawk = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if squawk is None:
        miss("squawk is not installed")
    revisions = render("postgresql", without, place)
    if not revisions:
        return []
    path = folder / "rendered.sql"
    path.write_text("".join(_as_file([one.sql for one in revision.statements]) for revision in revisions))
    command = [squawk, "--reporter", "json", *(f"--exclude={rule}" for rule in EXCLUDED), str(path)]
    # Its exit status says little: what counts is what it says.
    said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    return sorted(one["rule_name"] for one in json.loads(said or "[]"))


def _as_file(statements: list[str]) -> str:
    """A revision's statements, one after the other; in a transaction where squawk is to see which tables are new."""
    text = "".join(f"{one};\n" for one in statements)
    alone = "CONCURRENTLY" in text or "NOT VALID" in text  # must not be in a transaction with others
    return f"BEGIN;\n{text}COMMIT;\n" if "CREATE TABLE" in text and not alone else text


def _releases() -> list[frozenset[str]]:
    """The revisions that each release has brought, the oldest first."""
    found = read_releases(ROOT / "releases").values()
    return [frozenset({*one.schema.expands, *one.schema.contracts}) for one in found]


def _last_release(folder: Path) -> list[Path]:
    """The sources of the last release, where the checkout knows one that is not this commit."""
    asked = ["git", "-C", str(ROOT), "describe", "--tags", "--match", "v[0-9]*", "--abbrev=0", "HEAD^"]
    told = subprocess.run(asked, capture_output=True, text=True)
    if told.returncode != 0:
        return []
    archive = folder / "release.tar"
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", archive, told.stdout.strip(), "src/phiomia"], check=True)
    shutil.unpack_archive(archive, folder / "release")
    return [folder / "release" / "src" / "phiomia"]


def _code(folder: Path, text: str) -> Path:
    tree = folder / "code"
    tree.mkdir()
    (tree / "queries.py").write_text(f'"""What asks."""\n\n{text}\n')
    return tree
