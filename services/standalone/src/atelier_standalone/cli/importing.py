"""`atelier import`: rosters, frameworks, evidence, sites and supports, through the same doors as everybody else."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from atelier_standalone.cli.context import (
    DEFAULT_TENANT,
    DataOption,
    JsonOption,
    TenantOption,
    answer,
    console,
    errors,
    read_file,
    run,
    say_problem,
)
from atelier_standalone.client import Client

app = typer.Typer(help="Bring data in: rosters, frameworks, evidence, sites, supports.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="The file.", show_default=False)]
_XAPI = {"X-Experience-API-Version": "1.0.3"}
_LANES = 4


@app.command()
def oneroster(
    file: FileArgument,
    preview: Annotated[bool, typer.Option(help="Only say what would change.")] = False,
    confirm_deactivations: Annotated[
        int | None, typer.Option(help="The exact number of people to deactivate, beyond the threshold.")
    ] = None,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Import a OneRoster 1.2 CSV zip as a difference: only changed rows make events, a second time none.

    Example: atelier import oneroster roster.zip --preview
    """
    content = read_file(file)

    async def work(client: Client) -> dict[str, Any]:
        return await send_roster(client, content, preview, confirm_deactivations)

    answer(as_json, run(data, tenant, work), _show_roster)


async def send_roster(
    client: Client, content: bytes, preview: bool = False, confirm_deactivations: int | None = None
) -> dict[str, Any]:
    """Import and wait until it is applied whole."""
    received: dict[str, Any] = await client.send(
        "/profile/v1/roster-imports",
        content,
        "application/zip",
        preview=preview or None,
        confirm_deactivations=confirm_deactivations,
    )
    while received["state"] == "applying":
        await client.settle()
        document = await client.get(f"/profile/v1/roster-imports/{received['import_id']}")
        received = {**received, "state": document["state"]}
        if received["state"] == "applying":
            await asyncio.sleep(0.2)
    return received


def _show_roster(received: dict[str, Any]) -> None:
    console.print(f"Roster import {received['import_id']}: [bold]{received['state']}[/]")
    for kind, counts in received.get("counts", {}).items():
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count and what != "active")
        console.print(f"  {kind.replace('_', ' ')}: {said or 'nothing changed'}", highlight=False)


@app.command()
def case(
    file: FileArgument,
    preview: Annotated[bool, typer.Option(help="Only say what is in it.")] = False,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Import a competency framework as a CASE 1.1 or 1.0 package (JSON).

    Example: atelier import case framework.json
    """
    content = read_file(file)

    async def work(client: Client) -> dict[str, Any]:
        received = await send_framework(client, content, preview)
        await client.settle()
        return received

    answer(as_json, run(data, tenant, work), _show_framework)


async def send_framework(client: Client, content: bytes, preview: bool = False) -> dict[str, Any]:
    received: dict[str, Any] = await client.send(
        "/pathing/v1/frameworks", content, "application/json", preview=preview or None
    )
    return received


def _show_framework(received: dict[str, Any]) -> None:
    state = "looked at" if received.get("preview") else "imported" if received.get("changed") else "unchanged"
    console.print(f"[bold]{received['title']}[/] ({received['framework_id']}): {state}", highlight=False)
    for name, count in received["counts"].items():
        console.print(f"  {name.replace('_', ' ')}: {count}", highlight=False)
    for finding in received.get("findings", [])[:10]:
        missing = f" names {finding['missing_id']}, which is not in the package" if finding.get("missing_id") else ""
        told = f"{finding['code']}: {finding['association_type']} {finding['association_id']}{missing}"
        console.print(f"  [yellow]{told}[/]", highlight=False)


@app.command()
def evidence(
    files: Annotated[list[Path], typer.Argument(help="Files of xAPI statements, one JSON object a line (ndjson).")],
    batch: Annotated[int, typer.Option(min=1, max=500, help="Statements in one request.")] = 200,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Stream evidence as xAPI statements. A statement that came before is accepted once.

    Example: atelier import evidence monday.ndjson tuesday.ndjson
    """
    lines = [line for file in files for line in read_file(file).splitlines() if line.strip()]

    async def work(client: Client) -> dict[str, Any]:
        with progress_bar() as bar:
            task = bar.add_task("statements", total=len(lines))
            sent = await send_evidence(client, lines, batch, lambda done: bar.update(task, completed=done))
        await client.settle()
        parked = (await client.get("/assessment/v1/parked", limit=1))["parked"]
        return {"statements": sent, "anything_parked": bool(parked)}

    answer(as_json, run(data, tenant, work), lambda said: console.print(f"{said['statements']} statements are in."))


def progress_bar() -> Progress:
    """Progress on stderr, so that output stays clean for machines."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
    )


async def send_evidence(client: Client, lines: list[bytes], batch: int, progress: Any) -> int:
    """Send statements in order, a few requests at a time; returns how many were accepted."""
    done = 0
    batches = [lines[start : start + batch] for start in range(0, len(lines), batch)]
    following = iter(batches)

    async def lane() -> None:
        nonlocal done
        for some in following:
            body = b"[" + b",".join(some) + b"]"
            await client.send("/assessment/xapi/statements", body, "application/json", _XAPI)
            done += len(some)
            progress(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(_LANES):
            group.create_task(lane())
    return done


@app.command()
def site(
    file: FileArgument, data: DataOption = None, tenant: TenantOption = DEFAULT_TENANT, as_json: JsonOption = False
) -> None:
    """Import a site: its zones, adults, bell schedules, kinds of session and rules (JSON).

    Example: atelier import site north-building.json
    """
    content = read_file(file)

    async def work(client: Client) -> dict[str, Any]:
        return await send_site(client, content)

    def show(received: dict[str, Any]) -> None:
        console.print(f"Site {received['site_id']}: version {received['version']}", highlight=False)

    answer(as_json, run(data, tenant, work), show)


async def send_site(client: Client, content: bytes) -> dict[str, Any]:
    try:
        described = json.loads(content)
        site_id = described["site_id"]
    except (ValueError, KeyError, TypeError) as error:
        say_problem({"title": "The input is not valid", "detail": "a site is a JSON object with a site_id"})
        raise typer.Exit(2) from error
    received: dict[str, Any] = await client.put(f"/scheduling/v1/sites/{site_id}", described)
    return {"site_id": site_id, **received}


@app.command()
def supports(
    file: FileArgument, data: DataOption = None, tenant: TenantOption = DEFAULT_TENANT, as_json: JsonOption = False
) -> None:
    """Import what a roster cannot carry: accommodations, services and absences (JSON).

    Example: atelier import supports supports.json
    """
    content = read_file(file)

    async def work(client: Client) -> Any:
        received = await client.send("/profile/v1/supports", content, "application/json")
        await client.settle()
        return received

    answer(as_json, run(data, tenant, work), lambda received: console.print_json(json.dumps(received)))
