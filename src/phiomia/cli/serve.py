"""`phiomia serve`, `web`, `worker`, `streaming`: the server, whole or one role of it."""

import click


@click.command()
@click.option("--first-run", is_flag=True, help="Create an owner if nobody is there yet.")
@click.option("--demo", is_flag=True, help="Fill the server with people and posts to look at.")
def serve(first_run: bool, demo: bool) -> None:
    """Run everything: web, worker, streaming. SIGHUP reloads, SIGTERM stops."""
    from phiomia.platform.config import load_config
    from phiomia.serving import run_serve

    run_serve(load_config(), first_run=first_run, demo=demo)


@click.command()
def web() -> None:
    """Run the web role alone, for servers that are split over units or machines."""
    _serve_role("web")


@click.command()
def worker() -> None:
    """Run the worker role alone."""
    _serve_role("worker")


@click.command()
def streaming() -> None:
    """Run the streaming role alone."""
    _serve_role("streaming")


def _serve_role(role: str) -> None:
    from phiomia.platform.config import load_config
    from phiomia.serving import run_serve

    run_serve(load_config(), roles=(role,))
