"""The acceptance on real input: a real school of 282 learners and 189,297 answers, through public interfaces only.

work        import a CASE package and a OneRoster zip, describe a site, send services and absences, stream every answer as xAPI
            statements in batches of 200, plan the week after the evidence, publish it; then import and stream it all again, and
            stream the answers in reverse order into a second folder
reference   none: this asks whether it is right. The oracle finds no safety rule broken, `events verify` is clean, the second time
            changes no log, and the reverse order gives the same mastery to the byte. Figures are printed beside
durability  SQLite, WAL, synchronous FULL
ratio       none; memory is asked to stay below 700 MB (VmRSS of the service process, and of the solver process)

    python -m bench.acceptance --school DIR [--folder DIR] [--limit N] [--skip-reverse]

DIR holds framework.json, oneroster.zip and evidence.ndjson. A run that was stopped goes on where it was, with the same --folder.
"""

import argparse
import asyncio
import csv
import io
import json
import shutil
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from atelier_standalone.cli.importing import send_framework, send_roster, send_site
from atelier_standalone.cli.planning import propose, publish_week
from atelier_standalone.client import Client

from bench.measuring import Line, machine
from bench.real_site import SITE_ID, as_json, site, supports
from bench.standalone import Standalone, standalone
from bench.streaming import Progress, stream

BATCH = 200
LANES = 4
MEMORY_MB = 700
FILES = ("framework.json", "oneroster.zip", "evidence.ndjson")


@dataclass(frozen=True)
class School:
    """What came in, and the week that follows it."""

    framework: bytes
    roster: bytes
    statements: list[bytes]
    learners: list[str]

    @property
    def ends(self) -> int:
        """The moment of the last answer, milliseconds UTC."""
        last = max(json.loads(line)["timestamp"] for line in (self.statements[0], self.statements[-1]))
        return int(datetime.fromisoformat(last).timestamp() * 1000) + 1

    @property
    def monday(self) -> date:
        """The first day of the week after the evidence."""
        day = datetime.fromtimestamp(self.ends / 1000, UTC).date()
        return day + timedelta(days=7 - day.weekday())

    @property
    def week(self) -> str:
        return self.monday.strftime("%G-W%V")


def read_school(folder: Path, limit: int | None) -> School:
    with zipfile.ZipFile(folder / "oneroster.zip") as archive:
        roles = csv.DictReader(io.StringIO(archive.read("roles.csv").decode()))
        learners = sorted(row["userSourcedId"] for row in roles if row["role"] == "student")
    statements = (folder / "evidence.ndjson").read_bytes().splitlines()
    return School(
        (folder / "framework.json").read_bytes(),
        (folder / "oneroster.zip").read_bytes(),
        statements[:limit],
        learners,
    )


