"""`atelier plan`, `publish`, `timetable`, `why`, `override`: weeks as people make, read, question and change them."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from atelier_common.errors import NotFound
from rich.table import Table

from atelier_standalone.cli.context import (
    DEFAULT_TENANT,
    DataOption,
    JsonOption,
    TenantOption,
    answer,
    console,
    errors,
    folder_of,
    run,
    say_problem,
)
from atelier_standalone.client import Client

FOUND = 7
"""The exit code of a check that found something."""
SiteArgument = Annotated[str, typer.Argument(help="The site's id.", show_default=False)]
LearnerArgument = Annotated[str, typer.Argument(help="The learner's Atelier id (lrn_...).", show_default=False)]
WeekOption = Annotated[
    str, typer.Option("--week", help="An ISO week like 2026-W48.", show_default="the next or newest")
]
OwedOption = Annotated[bool, typer.Option(help="Answer, by name, for what the plan owes.")]


def plan(
    site: SiteArgument,
    week: WeekOption = "",
    diagnose: Annotated[
        bool, typer.Option(help="Propose nothing; say what stands in the way and what would help.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(help="Propose nothing; say what the oracle finds in the latest plan. Exit code 7 if anything."),
    ] = False,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Plan a week of a site and propose it; nothing is published.

    Example: atelier plan harbour-north --week 2026-W48
    """
    if check and diagnose:
        raise typer.BadParameter("ask for one of --check and --diagnose")
    if check:
        path = f"/scheduling/v1/sites/{site}/plans/{week or 'newest'}/verdict"
        verdict: dict[str, Any] = run(data, tenant, lambda client: client.get(path))
        answer(as_json, verdict, _show_verdict)
        if verdict["findings"]:
            raise typer.Exit(FOUND)
        return

    async def work(client: Client) -> dict[str, Any]:
        with errors.status("looking" if diagnose else "planning"):
            if diagnose:
                said: dict[str, Any] = await client.get(f"/scheduling/v1/sites/{site}/diagnosis", week=week)
                return said
            return await propose(client, site, week)

    answer(as_json, run(data, tenant, work), _show_diagnosis if diagnose else show_plan)


def _show_diagnosis(said: dict[str, Any]) -> None:
    state = "can be supervised" if said["feasible"] else "[bold red]cannot be supervised[/]"
    console.print(f"{said['site_id']}, {said['week']}: everybody {state}.", highlight=False)
    for line in said["diagnosis"]:
        console.print(f"  {line.partition(': ')[2]}", highlight=False)


def _show_verdict(verdict: dict[str, Any]) -> None:
    findings = verdict["findings"]
    said = f"[bold red]the oracle finds {len(findings)}[/]" if findings else "the oracle finds no rule broken"
    console.print(f"{verdict['site_id']}, {verdict['week']}, plan {verdict['plan_id']}: {said}.", highlight=False)
    for line in findings:
        console.print(f"  {line}", highlight=False, markup=False)


async def propose(client: Client, site: str, week: str) -> dict[str, Any]:
    """Propose, and return the week's document."""
    accepted = await client.post(f"/scheduling/v1/sites/{site}/plans", week=week)
    after = f"{accepted['stream']}@{accepted['version']}"
    planned = week or accepted["stream"].rpartition(":")[2]
    document: dict[str, Any] = await client.get(f"/scheduling/v1/sites/{site}/plans/{planned}", after=after)
    return document


def show_plan(document: dict[str, Any]) -> None:
    """The proposal in figures, or why there is none."""
    if document.get("refused"):
        console.print(f"[bold red]Nothing safe can be proposed for {document['week']}[/]")
        for line in document["refused"]["diagnosis"]:
            console.print(f"  {line}", highlight=False)
        return
    held = document["proposed"] or document["published"]
    figures = held["figures"]
    table = Table(title=f"{document['site']}, {document['week']}: {held['state']}", show_header=False)
    for name, value in (
        ("plan", held["plan_id"]),
        ("safe", "yes, the oracle found no rule broken" if held["safe"] else f"NO: {held['violations'][:3]}"),
        ("learners, adults", f"{figures['learners']}, {figures['adults']}"),
        ("sessions, studios", f"{figures['sessions']}, {figures['studios']}"),
        ("needs served", f"{figures['needs_served']} of {figures['needs']}"),
        ("obligations met", f"{figures['obligations_met']} of {figures['obligations']}"),
        ("obligations owed", str(figures["obligations_owed"])),
        ("minutes with adults", f"{figures['minutes_with_adults']}"),
        ("independent share", f"{share(figures):.1%} of all minutes on site"),
        ("learners moved", str(len(held["moves"]))),
    ):
        table.add_row(name, value)
    console.print(table)


def share(figures: dict[str, Any]) -> float:
    return figures["minutes_independent"] / figures["minutes_on_site"] if figures["minutes_on_site"] else 0.0


