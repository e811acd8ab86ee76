"""The kernel on memory in a world where everything fails: seeded, thousands of steps, then nothing may be wrong.

Requests and replies are lost, replicas crash between any two awaits, leaders are stuck for longer than their lease
while what they sent still arrives, scans show the past. A seed that fails is run again alone: ``pytest -k "seed0-7"``.
"""

import logging
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from atelier_common import verify
from atelier_common.testing.simulation import Weather, simulate
from atelier_common.testing.world import TENANTS, TOPIC, World, live

BAD_WEATHER = (1, 2)
STORMS = (100, 101)
STORM = Weather(lost_request=0.03, lost_reply=0.04, stuck=0.01, crash=0.002, stale=0.5, stale_by=60)


async def _live_and_check(seed: int, weather: Weather) -> World:
    world = World(seed, weather)
    tails = await live(world, people=6, commands=25)
    for name in world.databases:
        for tenant in TENANTS:
            await _check(world, name, tenant)
            log = await world.store(name).read_log(tenant, 0, limit=100_000)
            assert tails[name, tenant] == log
            assert [commit.position for commit in tails[name, tenant]] == list(range(1, len(log) + 1))
    return world


async def _check(world: World, name: str, tenant: str) -> None:
    store, documents, owner = world.store(name), world.databases[name], world.neighbours.at("source")
    service = world.replica(name).service
    assert await verify.check_service(service, tenant, {"source": owner}) == []
    told = [(stream, version, id) for (of, stream, id), version in world.acknowledged.items() if of == tenant]
    if name == "source":
        assert await verify.check_acknowledged(store, tenant, told) == []
    else:
        assert await verify.check_ingested(store, tenant, "source", (TOPIC,), owner, complete=True) == []

    # Every follower has come to the end, no key is parked, no alarm is left.
    head = await store.head(tenant)
    cursors = await documents.scan(tenant, "cursors")
    assert {id: body["position"] for id, body in cursors} == {id: head for id, _ in cursors}
    assert len(cursors) == len(service.models) + (2 if name == "source" else 1)
    assert await documents.scan(tenant, "parked") == []
    assert await documents.scan(tenant, "timers") == []

    # What was given is counted, journalled and mirrored once; each alarm rang once.
    sums: Counter[str] = Counter()
    for commit in await store.read_log(tenant, 0, limit=100_000):
        for event in commit.events:
            sums[commit.stream.partition("/")[0]] += event.data.get("amount", 0)
    if name == "source":
        assert sums == {
            "counter": world.given[tenant],
            "journal": world.given[tenant],
            "alarm": len(world.alarms[tenant]),
        }
    else:
        assert +sums == {"mirror": world.given[tenant]}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of failures are meant to happen; their tracebacks would cost more time than everything else."""
    caplog.set_level(logging.CRITICAL)


@cache
def lived(seed: int) -> World:
    """A world that has come to its end with nothing wrong."""
    return simulate(_live_and_check(seed, Weather() if seed < 100 else replace(STORM)))


@pytest.mark.parametrize("seed", BAD_WEATHER)
def test_in_bad_weather_everything_comes_out_right(seed: int) -> None:
    assert lived(seed).effects > 5_000


@pytest.mark.parametrize("seed", STORMS)
def test_in_a_storm_everything_comes_out_right(seed: int) -> None:
    assert lived(seed).effects > 5_000


def test_the_weather_was_as_bad_as_it_should_be() -> None:
    worlds = [lived(seed) for seed in (*BAD_WEATHER, *STORMS)]
    assert sum(world.struck for world in worlds) > 1_500
    assert sum(world.crashes for world in worlds) > 30
    assert sum(world.unparked for world in worlds) > 15


def test_a_seed_that_has_failed_fails_again() -> None:
    first, again = lived(STORMS[0]), simulate(_live_and_check(STORMS[0], replace(STORM)))
    assert (first.effects, first.struck, first.crashes) == (again.effects, again.struck, again.crashes)
    assert first.acknowledged == again.acknowledged
