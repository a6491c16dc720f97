"""How many files and connections a process may have open."""

import resource


def allow_many_files() -> None:
    """Takes as many as the system grants: who speaks with hundreds of servers at once needs more than the usual."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
