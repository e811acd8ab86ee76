"""What logs hold already must stay readable: one stored sample of every event type at every schema version."""

import json
from pathlib import Path
from typing import Any

import pytest
from atelier_common.commit import RecordedEvent
from atelier_common.events import StoredEvent
from atelier_scheduling import publish
from atelier_scheduling.domain.obligation import OBLIGATION
from atelier_scheduling.domain.override import OVERRIDE
from atelier_scheduling.domain.plan import PLAN
from atelier_scheduling.domain.site import SITE

SAMPLES = json.loads((Path(__file__).parent / "stored_events.json").read_text())
REGISTRY = PLAN.registry


def test_all_aggregates_write_into_one_registry() -> None:
    assert all(decider.registry is REGISTRY for decider in (SITE, OVERRIDE, OBLIGATION))


def test_every_event_type_and_version_has_a_sample() -> None:
    own = {name: version for name, version in REGISTRY.names.items() if not name.startswith("atelier.")}
    wanted = {(name, each) for name, version in own.items() for each in range(1, version + 1)}
    assert {(sample["type"], sample["version"]) for sample in SAMPLES} == wanted


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['type']}-{sample['version']}")
def test_a_stored_event_is_read_and_written_back_unchanged(sample: dict[str, Any]) -> None:
    event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
    again = REGISTRY.encode(event)
    if again.version == sample["version"]:
        assert again.data == sample["data"]


def test_every_type_of_which_anything_leaves_is_declared() -> None:
    for sample in SAMPLES:
        event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        recorded = RecordedEvent("i", "north", "plan/a:2026-W40", 1, 0, 1, sample["type"], event, 0, "", "", (), None)
        assert publish.translate(recorded) is None or sample["type"] in publish.TYPES
