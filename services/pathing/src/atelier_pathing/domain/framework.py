"""A competency framework: imported as versions, listed in chunks for the neighbours, adopted, its gates marked by
people.

One stream per framework id (the CASE document's identifier). The package itself is a content-addressed part written
before the commit that names it, so no event grows with the size of a framework.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import NotFound, RuleBroken

from atelier_pathing.domain.registry import REGISTRY

MOST_PER_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ListedCompetency:
    competency_id: str
    uri: str
    code: str
    statement: str
    subject: str
    container: bool = False


@dataclass(frozen=True, slots=True)
class ListedPrerequisite:
    from_id: str
    to_id: str
    essential: bool


@REGISTRY.event("pathing.framework.imported")
@dataclass(frozen=True, slots=True)
class FrameworkImported:
    """``digest`` is the version, ``parts`` the stored pieces of the compressed package in order."""

    framework_id: str
    digest: str
    uri: str
    title: str
    case_version: str
    parts: tuple[str, ...]
    chunks: int
    counts: dict[str, int]
    findings: tuple[dict[str, str], ...]
    adopt: bool
    author: str
    at: int


@REGISTRY.event("pathing.framework.chunk-listed")
@dataclass(frozen=True, slots=True)
class FrameworkChunkListed:
    """A slice of a version as the neighbours learn it; a prerequisite stands in the chunk of what it leads to."""

    framework_id: str
    digest: str
    title: str
    chunk: int
    chunks: int
    marks: int
    competencies: tuple[ListedCompetency, ...]
    prerequisites: tuple[ListedPrerequisite, ...]


@REGISTRY.event("pathing.framework.adopted")
@dataclass(frozen=True, slots=True)
class FrameworkAdopted:
    """From now on learners' paths follow this version."""

    framework_id: str
    digest: str
    author: str
    at: int


@REGISTRY.event("pathing.framework.prerequisite-marked")
@dataclass(frozen=True, slots=True)
class PrerequisiteMarked:
    """A named person decided whether an edge gates."""

    framework_id: str
    from_id: str
    to_id: str
    essential: bool
    author: str
    at: int


FrameworkEvent = FrameworkImported | FrameworkChunkListed | FrameworkAdopted | PrerequisiteMarked


@dataclass(frozen=True, slots=True)
class ImportFramework:
    now: int
    framework_id: str
    digest: str
    uri: str
    title: str
    case_version: str
    parts: tuple[str, ...]
    chunks: int
    counts: Mapping[str, int]
    findings: tuple[Mapping[str, str], ...]
    adopt: bool
    author: str


@dataclass(frozen=True, slots=True)
class ListChunk:
    """List one chunk; ``marks`` is how many marks the prerequisites already show."""

    now: int
    framework_id: str
    digest: str
    title: str
    chunk: int
    marks: int
    competencies: tuple[ListedCompetency, ...]
    prerequisites: tuple[ListedPrerequisite, ...]


@dataclass(frozen=True, slots=True)
class AdoptFramework:
    """``after_import``: part of an import, and void where another version was imported in the meantime."""

    now: int
    framework_id: str
    digest: str
    author: str
    after_import: bool = False


@dataclass(frozen=True, slots=True)
class MarkPrerequisite:
    """``exists``: whether the present package has this edge. It comes with the command because packages are parts."""

    now: int
    framework_id: str
    from_id: str
    to_id: str
    essential: bool
    exists: bool
    author: str


FrameworkCommand = ImportFramework | ListChunk | AdoptFramework | MarkPrerequisite


@dataclass(frozen=True, slots=True)
class FrameworkState:
    """``listed`` maps a chunk of the present version to the number of marks that its last listing showed."""

    digest: str = ""
    chunks: int = 0
    listed: Mapping[int, int] = field(default_factory=dict)
    adopted: str = ""
    marks: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    mark_count: int = 0


def decide(command: FrameworkCommand, state: FrameworkState) -> Sequence[FrameworkEvent]:
    match command:
        case ImportFramework():
            return _import(command, state)
        case ListChunk():
            if command.digest != state.digest or state.listed.get(command.chunk, -1) >= command.marks:
                return []
            return [
                FrameworkChunkListed(
                    command.framework_id,
                    command.digest,
                    command.title,
                    command.chunk,
                    state.chunks,
                    command.marks,
                    command.competencies,
                    command.prerequisites,
                )
            ]
        case AdoptFramework():
            _require_imported(state, command.framework_id)
            if command.digest != state.digest and command.after_import:
                return []
            if command.digest != state.digest:
                raise RuleBroken("Another version of this framework was imported in the meantime.", digest=state.digest)
            if len(state.listed) < state.chunks:
                raise RuleBroken(
                    "This framework is still being listed; it can be adopted in a moment.",
                    listed=len(state.listed),
                    chunks=state.chunks,
                )
            if state.adopted == command.digest:
                return []
            return [FrameworkAdopted(command.framework_id, command.digest, command.author, command.now)]
        case MarkPrerequisite():
            _require_imported(state, command.framework_id)
            if not command.exists:
                raise RuleBroken(
                    "This order is not in the framework; only an order that exists can be marked.",
                    from_id=command.from_id,
                    to_id=command.to_id,
                )
            if state.marks.get((command.from_id, command.to_id)) is command.essential:
                return []
            return [
                PrerequisiteMarked(
                    command.framework_id,
                    command.from_id,
                    command.to_id,
                    command.essential,
                    command.author,
                    command.now,
                )
            ]
        case _:
            assert_never(command)


def _import(command: ImportFramework, state: FrameworkState) -> Sequence[FrameworkEvent]:
    """The same package again is no event."""
    if command.digest == state.digest:
        return []
    return [
        FrameworkImported(
            framework_id=command.framework_id,
            digest=command.digest,
            uri=command.uri,
            title=command.title,
            case_version=command.case_version,
            parts=command.parts,
            chunks=command.chunks,
            counts=dict(command.counts),
            findings=tuple(dict(finding) for finding in command.findings),
            adopt=command.adopt,
            author=command.author,
            at=command.now,
        )
    ]


def _require_imported(state: FrameworkState, framework_id: str) -> None:
    if not state.digest:
        raise NotFound("There is no such framework.", framework_id=framework_id)


def evolve(state: FrameworkState, event: FrameworkEvent) -> FrameworkState:
    match event:
        case FrameworkImported():
            return replace(state, digest=event.digest, chunks=event.chunks, listed={})
        case FrameworkChunkListed():
            return replace(state, listed={**state.listed, event.chunk: event.marks})
        case FrameworkAdopted():
            return replace(state, adopted=event.digest)
        case PrerequisiteMarked():
            marks = {**state.marks, (event.from_id, event.to_id): event.essential}
            return replace(state, marks=marks, mark_count=state.mark_count + 1)
        case _:
            assert_never(event)


def _result(_command: FrameworkCommand, events: Sequence[FrameworkEvent], state: FrameworkState) -> dict[str, Any]:
    return {"digest": state.digest, "chunks": state.chunks, "changed": bool(events)}


FRAMEWORK: Decider[FrameworkCommand, FrameworkState, FrameworkEvent] = Decider(
    category="framework", registry=REGISTRY, initial=FrameworkState, decide=decide, evolve=evolve, result=_result
)
