"""What processes take for the newest schema is what the migration files say."""

from phiomia.migrations import HEADS
from phiomia.upgrade.revisions import list_names
from phiomia.upgrade.schema import scripts


def test_heads_are_those_of_the_files() -> None:
    assert frozenset(scripts().get_heads()) == HEADS


def test_files_are_named_after_their_revisions_in_their_order() -> None:
    chain = [one.revision for one in reversed(list(scripts().walk_revisions()))]
    assert list_names() == sorted(chain, key=lambda name: name[0] != "e")