class Run:
    """One acceptance run in a folder. Its notes survive a stop, so that the next start goes on."""

    def __init__(self, school: School, folder: Path) -> None:
        self.school = school
        self.folder = folder
        self._notes = folder / "notes.json"
        self.notes: dict[str, Any] = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        self.findings: list[str] = []

    def note(self, **found: Any) -> None:
        self.notes.update(found)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._notes.write_text(json.dumps(self.notes))

    def say(self, text: str) -> None:
        print(f"[{datetime.now(UTC):%H:%M:%S}] {text}", flush=True)

    def ask(self, holds: bool, what: str) -> None:
        """Say what was asked and whether it holds."""
        self.say(f"{'ok' if holds else 'BROKEN'}: {what}")
        if not holds:
            self.findings.append(what)

    @property
    def forward(self) -> Path:
        return self.folder / "forward"

    @property
    def reverse(self) -> Path:
        return self.folder / "reverse"

    async def bring_in(self) -> None:
        """Everything but the evidence; then a copy of the folder for the reverse order, so that learners have the same ids."""
        if self.notes.get("brought_in"):
            return
        with standalone(self.forward, self.school.ends) as server:
            async with server.client() as client:
                await self._import(client)
        shutil.rmtree(self.reverse, ignore_errors=True)
        shutil.copytree(self.forward, self.reverse)
        self.note(brought_in=True)

    async def _import(self, client: Client) -> None:
        framework = await send_framework(client, self.school.framework)
        self.say(f"framework: {framework['counts']}")
        await client.settle()
        roster = await send_roster(client, self.school.roster)
        self.say(f"roster: {roster['state']} {roster['counts']}")
        await client.settle()
        await client.send(
            "/profile/v1/supports", as_json(supports(self.school.learners, self.school.monday)), "application/json"
        )
        described = await send_site(client, as_json(site(self.school.learners)))
        self.say(f"site {described['site_id']}: version {described['version']}")
        await client.settle()

    async def stream(self, server: Standalone, client: Client, *, backwards: bool = False) -> None:
        """All statements, from where an earlier run stopped; then until all four services have caught up."""
        which = "backwards" if backwards else "forwards"
        statements = self.school.statements[::-1] if backwards else self.school.statements
        done = int(self.notes.get(which, 0))
        left = statements[done:]
        began, processor = time.monotonic(), server.ask("figures")["processor"]
        progress = Progress(which, len(left))

        def sent(count: int) -> None:
            progress(count)
            # What other lanes have under way is sent again after a stop; that is harmless.
            if progress.done % 10_000 < count:
                self.note(**{which: max(0, done + progress.done - LANES * BATCH)})

        async with server.poster() as posting:
            await stream(posting, left, BATCH, LANES, sent)
        acknowledged = time.monotonic() - began
        await client.settle()
        took = time.monotonic() - began
        processor = server.ask("figures")["processor"] - processor
        self.note(**{which: len(statements)})
        if left:
            self.say(
                f"{len(left):,} statements {which}: {len(left) / acknowledged:,.0f}/s acknowledged, {len(left) / took:,.0f}/s with "
                f"all four services caught up ({took:.0f} s, of which {processor:.0f} s of processor; {machine()})"
            )

    async def plan(self, client: Client) -> None:
        """Plan, publish, and say what the plan does."""
        began = time.monotonic()
        proposed = await propose(client, SITE_ID, self.school.week)
        if proposed.get("refused") and not proposed.get("proposed"):
            self.ask(False, f"a plan: {proposed['refused']['diagnosis']}")
            return
        planned = time.monotonic() - began
        document = await publish_week(client, SITE_ID, self.school.week, True)
        held = document["published"]
        self.say(f"week {self.school.week} planned in {planned:.1f} s, published as {held['plan_id']}")
        self.ask(
            held["safe"] and not held["violations"], f"the oracle finds no safety rule broken: {held['violations']}"
        )
        figures = held["figures"]
        learners = max(1, figures["learners"])
        on_site = max(1, figures["minutes_on_site"])
        for line in (
            f"learners {figures['learners']}, adults {figures['adults']}, sessions {figures['sessions']}, "
            f"studios {figures['studios']}",
            f"needs served {figures['needs_served']} of {figures['needs']} ({figures['needs_served'] / max(1, figures['needs']):.1%})",
            f"obligations met {figures['obligations_met']} of {figures['obligations']}, owed {figures['obligations_owed']}",
            f"minutes with adults per learner {figures['minutes_with_adults'] / learners:,.0f} of "
            f"{on_site / learners:,.0f} on site",
            f"independent share {figures['minutes_independent'] / on_site:.1%}",
        ):
            self.say(line)

    async def verify(self, client: Client, rebuild: bool = True) -> None:
        commits, began = sum((await heads(client)).values()), time.monotonic()
        report = await client.post("/operator/v1/verify", rebuild=rebuild)
        took = time.monotonic() - began
        broken = {where: found[:3] for where, found in report["violations"].items() if found}
        self.ask(
            report["clean"],
            f"`events verify` is clean: {broken} ({took:.0f} s, {commits / took:,.0f} commits/s, {machine()})",
        )
        parked = (await client.get("/operator/v1/parked"))["parked"]
        waiting = (await client.get("/assessment/v1/parked", limit=1))["parked"]
        self.ask(not parked and not waiting, f"nothing is parked: {parked[:3]} {waiting}")

    async def twice(self, server: Standalone, client: Client) -> None:
        """The same files a second time."""
        before = await heads(client)
        await self._import(client)
        await self._changes_nothing(client, before, "import")
        before = await heads(client)
        self.note(forwards=0)
        await self.stream(server, client)
        await self._changes_nothing(client, before, "stream")

    async def _changes_nothing(self, client: Client, before: dict[str, int], what: str) -> None:
        """No event came since. An accepted command that changes nothing is a commit without events (DESIGN.md, promise 2)."""
        after = await heads(client)
        events: list[str] = []
        for service, head in before.items():
            if after[service] > head:
                tail = await client.get(f"/operator/v1/logs/{service}/events", after=head, limit=500)
                events += [event["type"] for commit in tail["events"] for event in commit["events"]]
        empty = sum(after.values()) - sum(before.values())
        self.ask(
            not events and empty < 10,
            f"a second {what} changes nothing: no event came, heads {before} and then {after}; {events[:5]}",
        )

    def memory(self, server: Standalone) -> None:
        for name, (now, highest) in server.memory().items():
            self.say(str(Line(f"memory of the {name} process", now, "MB", at_most=MEMORY_MB)).strip())
            self.say(f"  at its highest {highest:,.0f} MB")
            if now > MEMORY_MB:
                self.findings.append(f"memory of the {name} process")


