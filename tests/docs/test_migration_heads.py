"""What processes take for the newest schema is what the migration files say."""

from phiomia.migrations import HEADS
from phiomia.upgrade.schema import scripts


def test_heads_are_those_of_the_files() -> None:
    assert frozenset(scripts().get_heads()) == HEADS
