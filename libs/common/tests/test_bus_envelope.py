"""The envelope against the CloudEvents project's own package, as reader of what we write and writer of what we read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from atelier_common.bus.envelope import NOTHING, Envelope, NotAnEnvelope, decode, encode
from atelier_common.bus.port import Message
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

PAYLOAD = StringValue(value="a note \x80 of bytes that are no text").SerializeToString() + b"\xff"
FULL = Envelope(
    id="6a8c3e4b-7a39-5a1a-8a5e-1f6f1f0f7d11",
    service="notes",
    type="atelier.notes.note.v1.noted",
    time=1_800_000_000_007,
    subject="margin",
    tenant="north",
    stream="note/ä🎓",
    place=(12, 3),
    previous=(11, 0),
    incarnation="0e8b6f9e-6f3a-4a59-9a5a-2f1f4f1a7c55",
    correlation_id="a command",
    causation_ids=("one", "two"),
    trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    payload=PAYLOAD,
)
FIRST = Envelope(
    id="id",
    service="notes",
    type="atelier.notes.note.v1.noted",
    time=1_800_000_000_000,
    subject="",
    tenant="north",
    stream="note/1",
    place=(1, 0),
    previous=NOTHING,
    incarnation="incarnation",
    correlation_id="a command",
    causation_ids=(),
    trace=None,
    payload=b"",
)


class BytesAsTheyAre(JSONFormat):
    """The package decodes data to text where it can; a protobuf payload has to stay bytes."""

    def read_data(self, body: bytes, _datacontenttype: str | None) -> Any:
        return body

    def write_data(self, data: Any, _datacontenttype: str | None) -> bytes:
        return bytes(data)


def read_independently(message: Message) -> Any:
    return kafka.from_kafka(kafka.KafkaMessage(dict(message.headers), message.key, message.value), BytesAsTheyAre())


def write_independently(attributes: dict[str, Any], data: bytes) -> Message:
    written = kafka.to_binary(CloudEvent(attributes, data), BytesAsTheyAre())
    return Message(str(written.key), written.value, tuple(written.headers.items()))


def test_what_we_write_is_a_cloud_event_to_others() -> None:
    event = read_independently(encode(FULL))
    assert event.get_attributes() == {
        "specversion": "1.0",
        "id": FULL.id,
        "source": "/atelier/notes",
        "type": "atelier.notes.note.v1.noted",
        "time": datetime(2027, 1, 15, 8, 0, 0, 7000, tzinfo=UTC),
        "subject": "margin",
        "datacontenttype": "application/protobuf",
        "tenant": "north",
        "stream": "note/ä🎓",
        "streamversion": "12",
        "ordinal": "3",
        "previous": "11.0",
        "incarnation": FULL.incarnation,
        "correlationid": "a command",
        "causationid": "one,two",
        "traceparent": FULL.trace,
        "partitionkey": "north/note/ä🎓",
    }
    assert event.get_data() == PAYLOAD


def test_attributes_without_a_value_are_left_out() -> None:
    attributes = read_independently(encode(FIRST)).get_attributes()
    assert attributes.keys() & {"subject", "causationid", "traceparent"} == set()
    assert attributes["previous"] == ""


@pytest.mark.parametrize("envelope", [FULL, FIRST], ids=["full", "first"])
def test_what_others_write_is_read_here(envelope: Envelope) -> None:
    event = read_independently(encode(envelope))
    assert decode(write_independently(event.get_attributes(), event.get_data())) == envelope


def test_every_extension_name_is_one_that_the_specification_allows() -> None:
    names = [name.removeprefix("ce_") for name, _ in encode(FULL).headers if name.startswith("ce_")]
    assert len(names) == len(set(names)) == 16
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in names)


def test_header_names_are_read_in_any_case_and_order() -> None:
    message = encode(FULL)
    shouted = tuple((name.upper(), value) for name, value in reversed(message.headers))
    assert decode(Message(message.key, message.value, shouted)) == FULL


@given(
    st.integers(0, 4_000_000_000_000),
    st.text(min_size=1).filter(lambda text: "/" not in text),
    st.tuples(st.integers(1, 2**40), st.integers(0, 199)),
    st.binary(),
)
def test_whatever_goes_in_comes_out(time: int, tenant: str, place: tuple[int, int], payload: bytes) -> None:
    envelope = Envelope(
        "id", "notes", "type", time, "", tenant, "note/1", place, NOTHING, "inc", "cause", (), None, payload
    )
    assert decode(encode(envelope)) == envelope


@pytest.mark.parametrize(
    ("header", "value", "says"),
    [
        ("ce_specversion", b"0.3", "CloudEvents 1.0"),
        ("content-type", b"application/json", "protobuf"),
        ("ce_source", b"https://elsewhere.example", "not a service"),
        ("ce_time", b"yesterday", "cannot be read"),
        ("ce_time", b"2027-01-15T08:00:00", "no zone"),
        ("ce_streamversion", b"0", "cannot follow"),
        ("ce_streamversion", b"twelve", "cannot be read"),
        ("ce_previous", b"12.3", "cannot follow"),
        ("ce_tenant", b"\xff", "cannot be read"),
        ("ce_id", None, "ce_id is missing"),
        ("ce_incarnation", None, "ce_incarnation is missing"),
    ],
)
def test_a_message_that_is_no_envelope_is_refused_by_name(header: str, value: bytes | None, says: str) -> None:
    message = encode(FULL)
    headers = [(name, old if name != header else value) for name, old in message.headers]
    bad = Message(message.key, message.value, tuple((name, v) for name, v in headers if v is not None))
    with pytest.raises(NotAnEnvelope, match=says):
        decode(bad)
