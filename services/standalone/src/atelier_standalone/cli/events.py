"""`atelier events`: look at the logs, let parked keys catch up, rebuild read models, verify every invariant."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from atelier_standalone.cli.context import (
    DEFAULT_TENANT,
    DataOption,
    JsonOption,
    TenantOption,
    answer,
    console,
    errors,
    run,
)
from atelier_standalone.client import Client

app = typer.Typer(help="Look after the logs: tail, parked, unpark, rebuild, verify.", no_args_is_help=True)
ServiceArgument = Annotated[str, typer.Argument(help="profile, assessment, pathing or scheduling.", show_default=False)]
NOT_CLEAN = 7
_LOOKS_EVERY = 1.0
"""Seconds between two looks at how far a check is."""


@app.command()
def tail(
    service: ServiceArgument,
    after: Annotated[int, typer.Option(help="Start after this position; -1: the newest.")] = -1,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Show commits of a service's log, as stored.

    Example: atelier events tail assessment --limit 5
    """

    async def work(client: Client) -> Any:
        return await client.get(f"/operator/v1/logs/{service}/events", after=after, limit=limit)

    def show(found: dict[str, Any]) -> None:
        for commit in found["events"]:
            types = ", ".join(event["type"] for event in commit["events"]) or "accepted, nothing to do"
            console.print(f"{commit['position']:>8}  {commit['stream']}@{commit['version']}  {types}", highlight=False)

    answer(as_json, run(data, tenant, work), show)


@app.command()
def parked(data: DataOption = None, tenant: TenantOption = DEFAULT_TENANT, as_json: JsonOption = False) -> None:
    """List every key that waits, and why.

    Example: atelier events parked --json
    """

    def show(found: dict[str, Any]) -> None:
        if not found["parked"]:
            console.print("Nothing is parked.")
            return
        table = Table("service", "consumer", "key", "since", "reason")
        for one in found["parked"]:
            table.add_row(one["service"], one["consumer"], one["key"], str(one["since"]), one["reason"])
        console.print(table)

    answer(as_json, run(data, tenant, lambda client: client.get("/operator/v1/parked")), show)


@app.command()
def unpark(
    service: ServiceArgument,
    consumer: Annotated[str, typer.Argument(help="Who parked it, as `parked` names it.")],
    key: Annotated[str, typer.Argument(help="The key.")],
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Let a parked key catch up, in order. What still stops it is said, and it stays parked.

    Example: atelier events unpark scheduling reaction:when_facts_changed_then_repair pathing/path/lrn_...
    """
    body = {"service": service, "consumer": consumer, "key": key}
    done = run(data, tenant, lambda client: client.post("/operator/v1/unpark", body))
    answer(as_json, done, lambda _: console.print(f"{key} has caught up.", highlight=False))


@app.command()
def rebuild(
    service: ServiceArgument,
    projection: Annotated[str, typer.Argument(help="The read model.")],
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Build a read model anew from the log, beside the one that is read, then flip reads to it.

    Example: atelier events rebuild pathing path_of_learner
    """
    body = {"service": service, "projection": projection}

    async def work(client: Client) -> Any:
        with errors.status("rebuilding"):
            return await client.post("/operator/v1/rebuild", body)

    answer(
        as_json,
        run(data, tenant, work),
        lambda done: console.print(f"{projection} is build {done['build']} now.", highlight=False),
    )


@app.command()
def verify(
    rebuild: Annotated[bool, typer.Option(help="Also compare read models with a fresh fold of the log.")] = True,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Check every invariant of every log. Exit code 7 where one is broken.

    Example: atelier events verify
    """

    async def work(client: Client) -> Any:
        with errors.status("verifying") as status:
            await client.settle()
            checking = asyncio.create_task(client.post("/operator/v1/verify", rebuild=rebuild))
            while not (await asyncio.wait({checking}, timeout=_LOOKS_EVERY))[0]:
                read = (await client.get("/operator/v1/verify"))["read"]
                logs = [f"{service} {one['commits']:,} of {one['of']:,}" for service, one in read.items()]
                status.update(", ".join(["verifying", *logs]) + (" commits" if logs else ""))
            return checking.result()

    found = run(data, tenant, work)

    def show(report: dict[str, Any]) -> None:
        for check, violations in report["violations"].items():
            state = "[green]clean[/]" if not violations else f"[red]{len(violations)} violations[/]"
            console.print(f"{check}: {state}", highlight=False)
            for violation in violations[:10]:
                console.print(
                    f"  {json.dumps(violation) if not isinstance(violation, str) else violation}", highlight=False
                )

    answer(as_json, found, show)
    if not found["clean"]:
        raise typer.Exit(NOT_CLEAN)