async def heads(client: Client) -> dict[str, int]:
    return {log["service"]: log["head"] for log in (await client.get("/operator/v1/logs"))["logs"]}


async def mastery_of_all(client: Client) -> dict[str, list[Any]]:
    """Every learner's standings as the API tells them, by learner id."""
    found: dict[str, list[Any]] = {}
    cursor = ""
    while True:
        page = await client.get("/profile/v1/learners", cursor=cursor, limit=500)
        for one in page["items"]:
            learner = one["learner_id"]
            answer = await client.get(f"/assessment/v1/learners/{learner}/mastery", limit=500)
            # When a number was corrected tells of the order of arrival, which the mastery itself must not depend on.
            found[learner] = [
                {name: value for name, value in standing.items() if name != "corrected_at_ms"}
                for standing in answer["mastery"]
            ]
        cursor = page["next_cursor"]
        if not cursor:
            return found


async def accept(school: School, folder: Path, *, skip_reverse: bool) -> int:
    """The whole run; the number of things that do not hold."""
    run = Run(school, folder)
    began = time.monotonic()
    run.say(f"{len(school.learners)} learners, {len(school.statements):,} statements, into {folder} ({machine()})")
    await run.bring_in()
    with standalone(run.forward, school.ends) as server:
        async with server.client() as client:
            await run.stream(server, client)
            await run.plan(client)
            run.memory(server)
            mastery = json.dumps(await mastery_of_all(client), sort_keys=True).encode()
            await run.twice(server, client)
            run.memory(server)
    with standalone(run.forward, school.ends) as server:
        async with server.client() as client:
            again = json.dumps(await mastery_of_all(client), sort_keys=True).encode()
            run.ask(mastery == again, "after a restart everything reads as before")
            await run.verify(client)
            run.memory(server)
    if not skip_reverse:
        with standalone(run.reverse, school.ends) as server:
            async with server.client() as client:
                await run.stream(server, client, backwards=True)
                other = json.dumps(await mastery_of_all(client), sort_keys=True).encode()
                run.ask(mastery == other, f"the reverse order gives the same mastery, {len(mastery):,} bytes")
                if mastery != other:
                    run.say(_first_difference(mastery, other))
    run.say(f"elapsed {time.monotonic() - began:.0f} s; {len(run.findings)} of the things asked do not hold")
    for finding in run.findings:
        run.say(f"  BROKEN: {finding[:200]}")
    return len(run.findings)


def _first_difference(one: bytes, other: bytes) -> str:
    place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"first difference at {place}: {one[place - 80 : place + 80]!r} and {other[place - 80 : place + 80]!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--school", type=Path, required=True)
    parser.add_argument("--folder", type=Path, help="where the run keeps its data (default: a temporary folder)")
    parser.add_argument("--limit", type=int, help="only the first N statements")
    parser.add_argument("--skip-reverse", action="store_true")
    options = parser.parse_args()
    if missing := [name for name in FILES if not (options.school / name).exists()]:
        print(f"skipped: {options.school} has no {', '.join(missing)}; make them with tools/real_school.py")
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="atelier-acceptance-"))
    school = read_school(options.school, options.limit)
    return 1 if asyncio.run(accept(school, folder, skip_reverse=options.skip_reverse)) else 0


if __name__ == "__main__":
    sys.exit(main())
