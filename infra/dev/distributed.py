"""The main job on real servers, each service a process of its own: ``python -m infra.dev distributed``."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from atelier_standalone.cli.context import console
from atelier_standalone.demo.running import ROLES, SEED, TENANT, demo_master_key, evening_before, main_job
from atelier_standalone.sample.district import sample_district

from infra.dev.house import House
from infra.dev.same import differences, without_names_of_its_own


def run(folder: Path, kafka: str, mongo: str, replicas: int, *, as_json: bool, against: Path | None = None) -> None:
    """Start the house, do the job, say what came of it, stop the house.

    With ``against``, what ``atelier demo --once --json`` printed, SystemExit names where the two differ.
    """
    alone = None if against is None else json.loads(against.read_text())
    console.quiet = as_json
    house = House(
        folder / "house", kafka, mongo, f"demo-{time.time_ns():x}.", replicas, master_key=demo_master_key(SEED)
    )
    try:
        with console.status(f"starting {4 * replicas} processes"):
            house.start()
        results = asyncio.run(_job(house, as_json))
    finally:
        house.stop()
    if alone is not None:
        found = differences(*map(without_names_of_its_own, (alone, results)), "results")
        if found:
            raise SystemExit("\n".join(["the results differ:", *found]))
        console.print("The results are those of one process.", highlight=False)


async def _job(house: House, as_json: bool) -> dict[str, Any]:
    began = time.perf_counter()
    async with house.client(TENANT, ROLES, "demo") as client:
        await client.move_clock(evening_before())
        results = await main_job(client, client.move_clock, sample_district(SEED))
        results.seconds = round(time.perf_counter() - began, 1)
        if as_json:
            sys.stdout.write(json.dumps(results.__dict__, indent=2) + "\n")
        wrong = await client.violations()
        console.print(f"The job took {results.seconds} s in {len(house.running)} processes.", highlight=False)
        if any(wrong.values()):
            raise SystemExit(f"events verify found: {json.dumps(wrong)[:2000]}")
    return dict(json.loads(json.dumps(results.__dict__)))
