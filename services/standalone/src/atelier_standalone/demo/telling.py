"""What the demo says in the terminal."""

from collections import Counter
from pathlib import Path
from typing import Any

from rich.rule import Rule
from rich.table import Table

from atelier_standalone.cli.context import console
from atelier_standalone.cli.planning import show_plan, show_week, weekday

_SHOWN = 6


def what_came_in(imported: dict[str, Any]) -> None:
    console.print(Rule("What came in"))
    roster = {kind: counts.get("created", 0) for kind, counts in imported["roster"].items()}
    framework = imported["framework"]
    console.print(
        f"A fictional district: {roster.get('learner', 0)} learners, {roster.get('adult', 0)} adults, sites "
        f"{' and '.join(imported['sites'])}; {framework['competencies']} competencies in {framework['subjects']} subjects with "
        f"{framework['prerequisites']} prerequisites, {framework['essential']} of them essential.",
        highlight=False,
    )


def what_moved(day: dict[str, Any]) -> None:
    console.print(
        f"{weekday(day['day'])}: {day['statements']} results came in, {day['parked']} parked; {day['estimates']} estimates moved.",
        highlight=False,
    )


def what_is_proposed(document: dict[str, Any]) -> None:
    show_plan(document)


def what_a_person_decided(override: dict[str, Any]) -> None:
    console.print(Rule("A person's decision"))
    if not override:
        console.print("No learner could be moved without breaking a safety rule, so nobody was.")
        return
    holds = "and it holds" if override["holds_after_replanning"] else "AND IT WAS LOST"
    console.print(
        f"A coach placed {override['learner']} in [italic]{override['moved_to']}[/] on {override['at']}. The week was planned "
        f"again, {holds}: {override['why']}",
        highlight=False,
    )


def what_is_owed(site: str, owed: list[dict[str, Any]], names: dict[str, str]) -> None:
    console.print(Rule(f"What {site} owes, and to whom"))
    if not owed:
        console.print("Nothing: every obligation of the week is met.")
        return
    kinds = Counter(one["obligation"] for one in owed)
    console.print(
        ", ".join(f"{count} {kind.replace('-', ' ')}" for kind, count in kinds.most_common()), highlight=False
    )
    table = Table("to whom", "what", "due", "in the plan", "owed")
    for one in sorted(owed, key=lambda one: -one["minutes_owed"])[:_SHOWN]:
        what = one["title"] or one["obligation"]
        table.add_row(
            names.get(one["owed_to"], one["owed_to"]),
            what,
            f"{one['minutes_due']} min",
            f"{one['minutes_scheduled']} min",
            f"{one['minutes_owed']} min",
        )
    console.print(table)


def tomorrows_studios(day: dict[str, Any], names: dict[str, str]) -> None:
    console.print(Rule(f"The next school day's studios, {weekday(day['date'])}"))
    table = Table("when", "studio", "shared gap", "with", "members")
    for one in day["sessions"][:_SHOWN]:
        members = [names.get(member, member) for member in one["members"]]
        told = ", ".join(members[:4]) + (f" and {len(members) - 4} more" if len(members) > 4 else "")
        gap = "; ".join(focus["title"] for focus in one["shared_gap"]) or one["title"]
        adults = ", ".join(names.get(adult, adult) for adult in one["adults"])
        table.add_row(f"{one['start']}-{one['end']}", one["label"], gap, f"{adults}, {one['zone_name']}", told)
    console.print(table)
    if len(day["sessions"]) > _SHOWN:
        console.print(f"... and {len(day['sessions']) - _SHOWN} more, on the pages.")


def one_learners_week(week: dict[str, Any], name: str) -> None:
    console.print(Rule(f"One learner's week: {name}"))
    show_week(week)


def the_end(seconds: float, path: Path) -> None:
    console.print(Rule())
    console.print(
        f"Done in {seconds} s. Everything is in {path}; try `atelier --help`.", highlight=False, soft_wrap=True
    )


def where_the_pages_are(url: str, token: str) -> None:
    console.print(f"The pages: {url}/sign-in?token={token}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends it.")
