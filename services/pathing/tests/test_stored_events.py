"""Every event that a log may hold is readable for ever: a stored sample of each type and version."""

import json
from pathlib import Path

from atelier_common.commit import RecordedEvent
from atelier_common.decider import canonical
from atelier_common.events import StoredEvent
from atelier_pathing import publish
from atelier_pathing.domain import framework, path_events
from atelier_pathing.domain.registry import REGISTRY

SAMPLES = json.loads((Path(__file__).parent / "samples" / "stored_events.json").read_text())
OWN = {name: version for name, version in REGISTRY.names.items() if name.startswith("pathing.")}


def test_there_is_a_sample_of_every_type_and_version() -> None:
    assert framework.FrameworkImported
    assert path_events.PathRevised
    kept = {(sample["type"], sample["version"]) for sample in SAMPLES}
    assert kept == {(name, version) for name, newest in OWN.items() for version in range(1, newest + 1)}


def test_every_sample_is_read_and_at_the_present_version_written_as_it_stands() -> None:
    for sample in SAMPLES:
        event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        if sample["version"] == OWN[sample["type"]]:
            assert json.loads(canonical(REGISTRY.encode(event).data)) == sample["data"], sample["type"]


def test_a_revision_of_the_first_version_says_nothing_of_what_was_earned() -> None:
    (first,) = [sample for sample in SAMPLES if (sample["type"], sample["version"]) == ("pathing.path.revised", 1)]
    revised = REGISTRY.decode(StoredEvent(first["type"], first["version"], first["data"]))
    assert (revised.earned_now, revised.no_longer_earned) == ((), ())
    assert revised.revision == first["data"]["revision"]


def test_a_revision_of_the_second_version_tells_the_same_as_one_of_the_third() -> None:
    second, third = (
        REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        for sample in SAMPLES
        if sample["type"] == "pathing.path.revised" and sample["version"] > 1
    )
    assert second == third
    assert [step.subject for step in second.frontier] == ["Making", "Making"]


def test_every_type_of_which_anything_leaves_is_declared() -> None:
    for sample in SAMPLES:
        event = REGISTRY.decode(StoredEvent(sample["type"], sample["version"], sample["data"]))
        recorded = RecordedEvent("i", "north", "path/a", 1, 0, 1, sample["type"], event, 0, "", "", (), None)
        assert publish.translate(recorded) is None or sample["type"] in publish.TYPES