def publish(
    site: SiteArgument,
    week: Annotated[str, typer.Option("--week", help="An ISO week like 2026-W48.")],
    acknowledge_owed: OwedOption = False,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Publish the proposal of a week. What it owes has to be acknowledged.

    Example: atelier publish harbour-north --week 2026-W48 --acknowledge-owed
    """

    async def work(client: Client) -> dict[str, Any]:
        return await publish_week(client, site, week, acknowledge_owed)

    answer(as_json, run(data, tenant, work), show_plan)


async def publish_week(client: Client, site: str, week: str, acknowledge_owed: bool) -> dict[str, Any]:
    """Publish, wait until everybody can read it, and return the week's document."""
    body = {"acknowledge_owed": acknowledge_owed}
    await client.post(f"/scheduling/v1/sites/{site}/plans/{week}/publication", body)
    await client.settle()
    document: dict[str, Any] = await client.get(f"/scheduling/v1/sites/{site}/plans/{week}")
    return document


def timetable(
    learner: LearnerArgument,
    week: WeekOption = "",
    proposed: Annotated[bool, typer.Option(help="What is proposed, not what is published.")] = False,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """A learner's week, with the reason of every block. A published week needs neither engine nor database.

    Example: atelier timetable lrn_abc... --week 2026-W48
    """
    content: dict[str, Any]
    if proposed:
        content = run(
            data,
            tenant,
            lambda client: client.get(f"/scheduling/v1/learners/{learner}/timetable", week=week, proposed=True),
        )
    else:
        # Only here a service's code is wanted: no other command waits for its import.
        from atelier_scheduling.planning.published_file import PublishedTimetables

        try:
            content = PublishedTimetables(folder_of(data).published).of_learner(tenant, learner, week)
        except NotFound as missing:
            say_problem({"title": missing.title, "detail": missing.detail})
            raise typer.Exit(4) from missing
    answer(as_json, content, show_week)


def show_week(content: dict[str, Any]) -> None:
    """A week as a table, a day at a time."""
    table = Table(title=f"{content['site']}, {content['week']}", row_styles=["", "dim"])
    for column in ("when", "what", "where", "why"):
        table.add_column(column)
    day = ""
    for block in content["blocks"]:
        if not block["present"]:
            continue
        if block["date"] != day:
            day = block["date"]
            table.add_section()
            table.add_row(f"[bold]{weekday(day)}[/]", "", "", "")
        what = f"{block['title']} ({block['studio']})" if block["studio"] else block["title"]
        table.add_row(f"{block['start']}-{block['end']}", what, block["zone_name"], block["why"])
    console.print(table)


def weekday(date: str) -> str:
    return datetime.fromisoformat(date).strftime("%A, %-d %B")


def why(
    learner: LearnerArgument,
    at: Annotated[str, typer.Option("--at", help="A local time in the block asked about: 2026-11-23T09:30.")],
    asking: Annotated[str, typer.Option(help="why, why-not or what-would-change")] = "why",
    focus: Annotated[str, typer.Option(help="For why-not: the competency wished for.")] = "",
    week: WeekOption = "",
    time_zone: Annotated[str, typer.Option(help="Of the time given.")] = "UTC",
    proposed: Annotated[bool, typer.Option(help="Ask about the proposal.")] = False,
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Why a learner is where they are, why not elsewhere, or what would change it.

    Example: atelier why lrn_abc... --at 2026-11-23T09:30 --time-zone America/Chicago
    """
    try:
        moment = int(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(time_zone)).timestamp() * 1000)
    except (ValueError, KeyError) as error:
        say_problem({"title": "The time is not valid", "detail": f"{at} in {time_zone}"})
        raise typer.Exit(2) from error

    async def work(client: Client) -> dict[str, Any]:
        path = f"/scheduling/v1/learners/{learner}/explanation"
        said: dict[str, Any] = await client.get(
            path, at_ms=moment, asking=asking, focus=focus, week=week, proposed=proposed or None
        )
        return said

    def show(said: dict[str, Any]) -> None:
        for reason in said["reasons"]:
            console.print(f"- {reason['sentence']}", highlight=False)
        for change in said["would_change"]:
            console.print(f"- [italic]{change['sentence']}[/]", highlight=False)

    answer(as_json, run(data, tenant, work), show)


def override(
    site: SiteArgument,
    learner: Annotated[str, typer.Option(help="The learner it is about.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded with your name.")],
    start: Annotated[str, typer.Option("--from", help="Local time: 2026-11-23T09:30.")],
    end: Annotated[str, typer.Option("--to", help="Local time: 2026-11-23T10:15.")],
    time_zone: Annotated[str, typer.Option(help="Of the times given.")] = "UTC",
    action: Annotated[str, typer.Option(help="place or keep-out")] = "place",
    session: Annotated[str, typer.Option(help="The session of the plan.")] = "",
    zone: Annotated[str, typer.Option(help="The zone.")] = "",
    focus: Annotated[str, typer.Option(help="The competency.")] = "",
    week: WeekOption = "",
    data: DataOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
) -> None:
    """Decide where a learner is. No later solve undoes it; one that breaks safety is refused and the rule named.

    Example: atelier override harbour-north --learner lrn_abc... --zone quiet-room --from 2026-11-23T09:30
    --to 2026-11-23T10:15 --reason "asked for a calm morning"
    """
    try:
        starts, ends = (
            int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone)).timestamp() * 1000)
            for text in (start, end)
        )
    except (ValueError, KeyError) as error:
        say_problem({"title": "The time is not valid", "detail": f"{start} to {end} in {time_zone}"})
        raise typer.Exit(2) from error
    body = {
        "action": action,
        "reason": reason,
        "starts_at_ms": starts,
        "ends_at_ms": ends,
        "learners": [learner],
        "session": session,
        "zone": zone,
        "focus": focus,
        "week": week,
    }

    async def work(client: Client) -> dict[str, Any]:
        given: dict[str, Any] = await client.post(f"/scheduling/v1/sites/{site}/overrides", body)
        await client.settle()
        return given

    def show(given: dict[str, Any]) -> None:
        console.print(f"Override {given['override_id']} holds.", highlight=False)

    answer(as_json, run(data, tenant, work), show)


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    for command in (plan, publish, timetable, why, override):
        app.command()(command)
