"""The golden samples of every contract event: what was once written is read today, and what is written today is the sample."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier.kernel.v1 import contract_pb2
from atelier_common.bus.envelope import NOTHING, Envelope, decode, encode
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "contracts/samples"


def contract_events() -> dict[str, type[Message]]:
    """Every message under ``proto/`` that is marked as a contract event, by CloudEvents type."""
    found: dict[str, type[Message]] = {}
    for proto in sorted((ROOT / "proto").rglob("events.proto")):
        package = ".".join(proto.parent.relative_to(ROOT / "proto").parts)
        module = importlib.import_module(f"{package}.events_pb2")
        for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
            if descriptor.GetOptions().HasExtension(contract_pb2.contract_event):
                found[descriptor.GetOptions().Extensions[contract_pb2.contract_event].type] = getattr(module, name)
    return found


class ProtobufData(JSONFormat):
    """The library's JSON format guesses text from bytes; a protobuf payload is handed through."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        assert datacontenttype == "application/protobuf"
        return body


EVENTS = contract_events()
JSON_SAMPLES = sorted(SAMPLES.glob("*/*.json"))


def sample_id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def read(path: Path) -> tuple[dict[str, object], Message]:
    envelope = json.loads(path.read_text())
    return envelope, json_format.ParseDict(envelope["data"], EVENTS[envelope["type"]]())


def unset_fields(message: Message, at: str = "") -> Iterator[str]:
    """Fields without a value, at any depth; one member of each ``oneof`` is enough."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        repeated = field.is_repeated
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1:
            if message.WhichOneof(oneof.name) is None:
                yield f"{at}{oneof.name}"
        elif not value and not (field.has_presence and message.HasField(field.name)):
            yield f"{at}{field.name}"
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if repeated else [value]:
                yield from unset_fields(part, f"{at}{field.name}.")


def test_there_are_eleven_contract_events_and_each_says_where_it_travels() -> None:
    assert len(EVENTS) == 11
    for ce_type, message in EVENTS.items():
        event = message.DESCRIPTOR.GetOptions().Extensions[contract_pb2.contract_event]
        service = message.DESCRIPTOR.full_name.split(".")[1]
        category = event.stream.partition("/")[0]
        assert event.topic == f"{service}.{category}"
        assert ce_type.startswith(f"atelier.{service}.{category}.v1.")


def test_every_contract_event_has_a_full_and_a_required_sample_and_nothing_else_has() -> None:
    kinds = {
        ce_type: {path.stem.partition("-")[0] for path in (SAMPLES / ce_type).glob("*.json")} for ce_type in EVENTS
    }
    assert all(found == {"full", "required"} for found in kinds.values()), kinds
    assert {path.parent.name for path in SAMPLES.rglob("*.*")} - {"samples"} == set(EVENTS)
    assert {path.with_suffix(".bin") for path in JSON_SAMPLES} == set(SAMPLES.glob("*/*.bin"))


@pytest.mark.parametrize("path", JSON_SAMPLES, ids=sample_id)
def test_what_was_written_once_is_read_today_without_a_loss(path: Path) -> None:
    envelope, from_json = read(path)
    from_binary = EVENTS[path.parent.name].FromString(path.with_suffix(".bin").read_bytes())
    assert from_binary == from_json
    assert len(UnknownFieldSet(from_binary)) == 0
    assert envelope["type"] == path.parent.name


@pytest.mark.parametrize("path", JSON_SAMPLES, ids=sample_id)
def test_what_is_written_today_is_the_sample(path: Path) -> None:
    envelope, message = read(path)
    assert message.SerializeToString(deterministic=True) == path.with_suffix(".bin").read_bytes()
    assert json_format.MessageToDict(message) == envelope["data"]


@pytest.mark.parametrize("ce_type", sorted(EVENTS))
def test_the_newest_full_sample_sets_every_field(ce_type: str) -> None:
    newest = max((SAMPLES / ce_type).glob("full-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
    assert list(unset_fields(read(newest)[1])) == []


@pytest.mark.parametrize("path", JSON_SAMPLES, ids=sample_id)
def test_an_independent_library_reads_the_json_form(path: Path) -> None:
    event = JSONFormat().read(CloudEvent, path.read_bytes())
    assert event.get_type() == path.parent.name
    assert json_format.ParseDict(event.get_data(), EVENTS[event.get_type()]()) == read(path)[1]


@pytest.mark.parametrize("path", JSON_SAMPLES, ids=sample_id)
def test_an_independent_library_reads_the_binary_form(path: Path) -> None:
    raw, message = read(path)
    previous = str(raw["previous"])
    envelope = Envelope(
        id=str(raw["id"]),
        service=str(raw["source"]).removeprefix("/atelier/"),
        type=str(raw["type"]),
        time=1_788_854_400_000,
        subject="",
        tenant=str(raw["tenant"]),
        stream=str(raw["stream"]),
        place=(int(str(raw["streamversion"])), int(str(raw["ordinal"]))),
        previous=(int(previous.partition(".")[0]), int(previous.partition(".")[2])) if previous else NOTHING,
        incarnation=str(raw["incarnation"]),
        correlation_id=str(raw["correlationid"]),
        causation_ids=(),
        trace=None,
        payload=message.SerializeToString(deterministic=True),
    )
    carried = encode(envelope)
    assert decode(carried) == envelope
    event = from_binary_event(KafkaMessage(dict(carried.headers), carried.key, carried.value), ProtobufData())
    assert event.get_type() == raw["type"]
    assert event.get_id() == raw["id"]
    assert event.get_source() == raw["source"]
    assert event.get_extension("stream") == raw["stream"]
    assert event.get_data() == carried.value
