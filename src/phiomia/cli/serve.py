"""`phiomia serve`, `web`, `worker`, `streaming`: the server, whole or one role of it."""

from typing import Annotated

import typer

serve_app = typer.Typer()
web_app = typer.Typer()
worker_app = typer.Typer()
streaming_app = typer.Typer()


@serve_app.command()
def serve(
    first_run: Annotated[bool, typer.Option("--first-run", help="Create an owner if nobody is there yet.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Fill the server with people and posts to look at.")] = False,
) -> None:
    """Run everything: web, worker, streaming. SIGHUP reloads, SIGTERM stops."""
    from phiomia.platform.config import load_config
    from phiomia.serving import run_serve

    run_serve(load_config(), first_run=first_run, demo=demo)


@web_app.command()
def web() -> None:
    """Run the web role alone, for servers that are split over units or machines."""
    _serve_role("web")


@worker_app.command()
def worker() -> None:
    """Run the worker role alone."""
    _serve_role("worker")


@streaming_app.command()
def streaming() -> None:
    """Run the streaming role alone."""
    _serve_role("streaming")


def _serve_role(role: str) -> None:
    from phiomia.platform.config import load_config
    from phiomia.serving import run_serve

    run_serve(load_config(), roles=(role,))
