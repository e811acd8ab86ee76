"""What logs hold already must stay readable: one stored sample of every event type at every schema version."""

import json
from pathlib import Path

import pytest
from atelier_assessment import bootstrap, publish
from atelier_common.commit import RecordedEvent
from atelier_common.events import StoredEvent

SAMPLES = json.loads((Path(__file__).parent / "stored_events.json").read_text())
REGISTRY = bootstrap.registry


def test_every_event_type_and_version_has_a_sample():
    own = {name: version for name, version in REGISTRY.names.items() if not name.startswith("atelier.")}
    wanted = {(name, each) for name, version in own.items() for each in range(1, version + 1)}
    assert {(sample["type"], sample["version"]) for sample in SAMPLES} == wanted


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['type']}-{sample['version']}")
def test_a_stored_event_is_read_and_written_back_unchanged(sample):
    event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
    again = REGISTRY.encode(event)
    if again.version == sample["version"]:
        assert again.data == sample["data"]


def test_every_type_of_which_anything_leaves_is_declared():
    for sample in SAMPLES:
        event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        recorded = RecordedEvent("i", "north", "mastery/a:b", 1, 0, 1, sample["type"], event, 0, "", "", (), None)
        assert publish.translate(recorded) is None or sample["type"] in publish.TYPES
