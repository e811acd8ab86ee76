"""One trace leads from a posted result to the plan that it changed, through every process on the way; metrics come with it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio

from infra.dev.house import House, HouseClient
from tests.support import school
from tests.support.collector import Attributes, Collector, Place, Span, collecting
from tests.support.in_a_house import ROLES, plan_with_a_studio, post
from tests.support.nursery import Nursery
from tests.support.running import until, until_it_holds

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]
TENANT = "fictional-traced"


@dataclass(frozen=True)
class Hop:
    """A span that has to be there: of this service, with this name and attributes, a child of ``after`` or linked to it."""

    name: str
    service: str
    span: str
    after: str
    told: Attributes = field(default_factory=dict)


THE_WAY = (
    Hop("the result is posted", "assessment", "http.request", "who posts it", {"http.response.status_code": 200}),
    Hop("it is recorded", "assessment", "command.execute", "the result is posted"),
    Hop("it gets its position", "assessment", "log.sequence", "it is recorded"),
    Hop("it is estimated", "assessment", "reaction.react", "it is recorded"),
    Hop("mastery is recorded", "assessment", "command.execute", "it is estimated"),
    Hop("mastery gets its position", "assessment", "log.sequence", "mastery is recorded"),
    Hop("mastery goes to Kafka", "assessment", "log.publish", "mastery is recorded"),
    Hop("pathing takes mastery in", "pathing", "log.consume", "mastery is recorded", {"atelier.service": "assessment"}),
    Hop("it gets a position there", "pathing", "log.sequence", "mastery is recorded"),
    Hop("the path is revised", "pathing", "reaction.react", "mastery is recorded"),
    Hop("the path is recorded", "pathing", "command.execute", "the path is revised"),
    Hop("the path gets its position", "pathing", "log.sequence", "the path is recorded"),
    Hop("the path goes to Kafka", "pathing", "log.publish", "the path is recorded"),
    Hop("scheduling takes the path in", "scheduling", "log.consume", "the path is recorded"),
    Hop("the path gets a position there", "scheduling", "log.sequence", "the path is recorded"),
    Hop("a repair is needed", "scheduling", "reaction.react", "the path is recorded"),
    Hop("it is asked for", "scheduling", "command.execute", "a repair is needed"),
    Hop("the asking gets its position", "scheduling", "log.sequence", "it is asked for"),
    Hop("the asking goes to Kafka", "scheduling", "log.publish", "it is asked for"),
    Hop("the week is repaired", "scheduling", "work.do", "it is asked for", {"atelier.work": "planning"}),
    Hop("the engine solves it", "scheduling", "engine.solve", "the week is repaired", {"atelier.work": "mend"}),
    Hop("the plan is recorded", "scheduling", "command.execute", "the week is repaired"),
    Hop("the plan gets its position", "scheduling", "log.sequence", "the plan is recorded"),
    Hop(
        "the timetable shows it",
        "scheduling",
        "projection.apply",
        "the plan is recorded",
        {"atelier.projection": "plans"},
    ),
)


class LinkMissing(AssertionError):
    """A hop has no span that follows from the hop before it."""


def followed(spans: Sequence[Span], way: Sequence[Hop], start: Place) -> dict[str, Span]:
    """The span of each hop, by its name. Raises LinkMissing at the first that cannot be reached from ``start``."""
    places: dict[str, set[Place]] = {"who posts it": {start}}
    found: dict[str, Span] = {}
    for hop in way:
        fitting = [
            span
            for span in spans
            if (span.service, span.name) == (f"atelier-{hop.service}", hop.span)
            and span.follows & places[hop.after]
            and hop.told.items() <= span.attributes.items()
        ]
        if not fitting:
            raise LinkMissing(f"{hop.name}: no {hop.span} of {hop.service} follows from {hop.after}")
        places[hop.name] = {span.place for span in fitting}
        found[hop.name] = fitting[0]
    return found


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def house(
    collector: Collector,
    kafka_address: str,
    mongo_address: str,
    nursery: Nursery,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "NO_PROXY": "127.0.0.1",
    }
    prefix = f"trace-{time.time_ns():x}."
    folder = tmp_path_factory.mktemp("house")
    built = House(folder, kafka_address, mongo_address, prefix, settings=settings, launch=nursery.launch)
    try:
        built.start()
        yield built
    finally:
        built.stop()


@dataclass(frozen=True)
class Moved:
    """``who`` posted a result, and ``plan`` is the commit of the plan that it changed."""

    who: Place
    plan: Mapping[str, object]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def moved(house: House) -> Moved:
    """In a district whose week is planned."""
    async with house.client(TENANT, ROLES) as client:
        await plan_with_a_studio(client)
        return await until_a_plan(client)


async def until_a_plan(client: HouseClient) -> Moved:
    """Post results of a learner one at a time until one of them changes the plan."""
    for number in range(20, 26):
        caller = (f"{number:032x}", f"{number:016x}")
        before = (await client.heads())["scheduling"]
        await post(client, school.answers("pupil-03", "N1", 1, first=number), f"00-{caller[0]}-{caller[1]}-01")
        await client.settle()
        commits = (await client.get("/operator/v1/logs/scheduling/events", after=before, limit=100))["events"]
        for commit in commits:
            if "plan.proposed" in [event["type"] for event in commit["events"]]:
                return Moved(caller, commit)
    raise AssertionError("six right answers changed no plan")


async def test_one_trace_leads_from_a_posted_result_to_the_plan(moved: Moved, collector: Collector) -> None:
    until(lambda: reaches(collector.spans, moved.who))
    hops = followed(collector.spans, THE_WAY, moved.who)
    for hop in THE_WAY:
        after = f"+{(hops[hop.name].began - hops[THE_WAY[0].name].began) / 1e6:.0f} ms"
        print(f"{after:>9}  {hop.service:<10}  {hop.span:<16}  {hop.name}, after: {hop.after}")
    trace, span = hops["the plan is recorded"].place
    assert moved.plan["trace"] == f"00-{trace}-{span}-01"
    assert trace == moved.who[0]
    for hop in THE_WAY:
        lost = hops[hop.name]
        without = [replace(one, follows=frozenset()) if one is lost else one for one in collector.spans]
        with pytest.raises(LinkMissing, match=hop.name):
            followed(without, THE_WAY, moved.who)


def reaches(spans: Sequence[Span], caller: Place) -> bool:
    try:
        followed(list(spans), THE_WAY, caller)
    except LinkMissing:
        return False
    return True


def measured(collector: Collector) -> dict[str, dict[str, list[tuple[Attributes, float]]]]:
    """By metric and service."""
    found: dict[str, dict[str, list[tuple[Attributes, float]]]] = {}
    for (service, metric), values in list(collector.values.items()):
        found.setdefault(metric, {})[service.removeprefix("atelier-")] = values
    return found


def of_one(found: Mapping[str, Mapping[str, Sequence[tuple[Attributes, float]]]], metric: str) -> dict[str, float]:
    """What scheduling said of a metric with one attribute."""
    return dict_of(found.get(metric, {}).get("scheduling", ()))


def watched(collector: Collector) -> None:
    """What an operator watches after all work is done: planning was asked for, solved, answered and recorded, and nobody is behind."""
    found = measured(collector)
    everywhere = {"profile", "assessment", "pathing", "scheduling"}
    for metric in (
        "http.server.request.duration",
        "rpc.server.call.duration",
        "atelier.log.append.duration",
        "atelier.log.pending.age",
        "atelier.follower.lag",
        "atelier.consumer.lag",
        "atelier.consumer.oldest.age",
        "atelier.published.events",
        "atelier.consumed.events",
        "atelier.parked.keys",
        "atelier.lease.held",
        "atelier.lease.epoch",
    ):
        assert set(found.get(metric, ())) == everywhere, metric
    assert not any(lag for values in found["atelier.follower.lag"].values() for _, lag in values)
    followers = {told["atelier.follower"] for told, _ in found["atelier.follower.lag"]["scheduling"]}
    assert {"publisher", "reaction:when_facts_changed_then_repair"} <= followers
    places = {
        (told["messaging.consumer.group.name"], told["messaging.destination.name"])
        for told, _ in found["atelier.consumer.lag"]["pathing"]
    }
    assert places == {
        ("pathing-from-profile", "profile.learner"),
        ("pathing-from-assessment", "assessment.mastery"),
    }
    assert dict_of(found["atelier.lease.held"]["pathing"]) == {"pathing:followers": 1.0, "sequencer": 1.0}
    assert dict_of(found["atelier.parked.keys"]["scheduling"]) == {"consumer": 0.0}
    solves = of_one(found, "atelier.solve.duration")
    assert {work: count > 0 for work, count in solves.items()} == {"solve": True, "mend": True}
    assert set(of_one(found, "atelier.plans")) == {"proposed"}
    assert of_one(found, "atelier.work.waiting") == {"planning": 0.0}
    assert of_one(found, "atelier.work.answered").get("planning", 0) > 0
    groups = {told["messaging.consumer.group.name"] for told, _ in found["atelier.consumer.lag"]["scheduling"]}
    assert groups == {"scheduling-from-profile", "scheduling-from-pathing", "scheduling-works-planning"}


@pytest.mark.usefixtures("moved")
async def test_what_an_operator_watches_is_measured(collector: Collector) -> None:
    # Each process says what it measured in its own time, and what was met under way is gone when it is looked at again.
    until_it_holds(lambda: watched(collector))
    assert not any(personal in collector.raw for personal in (b"lrn_", b"adu_", b"pupil-", b"Pupil", b"Number0"))


def dict_of(values: Sequence[tuple[Attributes, float]]) -> dict[str, float]:
    """Of a metric with one attribute."""
    return {str(next(iter(told.values()))): value for told, value in values}
