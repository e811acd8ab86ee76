"""What must hold after every fault. Each returns what is wrong, in words; nothing, if all is well."""

from collections import Counter
from collections.abc import Iterable, Sized

import httpx

from infra.dev.house import HouseClient
from tests.faults.servers.load import XAPI, Reader


async def gone(client: HouseClient, statements: Iterable[str]) -> dict[str, str]:
    """Which of these statements cannot be read by their id, and what was answered instead."""
    found = {}
    for statement in statements:
        try:
            answer = await client.http.get(
                "/assessment/xapi/statements", params={"statementId": statement}, headers=XAPI
            )
        except httpx.TransportError as error:
            found[statement] = repr(error)
            continue
        if not answer.is_success or answer.json()["id"] != statement:
            found[statement] = f"{answer.status_code} {answer.text[:200]}"
    return found


async def readable_by_id(client: HouseClient, acknowledged: Iterable[str]) -> list[str]:
    """Everything acknowledged is read back by its id."""
    missing = await gone(client, acknowledged)
    return [f"acknowledged statement {one} cannot be read: {answer}" for one, answer in missing.items()]


async def counted_once(client: HouseClient, acknowledged: Sized, learner_ids: dict[str, str]) -> list[str]:
    """Everything acknowledged stands once in the log, and counts once in its learner's mastery."""
    wrong: list[str] = []
    recorded = Counter(
        commit["stream"]
        for commit in await client.log_of("assessment")
        for event in commit["events"]
        if event["type"] == "EvidenceRecorded"
    )
    wrong += [f"{stream} holds its evidence {times} times" for stream, times in recorded.items() if times > 1]
    if sum(recorded.values()) != len(acknowledged):
        wrong.append(f"{len(acknowledged)} acknowledged, {sum(recorded.values())} in the log")
    counted = 0
    for learner_id in learner_ids.values():
        mastery = (await client.get(f"/assessment/v1/learners/{learner_id}/mastery"))["mastery"]
        counted += sum(one["evidence_count"] for one in mastery)
    if counted != sum(recorded.values()):
        wrong.append(f"mastery counts {counted} pieces of evidence, the log holds {sum(recorded.values())}")
    return wrong


async def sound(client: HouseClient) -> list[str]:
    """What ``atelier events verify`` finds: positions dense, order per stream, read models equal to a rebuild, copies complete."""
    return [f"{service}: {one}" for service, found in (await client.violations()).items() for one in found]


async def nothing_parked(client: HouseClient) -> list[str]:
    return [f"parked: {one}" for one in await client.parked()]


def readable(reader: Reader) -> list[str]:
    """A published week was readable at every look: of two replicas, one at least answered."""
    if reader.failed:
        return [
            f"{reader.failed} of {reader.reads + reader.failed} reads failed, {reader.worst:.1f} s: {reader.last_failure}"
        ]
    return [] if reader.reads else ["nobody read the published week"]
