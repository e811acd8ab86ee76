"""Write the event catalogue, ``docs/events.md``, from ``proto/`` and ``contracts/samples/``; or check that it is current.

python libs/contracts/catalogue.py            write
python libs/contracts/catalogue.py --check    compare; exit 1 if it is not current
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atelier.kernel.v1 import contract_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTO, SAMPLES, DOCUMENT = ROOT / "proto", ROOT / "contracts/samples", ROOT / "docs/events.md"

HEAD = """# Event catalogue

Generated from `proto/` and `contracts/samples/` by `make proto`; do not edit. These are the facts that leave a service.

Every event is a CloudEvents 1.0 event: on Kafka in binary mode with the protobuf message inside, for partners as JSON. The
`type` changes only when its meaning changes in a way that readers cannot ignore; new fields come under the old type. Besides
the standard attributes an event carries `tenant`, `stream`, `streamversion` and `ordinal` (its place), `previous` (the place
of the stream's event before it, empty for the first), `incarnation` (of the log), `correlationid` and `causationid`. Delivery
is at least once and in order within a stream. Fields marked *sealed* are encrypted under the subject's key and become
unreadable when the subject is erased. Fields marked *optional* are absent when nothing is known.
"""


@dataclass(frozen=True)
class Package:
    """One ``events.proto`` with its comments by source path."""

    file: FileDescriptorProto
    comments: dict[tuple[int, ...], str]

    def comment(self, *path: int) -> str:
        return self.comments.get(path, "")


def packages() -> list[Package]:
    """Every ``events.proto`` of the domain services, in order of name."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("events.proto"))
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary) / "image"
        arguments = [
            "protoc",
            f"--proto_path={PROTO}",
            f"--descriptor_set_out={image}",
            "--include_source_info",
            *sources,
        ]
        if protoc.main([*arguments, f"--proto_path={Path(protoc.__file__).parent / '_proto'}"]):
            raise SystemExit("the contracts cannot be read; protoc says why above")
        described = FileDescriptorSet.FromString(image.read_bytes())
    return [
        Package(
            file,
            {
                tuple(location.path): " ".join(location.leading_comments.split())
                for location in file.source_code_info.location
                if location.leading_comments
            },
        )
        for file in described.file
    ]


def type_name(field: FieldDescriptorProto) -> str:
    named = field.type_name.rpartition(".")[2]
    word = named or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"list of {word}" if field.label == FieldDescriptorProto.LABEL_REPEATED else word


def field_lines(package: Package, message: DescriptorProto, index: int) -> Iterator[str]:
    yield "| field | JSON | type | says |"
    yield "|---|---|---|---|"
    for place, field in enumerate(message.field):
        marks = ["*optional*"] if field.proto3_optional else []
        if field.HasField("oneof_index") and not field.proto3_optional:
            marks.append(f"*one of `{message.oneof_decl[field.oneof_index].name}`*")
        if field.options.Extensions[contract_pb2.sealed]:
            marks.append("*sealed*")
        says = " ".join([*marks, package.comment(4, index, 2, place)])
        yield f"| `{field.name}` | `{field.json_name}` | {type_name(field)} | {says} |"


def enum_lines(package: Package, enum: EnumDescriptorProto, index: int) -> Iterator[str]:
    for place, value in enumerate(enum.value):
        if value.number:
            says = package.comment(5, index, 2, place)
            yield f"- `{value.name}`" + (f": {says}" if says else "")


def sections(package: Package) -> Iterator[str]:
    events = [m for m in package.file.message_type if m.options.HasExtension(contract_pb2.contract_event)]
    shared = [m for m in package.file.message_type if not m.options.HasExtension(contract_pb2.contract_event)]
    place = {message.name: index for index, message in enumerate(package.file.message_type)}
    yield f"\n## {package.file.package.split('.')[1].capitalize()}\n"
    yield package.comment(12) + "\n"
    for message in events:
        event = message.options.Extensions[contract_pb2.contract_event]
        yield f"### `{event.type}`\n"
        yield package.comment(4, place[message.name]) + "\n"
        yield f"Message `{package.file.package}.{message.name}`, topic `{event.topic}`, stream `{event.stream}`.\n"
        yield from field_lines(package, message, place[message.name])
        yield "\n<details><summary>Samples</summary>\n"
        for sample in sorted((SAMPLES / event.type).glob("*.json")):
            yield f"`{sample.relative_to(ROOT)}`\n\n```json\n{sample.read_text().strip()}\n```\n"
        yield "</details>\n"
    for message in shared:
        yield f"### {message.name}\n"
        yield package.comment(4, place[message.name]) + "\n"
        yield from field_lines(package, message, place[message.name])
        yield ""
    for index, enum in enumerate(package.file.enum_type):
        yield f"### {enum.name}\n"
        yield package.comment(5, index) + "\n"
        yield from enum_lines(package, enum, index)
        yield ""


def catalogue() -> str:
    described = packages()
    lines = [HEAD, "| type | topic | says |", "|---|---|---|"]
    for package in described:
        for index, message in enumerate(package.file.message_type):
            if message.options.HasExtension(contract_pb2.contract_event):
                event = message.options.Extensions[contract_pb2.contract_event]
                anchor = event.type.replace(".", "")
                lines.append(f"| [`{event.type}`](#{anchor}) | `{event.topic}` | {package.comment(4, index)} |")
    for package in described:
        lines += sections(package)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    fresh = catalogue()
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(fresh)
        print(f"Wrote {DOCUMENT.relative_to(ROOT)}.")
        return 0
    if not DOCUMENT.exists() or DOCUMENT.read_text() != fresh:
        print("docs/events.md is not current; run `make proto`.")
        return 1
    print("docs/events.md is current.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
