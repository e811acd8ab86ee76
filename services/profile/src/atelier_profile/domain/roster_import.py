"""One import of a roster: previewed, accepted, applied chunk by chunk, completed.

The commands it stands for are written as content-addressed parts before the preview names them, so whoever finds an accepted import
after a crash can go on where it stopped. Only ``RosterImportCompleted`` says that the roster is whole again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import NotFound, RuleBroken

from atelier_profile.domain.registry import registry

UNGUARDED = frozenset({"academic_session"})
"""Kinds that come and go with the calendar, so that no threshold guards them."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many of one kind of record an import would touch; ``active``: how many were active before."""

    active: int = 0
    created: int = 0
    changed: int = 0
    deactivated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a preview without a personal value: what would happen to which id, and where the row stands ('' and 0: nowhere)."""

    change: str
    kind: str
    id: str
    table: str
    row: int


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """``parts`` are digests of the chunks, in order; ``baseline`` is the import that the comparison was made against ('' for none)."""

    file_digest: str
    baseline: str
    counts: Mapping[str, Count]
    samples: tuple[Sample, ...]
    parts: tuple[str, ...]
    commands: int
    threshold_percent: float
    without_role: int = 0
    """Users of the file with no role that holds: nobody in any school, so they are left out."""

    @property
    def deactivated(self) -> int:
        """Records of guarded kinds that would be deactivated: the number to confirm."""
        return sum(count.deactivated for kind, count in self.counts.items() if kind not in UNGUARDED)

    def beyond_threshold(self) -> tuple[str, ...]:
        """Kinds of record of which more than the threshold would be deactivated."""
        return tuple(
            kind
            for kind, count in sorted(self.counts.items())
            if kind not in UNGUARDED and count.deactivated * 100 > self.threshold_percent * count.active
        )


@registry.event("RosterImportPreviewed")
@dataclass(frozen=True, slots=True)
class RosterImportPreviewed:
    import_id: str
    plan: ImportPlan


@registry.event("RosterImportAccepted")
@dataclass(frozen=True, slots=True)
class RosterImportAccepted:
    import_id: str
    baseline: str
    first_part: str
    confirmed_deactivations: int | None


@registry.event("RosterImportRefused")
@dataclass(frozen=True, slots=True)
class RosterImportRefused:
    """Another import was first; nothing of this one was applied."""

    import_id: str
    reason: str


@registry.event("RosterChunkApplied")
@dataclass(frozen=True, slots=True)
class RosterChunkApplied:
    """Chunk ``chunk`` (from 0) is applied; ``next_part`` is the digest of the following one, '' after the last."""

    import_id: str
    chunk: int
    next_part: str


@registry.event("RosterImportCompleted")
@dataclass(frozen=True, slots=True)
class RosterImportCompleted:
    import_id: str


ImportEvent = (
    RosterImportPreviewed | RosterImportAccepted | RosterImportRefused | RosterChunkApplied | RosterImportCompleted
)


@dataclass(frozen=True, slots=True)
class PreviewImport:
    # The file decides what the request is; the comparison with the present roster may differ when it is sent again.
    unhashed: ClassVar[tuple[str, ...]] = ("plan",)
    import_id: str
    file_digest: str
    plan: ImportPlan
    now: int


@dataclass(frozen=True, slots=True)
class AcceptImport:
    """``confirmed_deactivations`` must name the exact number where it lies beyond the threshold."""

    import_id: str
    confirmed_deactivations: int | None
    now: int


@dataclass(frozen=True, slots=True)
class RefuseImport:
    import_id: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class MarkChunkApplied:
    import_id: str
    chunk: int
    now: int


@dataclass(frozen=True, slots=True)
class CompleteImport:
    import_id: str
    now: int


ImportCommand = PreviewImport | AcceptImport | RefuseImport | MarkChunkApplied | CompleteImport


@dataclass(frozen=True, slots=True)
class NoImport:
    """Nothing was sent under this id."""


@dataclass(frozen=True, slots=True)
class Previewed:
    plan: ImportPlan


@dataclass(frozen=True, slots=True)
class Applying:
    plan: ImportPlan
    applied: int = 0


@dataclass(frozen=True, slots=True)
class Completed:
    plan: ImportPlan = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str


ImportState = NoImport | Previewed | Applying | Completed | Refused


def decide(command: ImportCommand, state: ImportState) -> Sequence[ImportEvent]:
    match command:
        case PreviewImport():
            if not isinstance(state, NoImport):
                raise RuleBroken(f"import {command.import_id} was previewed before", rule="previewed-once")
            return [RosterImportPreviewed(command.import_id, command.plan)]
        case AcceptImport():
            return _accepted(command, state)
        case RefuseImport():
            if _applying(command.import_id, state).applied:
                raise RuleBroken("an import that has begun is finished", rule="rolled-forward")
            return [RosterImportRefused(command.import_id, command.reason)]
        case MarkChunkApplied():
            applying = _applying(command.import_id, state)
            if command.chunk != applying.applied:
                return []
            parts, following = applying.plan.parts, command.chunk + 1
            return [
                RosterChunkApplied(command.import_id, command.chunk, parts[following] if following < len(parts) else "")
            ]
        case CompleteImport():
            applying = _applying(command.import_id, state)
            if applying.applied < len(applying.plan.parts):
                raise RuleBroken("not every chunk is applied yet", rule="half-applied", applied=applying.applied)
            return [RosterImportCompleted(command.import_id)]
        case _:
            assert_never(command)


def _accepted(command: AcceptImport, state: ImportState) -> Sequence[ImportEvent]:
    match state:
        case NoImport():
            raise NotFound(f"there is no import {command.import_id}")
        case Applying() | Completed():
            return []
        case Refused(reason):
            raise RuleBroken(reason, rule="preview-outdated")
        case Previewed(plan):
            beyond = plan.beyond_threshold()
            if beyond and command.confirmed_deactivations != plan.deactivated:
                raise RuleBroken(
                    f"the file would deactivate {plan.deactivated} records, more than {plan.threshold_percent:g} % of "
                    f"{' and of '.join(beyond)}; confirm that number if it is meant",
                    rule="deactivation-threshold",
                    import_id=command.import_id,
                    kinds=list(beyond),
                    deactivated=plan.deactivated,
                    threshold_percent=plan.threshold_percent,
                )
            return [
                RosterImportAccepted(command.import_id, plan.baseline, plan.parts[0], command.confirmed_deactivations)
            ]
        case _:
            assert_never(state)


def _applying(import_id: str, state: ImportState) -> Applying:
    if not isinstance(state, Applying):
        raise RuleBroken(f"import {import_id} is not being applied", rule="accepted-first")
    return state


def evolve(state: ImportState, event: ImportEvent) -> ImportState:
    match event, state:
        case RosterImportPreviewed(), _:
            return Previewed(event.plan)
        case RosterImportAccepted(), Previewed(plan):
            return Applying(plan)
        case RosterImportRefused(), Applying():
            return Refused(event.reason)
        case RosterChunkApplied(), Applying():
            return replace(state, applied=event.chunk + 1)
        case RosterImportCompleted(), Applying(plan):
            return Completed(plan)
        case _:
            return state


roster_import: Decider[ImportCommand, ImportState, ImportEvent] = Decider(
    category="roster_import", registry=registry, initial=NoImport, decide=decide, evolve=evolve
)
