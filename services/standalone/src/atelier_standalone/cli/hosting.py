"""What runs in the environment of one service among many processes: `serve SERVICE`, `restored`, `tombstones`."""

import asyncio
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from atelier_common.errors import AtelierError, InvalidInput, RuleBroken

from atelier_standalone.cli.context import JsonOption, answer, console, read_file, say_problem


def register(app: typer.Typer) -> None:
    app.command()(restored)
    app.command()(tombstones)


@contextmanager
def _told_by_exit_code(what: str) -> Generator[None, None, None]:
    """2: the environment or the input is wrong; 3: refused by a rule; 6: not available now."""
    from atelier_hosting.settings import Misconfigured

    try:
        yield
    except Misconfigured as wrong:
        for fault in wrong.faults:
            say_problem({"title": f"Cannot {what}", "detail": fault})
        raise typer.Exit(2) from wrong
    except (AtelierError, OSError, RuntimeError) as error:
        say_problem({"title": getattr(error, "title", f"Cannot {what}"), "detail": str(error)})
        code = 2 if isinstance(error, InvalidInput) else 3 if isinstance(error, RuleBroken) else 6
        raise typer.Exit(code) from error


def serve_one(name: str) -> None:
    """One service as a process of its own; says on a line of JSON where it listens. Does not return: with SIGTERM the process ends."""
    from atelier_hosting.process import run_service

    with _told_by_exit_code("serve"):
        run_service(name)
    # All is stopped; threads of a driver that wait for a database which does not answer would hold the process up for long.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def restored(
    service: Annotated[
        str,
        typer.Argument(
            help="Whose database was put back from a backup; its processes are stopped.", show_default=False
        ),
    ],
    tombstones: Annotated[
        Path | None,
        typer.Option(help="For profile: what `atelier tombstones` printed last, kept apart from the backups."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give a database that was put back from a backup a new incarnation: its neighbours then resynchronise, and it with them.

    Reads the environment of the service. Run it before the service's first start.

    Example: atelier restored profile --tombstones tombstones.jsonl
    """
    from atelier_hosting import restoring
    from atelier_hosting.settings import read

    def show(done: dict[str, Any]) -> None:
        for tenant, incarnation in done["incarnations"].items():
            console.print(f"{tenant} is incarnation {incarnation} of its log.", highlight=False, soft_wrap=True)
        for mark in done["buried"]:
            said = (
                f"Buried again: {mark['subject']} of {mark['tenant']}. Ask for the erasure once more when profile runs."
            )
            console.print(said, highlight=False, soft_wrap=True)

    with _told_by_exit_code("restore"):
        marks = restoring.read_back(read_file(tombstones).decode()) if tombstones else []
        done = asyncio.run(restoring.restored(service, read(service), marks))
    answer(as_json, asdict(done), show)


def tombstones() -> None:
    """Print who was erased, a line of JSON each, without a word about them: to be kept apart from the backups of profile.

    Reads the environment of profile.

    Example: atelier tombstones > tombstones.jsonl
    """
    from atelier_hosting import restoring
    from atelier_hosting.settings import read

    with _told_by_exit_code("read"):
        marks = asyncio.run(restoring.tombstones(read(restoring.KEY_OWNER)))
    sys.stdout.write(restoring.written(marks))
