"""The commands of an import as bytes: what a chunk's content-addressed part holds, and how it is read back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from atelier_common.decider import Decider, canonical
from pydantic import TypeAdapter

from atelier_profile.domain.adult import DeactivateAdult, RecordAdult, adult
from atelier_profile.domain.district import (
    RecordAcademicSession,
    RecordOrganisation,
    RetireDistrictFact,
    academic_session,
    organisation,
)
from atelier_profile.domain.guardian import DeactivateGuardian, RecordGuardian, guardian
from atelier_profile.domain.learner.commands import DeactivateLearner, RecordRosterEntry
from atelier_profile.domain.learner.decider import learner

CHUNK = 100
"""Commands in one part: one durable write of the reaction that applies it."""

DECIDERS: dict[str, Decider[Any, Any, Any]] = {
    decider.category: decider for decider in (organisation, academic_session, guardian, adult, learner)
}
"""In the order in which an import applies them: sites before the people at them, guardians before their learners."""

_COMMANDS: dict[str, TypeAdapter[Any]] = {
    command.__name__: TypeAdapter(command)
    for command in (
        RecordOrganisation,
        RecordAcademicSession,
        RetireDistrictFact,
        RecordGuardian,
        DeactivateGuardian,
        RecordAdult,
        DeactivateAdult,
        RecordRosterEntry,
        DeactivateLearner,
    )
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One command of an import; its ``now`` is set when it is applied."""

    category: str
    key: str
    command: Any


def chunks(planned: Sequence[Planned]) -> Iterable[bytes]:
    """The parts that hold these commands, in order."""
    for start in range(0, len(planned), CHUNK):
        yield canonical(
            [[one.category, one.key, type(one.command).__name__, one.command] for one in planned[start : start + CHUNK]]
        )


def read_chunk(part: bytes, now: int) -> Sequence[Planned]:
    """The commands of a part, as of ``now`` (milliseconds UTC)."""
    return [
        Planned(category, key, replace(_COMMANDS[name].validate_python(data), now=now))
        for category, key, name, data in orjson.loads(part)
    ]
