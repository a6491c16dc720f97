"""The migration files: Alembic puts them in order and renders each to SQL."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from phiomia.upgrade.statements import Statement, read_statement

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

PLACE = Path(__file__).parent.parent / "migrations"

Branch = Literal["expand", "contract"]


class Revision(NamedTuple):
    """A migration, rendered for one database.

    `min_code`: the oldest release that may run once it has begun. `cost`: for each table that was there before, how
    many of its rows a second are worked through, or None where no row is touched. `backfills`: those that have to be
    done before it.
    """

    id: str
    branch: Branch
    needs: frozenset[str]
    statements: tuple[Statement, ...]
    min_code: str
    cost: Mapping[str, int | None]
    backfills: tuple[str, ...]
    path: Path


def scripts(place: Path = PLACE) -> "ScriptDirectory":
    """Alembic's view of the migration files."""
    from alembic.script import ScriptDirectory  # costs 100 ms and is seldom needed

    return ScriptDirectory(str(place), version_locations=[str(place / "expand"), str(place / "contract")])


def list_names(place: Path = PLACE) -> list[str]:
    """The names of all revisions, `expand` first: without Alembic, which takes longer than most commands."""
    return [
        path.name.partition("_")[0]
        for folder in ("expand", "contract")
        for path in sorted((place / folder).glob("*.py"))
    ]


def render(dialect: str, done: frozenset[str], place: Path = PLACE) -> list[Revision]:
    """The revisions that are missing, in the order in which they can be applied."""
    found = [script for script in scripts(place).walk_revisions("base", "heads") if script.revision not in done]
    return [_render_one(dialect, script) for script in reversed(found)]


def _render_one(dialect: str, script: Any) -> Revision:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    collected = _Statements()
    context = MigrationContext.configure(
        dialect_name=dialect, opts={"as_sql": True, "output_buffer": collected, "literal_binds": True}
    )
    with Operations.context(context):
        script.module.upgrade()
    path = Path(script.path)
    needs = {*_listed(script.down_revision), *_listed(script.dependencies)}
    return Revision(
        id=script.revision,
        branch="contract" if path.parent.name == "contract" else "expand",
        needs=frozenset(needs),
        statements=tuple(read_statement(sql) for sql in collected.statements),
        min_code=getattr(script.module, "MIN_CODE", ""),
        cost=getattr(script.module, "COST", {}),
        backfills=tuple(getattr(script.module, "BACKFILLS", ())),
        path=path,
    )


def _listed(names: Any) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


class _Statements:
    """Alembic's output buffer: each write is one statement."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        statement = text.strip().rstrip(";").strip()
        if statement and not statement.startswith("--"):
            self.statements.append(statement)

    def flush(self) -> None:
        """Nothing is buffered."""
