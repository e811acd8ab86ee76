"""Every version of every stored event can be read for ever: a sample of each, as a log holds it, is kept beside this test.

The samples are never made anew; a new version adds one.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from atelier_common.commit import RecordedEvent
from atelier_common.events import StoredEvent
from atelier_profile import bootstrap, publish
from atelier_profile.domain.registry import registry

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "stored_events.json").read_text())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['type']}-{sample['version']}")
def test_a_stored_event_is_read_as_it_was_written(sample: dict[str, Any]) -> None:
    event = registry.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
    written = registry.encode(event)
    assert written.type == sample["type"]
    if written.version == sample["version"]:
        assert written.data == sample["data"]


def test_every_version_of_every_event_has_a_sample() -> None:
    taken_in = {name for subscription in bootstrap.SUBSCRIPTIONS for name in subscription.types}
    own = {name: version for name, version in registry.names.items() if name not in taken_in}
    wanted = {(name, number) for name, version in own.items() for number in range(1, version + 1)}
    assert {(sample["type"], sample["version"]) for sample in SAMPLES} == wanted


def test_every_type_of_which_anything_leaves_is_declared() -> None:
    for sample in SAMPLES:
        event = registry.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        recorded = RecordedEvent("i", "north", "learner/a", 1, 0, 1, sample["type"], event, 0, "", "", (), None)
        assert publish.translate(recorded) is None or sample["type"] in publish.TYPES
