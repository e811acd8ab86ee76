"""The command line's front: demo, serve, token, and the rooms of the other commands."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from atelier_common import process
from atelier_common.errors import AtelierError
from atelier_common.security.tokens import TokenIssuer

from atelier_standalone.cli import events, hosting, importing, planning
from atelier_standalone.cli.context import (
    DEFAULT_TENANT,
    DataOption,
    JsonOption,
    TenantOption,
    answer,
    console,
    folder_of,
    say_problem,
)
from atelier_standalone.folder import DEFAULT_PORT, LOOPBACK

if TYPE_CHECKING:
    from atelier_standalone.system import Atelier

app = typer.Typer(
    help="Atelier: evidence of learning in, an explained timetable out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)
app.add_typer(importing.app, name="import")
app.add_typer(events.app, name="events")
planning.register(app)


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="End when the results are shown, without serving the pages.")] = False,
    seed: Annotated[int, typer.Option(help="Of the fictional district; same seed, same district.")] = 7,
    port: Annotated[int, typer.Option(help="Of the pages; 0 takes a free one.")] = DEFAULT_PORT,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the main job on a fictional district: evidence of three school days in, next week's timetables out.

    Example: atelier demo --once
    """
    from atelier_standalone.demo.running import run_demo

    serve_after = not once and sys.stdout.isatty()
    try:
        process.run(run_demo(data, seed, port, serve_after=serve_after, as_json=as_json))
    except AtelierError as error:
        say_problem({"title": error.title, "detail": error.detail, **error.extensions})
        raise typer.Exit(6) from error


@app.command(name="serve")
def serve_folder(
    service: Annotated[
        str | None,
        typer.Argument(
            help="profile, assessment, pathing or scheduling: this one as a process of its own, as its environment says. "
            "Nothing: all of them on the data folder.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; loopback unless told otherwise.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="HTTP and pages; 0 takes a free one.")] = DEFAULT_PORT,
    grpc_port: Annotated[int, typer.Option(help="gRPC; 0 takes a free one.")] = 0,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
) -> None:
    """Serve the data folder until Ctrl-C: HTTP, pages and gRPC. Or serve one service among many processes.

    Example: atelier serve --port 8765

    Example: atelier serve scheduling (docs/operations.md lists what it reads from its environment)
    """
    if service is not None:
        hosting.serve_one(service)
        return
    from atelier_standalone.serving import serve

    def announce(atelier: "Atelier", url: str, grpc: int) -> None:
        token = atelier.issuer.issue(tenant, "administrator", ("district-admin", "operator"), 12 * 60)
        console.print(f"Atelier serves {atelier.folder.path}", highlight=False)
        console.print(f"  pages   {url}/sign-in?token={token}", highlight=False, soft_wrap=True)
        console.print(
            f"  HTTP    {url}, described in {url}/openapi.json (with a token)", highlight=False, soft_wrap=True
        )
        console.print(f"  gRPC    {host}:{grpc}", highlight=False)
        console.print("Ctrl-C ends it; nothing accepted is lost.")

    try:
        process.run(serve(folder_of(data), host, port, grpc_port, announce))
    except (AtelierError, OSError) as error:
        say_problem({"title": getattr(error, "title", "Cannot serve"), "detail": str(error)})
        raise typer.Exit(6) from error


@app.command()
def token(
    roles: Annotated[
        list[str],
        typer.Argument(
            help="district-admin, principal, counselor, coach, student, guardian, partner, operator", show_default=False
        ),
    ],
    subject: Annotated[str, typer.Option(help="Who acts with it.")] = "local",
    learner: Annotated[
        list[str] | None, typer.Option(help="For a student or guardian: the learner it is about.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=1, help="How long it holds.")] = 60,
    data: DataOption = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the keys, where services are processes of their own.",
            envvar="ATELIER_KEYS",
            show_default="in the data folder",
        ),
    ] = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Issue a bearer token, signed by this installation's own key.

    Example: atelier token coach --subject coach-7
    """
    issuer = TokenIssuer(keys or folder_of(data).keys)
    try:
        issued = issuer.issue(tenant, subject, roles, minutes, learner or ())
    except ValueError as error:
        say_problem({"title": "The input is not valid", "detail": str(error)})
        raise typer.Exit(2) from error
    answer(as_json, {"token": issued}, lambda said: print(said["token"]))


hosting.register(app)
