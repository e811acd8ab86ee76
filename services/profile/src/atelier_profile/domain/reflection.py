"""A learner's reflection, linked to the evidence it looks back on. Written once; who changes their mind writes another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, RuleBroken

from atelier_profile.domain.registry import registry


@registry.event("ReflectionWritten")
@dataclass(frozen=True, slots=True)
class ReflectionWritten:
    """``text`` is sealed under the learner."""

    reflection_id: str
    learner_id: str
    text: str
    evidence_ids: tuple[str, ...]
    competency_ids: tuple[str, ...]
    written_by: str
    written_at: int


@dataclass(frozen=True, slots=True)
class WriteReflection:
    unhashed: ClassVar[tuple[str, ...]] = ("text",)
    reflection_id: str
    learner_id: str
    text: str
    text_digest: str
    evidence_ids: tuple[str, ...]
    competency_ids: tuple[str, ...]
    written_by: str
    now: int


def decide(command: WriteReflection, written: bool) -> Sequence[ReflectionWritten]:
    if written:
        raise RuleBroken(f"reflection {command.reflection_id} was written before", rule="written-once")
    if not command.text:
        raise InvalidInput("a reflection has words", field="text")
    reflection = ReflectionWritten(
        command.reflection_id,
        command.learner_id,
        command.text,
        command.evidence_ids,
        command.competency_ids,
        command.written_by,
        command.now,
    )
    return [reflection]


def evolve(_written: bool, _event: ReflectionWritten) -> bool:
    return True


reflection: Decider[WriteReflection, bool, ReflectionWritten] = Decider(
    category="reflection", registry=registry, initial=bool, decide=decide, evolve=evolve, remembered=False
)
