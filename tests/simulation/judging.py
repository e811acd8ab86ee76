"""What must be true of the simulated school when the weather has cleared up and nobody has anything left to do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from atelier_common import verify
from atelier_common.verify import Violation
from atelier_scheduling.projections.neighbours import paths_in

from tests.simulation.people import People
from tests.simulation.replicas import SERVICES
from tests.simulation.world import CALM, TENANT, World
from tests.support import school


async def judge(world: World, people: People) -> None:
    """Raises AssertionError naming what is wrong."""
    await _invariants(world)
    await _nothing_acknowledged_is_lost(world, people)
    await _evidence_counts_once(world, people)
    await _everybody_tells_the_same(world, people)
    await _the_week_is_published_once(world)
    await _who_was_erased_is_forgotten(world, people)


COUNTED = ("EvidenceRecorded", "EvidenceMapped")
"""Evidence counts from one of these on: at once, or when the learner or competency that it names has become known."""


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    different = {key: (found.get(key), wanted.get(key)) for key in found.keys() | wanted.keys()}
    wrong = {key: pair for key, pair in different.items() if pair[0] != pair[1]}
    assert not wrong, wrong


async def _invariants(world: World) -> None:
    """What `atelier events verify` finds, and that every neighbour's facts have come in to the last."""
    services = {name: world.replica(name, CALM).service for name in SERVICES}
    owners = world.around.neighbours
    found = await verify.check_services(services, TENANT, owners)
    broken = {name: wrong for name, wrong in found.items() if wrong}
    assert not broken, broken
    missing: list[Violation] = []
    for service in services.values():
        for one in service.subscriptions:
            missing += await verify.check_ingested(
                service.store, TENANT, one.source, one.topics, owners[one.source], complete=True
            )
    assert not missing, missing
    unsafe = world.replica("scheduling", CALM).unsafe_plans
    assert unsafe is not None
    assert await unsafe(TENANT) == []


async def _nothing_acknowledged_is_lost(world: World, people: People) -> None:
    lost: list[Violation] = []
    for name in SERVICES:
        told = [
            (stream, version, command)
            for service, stream, version, command, at in people.acknowledged
            if service == name and not world.forgotten(name, at)
        ]
        lost += await verify.check_acknowledged(world.store(name), TENANT, told)
    assert not lost, lost


async def _evidence_counts_once(world: World, people: People) -> None:
    """Every acknowledged statement begins to count once, and counts once for its learner and competency."""
    log = await world.store("assessment").read_log(TENANT, 0, limit=1_000_000)
    recorded = Counter(
        event.data["evidence"]["reference"] for commit in log for event in commit.events if event.type in COUNTED
    )
    begun: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for reference, statement in people.statements.items():
        learner = await world.keyring.pseudonym(TENANT, "learner", statement["actor"]["account"]["name"])
        competency = statement["context"]["contextActivities"]["grouping"][0]["id"].rpartition("/")[2]
        if learner == people.erased:
            assert recorded[reference] <= 1
            continue
        begun[reference] += recorded[reference]
        said[f"{learner}:{competency}"] += 1
    _same(begun, dict.fromkeys(begun, 1))
    held = await world.replica("assessment", CALM).service.read("mastery").all(TENANT)
    counted = {key: document["evidence_count"] for key, document in held}
    _same({key: counted.get(key, 0) for key in said}, said)


async def _everybody_tells_the_same(world: World, people: People) -> None:
    """What profile and pathing show of a learner's mastery is what assessment has.

    Of somebody who was erased it need not be: a restored log may have lost what its neighbours heard, and nobody answers for
    them again.
    """

    def told(documents: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        kept = [(key, one) for key, one in documents if not key.startswith(people.erased)]
        return {key: (one["estimate"], one["earned"], one["evidence_count"]) for key, one in kept}

    mastery = await world.replica("assessment", CALM).service.read("mastery").all(TENANT)
    shown = await world.replica("profile", CALM).service.read("learner_progress").all(TENANT)
    _same(told(shown), told(mastery))
    earned = Counter(key.partition(":")[0] for key, one in mastery if one["earned"])
    paths = await world.replica("pathing", CALM).service.read("path_of_learner").all(TENANT)
    followed = {document["learner_id"]: document for _, document in paths}
    _same(
        {learner: document["earned_count"] for learner, document in followed.items()},
        {one: earned[one] for one in followed},
    )
    planned = dict(await world.replica("scheduling", CALM).service.read("path_of_learner").all(TENANT))
    revisions = {key: paths_in(document)[0].revision for key, document in planned.items()}
    _same(
        {one: revisions.get(one) for one in followed}, {one: document["revision"] for one, document in followed.items()}
    )


async def _the_week_is_published_once(world: World) -> None:
    log = await world.store("scheduling").read_stream(TENANT, f"plan/{school.SITE}:{school.WEEK}")
    published = [event.data["plan_id"] for commit in log for event in commit.events if event.type == "plan.published"]
    assert published
    assert len(published) == len(set(published))


async def _who_was_erased_is_forgotten(world: World, people: People) -> None:
    assert people.erased in {mark.subject for mark in await world.keyring.tombstones(TENANT)}
    paths = await world.replica("pathing", CALM).service.read("path_of_learner").all(TENANT)
    assert people.erased not in {document["learner_id"] for _, document in paths}
