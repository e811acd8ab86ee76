"""What every command shares: the data folder, the tenant, output for people or machines, and exit codes."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from atelier_common.errors import AtelierError
from rich.console import Console

from atelier_standalone.client import Client, Refused, connect
from atelier_standalone.folder import DataFolder, default_folder

Result = TypeVar("Result")
DEFAULT_TENANT = "district"

console = Console()
errors = Console(stderr=True)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder.", envvar="ATELIER_DATA", show_default="the user's own")
]
TenantOption = Annotated[
    str, typer.Option("--tenant", help="Whose data: the district's name.", envvar="ATELIER_TENANT")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]


def folder_of(data: Path | None) -> DataFolder:
    return DataFolder(data or default_folder())


def run(data: Path | None, tenant: str, work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Do the work with a client of the folder. A refusal is said on stderr and becomes the exit code."""

    async def connected() -> Result:
        async with connect(folder_of(data), tenant) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except Refused as refusal:
        say_problem(refusal.problem)
        raise typer.Exit(refusal.exit_code) from refusal
    except AtelierError as error:
        say_problem({"title": error.title, "detail": error.detail, **error.extensions})
        raise typer.Exit(6) from error


def say_problem(problem: dict[str, Any]) -> None:
    """A problem document as its reader needs it: what is wrong, where, and the rest as it is."""
    errors.print(f"[bold red]{problem.get('title', 'Refused')}[/]: {problem.get('detail', '')}", highlight=False)
    for name, value in problem.items():
        if name not in ("title", "detail", "type", "status", "instance", "code"):
            errors.print(
                f"  {name}: {value if isinstance(value, str | int | float) else json.dumps(value)}", highlight=False
            )


def answer(as_json: bool, content: Any, show: Callable[[Any], None]) -> None:
    """Print for a machine or for a person."""
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    else:
        show(content)


def read_file(path: Path) -> bytes:
    """A file's bytes; a file that cannot be read is bad input (exit code 2)."""
    try:
        return path.read_bytes()
    except OSError as error:
        say_problem({"title": "The file cannot be read", "detail": f"{path}: {error.strerror}"})
        raise typer.Exit(2) from error
